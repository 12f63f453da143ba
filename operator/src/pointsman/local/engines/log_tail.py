"""The last words of an engine, from its log file."""

import re
from dataclasses import dataclass
from pathlib import Path

_LAST_BYTES = 16 * 1024
_MOST_SHOWN = 6
# llama.cpp begins a line with the time since start and the level: "0.00.003.812 E ". Times would make
# messages flap.
_STAMP = re.compile(r"^\d+\.\d+\.\d+\.\d+ (?P<level>[A-Z]) ")


@dataclass(frozen=True)
class LastWords:
    """What an engine said before its end: the lines that it marked as errors, and the last lines of all."""

    errors: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def cause(self) -> str:
        """The line that says why: the first error (those after it follow from it), else the last line."""
        return self.errors[0] if self.errors else "".join(self.lines[-1:])

    @property
    def shown(self) -> tuple[str, ...]:
        return self.errors[:_MOST_SHOWN] or self.lines


def last_words(log: Path, *, since_byte: int) -> LastWords:
    """At most so many lines of each sort, without times: the first errors since that byte, the last of all
    lines.
    """
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(since_byte, end - _LAST_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return LastWords()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if (found := _STAMP.match(line)) and found["level"] == "E"]
    return LastWords(_plain(errors), _plain(lines[-_MOST_SHOWN:]))


def _plain(lines: list[str]) -> tuple[str, ...]:
    return tuple(_STAMP.sub("", line) for line in lines)
