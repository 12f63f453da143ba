"""Versions of engines, compared as their projects count them: `0.33.0`, `v0.5.23`, `b11549`."""

import re
from typing import Annotated

from pydantic import StringConstraints

EngineVersion = Annotated[
    str,
    StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z]?[0-9]+(\.[0-9]+)*([.-]?[a-z]+[0-9]*)?$"),
]

_NUMBERS = re.compile(r"^[a-z]?([0-9]+(?:\.[0-9]+)*)")


def version_order(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparison: `v0.5.23` -> (0, 5, 23). ValueError when it has none.

    A trailing word (`0.9.0-rc3`) is not counted: a release candidate has the flags of its release.
    """
    match = _NUMBERS.match(version)
    if match is None:
        raise ValueError(f"{version!r} is no version, such as 0.33.0 or b11549")
    return tuple(int(number) for number in match[1].split("."))


def in_range(version: str, since: str | None, before: str | None) -> bool:
    """Whether `since <= version < before`; None is no bound."""
    order = version_order(version)
    return (since is None or version_order(since) <= order) and (
        before is None or order < version_order(before)
    )
