"""Command lines by version: a flag that a version does not have ends an engine before it starts.

Only the flags that a launcher is likely to get wrong are known with their versions; any other flag is taken,
with or without a value.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.engines.script import version_number


@dataclass(frozen=True)
class Lifetime:
    """A flag and the versions that have it."""

    flag: str
    since: str = "0"
    before: str = "999"

    def holds_in(self, version: tuple[int, ...]) -> bool:
        return version_number(self.since) <= version < version_number(self.before)


@dataclass(frozen=True)
class CommandLine:
    """What was said: values by flag (without a value: empty), and the words that belong to none."""

    values: dict[str, list[str]]
    words: list[str]

    def text(self, *flags: str, default: str = "") -> str:
        """The first value of the first flag that was given."""
        for flag in flags:
            if self.values.get(flag):
                return self.values[flag][0]
        return default

    def texts(self, flag: str) -> list[str]:
        return self.values.get(flag, [])


def read(
    arguments: Sequence[str], program: str, version: tuple[int, ...], known: Sequence[Lifetime]
) -> CommandLine:
    """Parse. Ends the process as argparse does, with 2, for a flag that the version does not have."""
    values: dict[str, list[str]] = {}
    words: list[str] = []
    flag = ""
    for argument in arguments:
        if argument.startswith("--"):
            flag, equals, value = argument.partition("=")
            values.setdefault(flag, []).extend([value] if equals else [])
        elif flag:
            values[flag].append(argument)
        else:
            words.append(argument)
    absent = [one.flag for one in known if one.flag in values and not one.holds_in(version)]
    if absent:
        print(f"{program}: error: unrecognized arguments: {' '.join(absent)}", file=sys.stderr)
        sys.exit(2)
    return CommandLine(values, words)
