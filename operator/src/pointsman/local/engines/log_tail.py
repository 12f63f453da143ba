"""The last words of an engine, from its log file."""

import re
from pathlib import Path

_LAST_BYTES = 16 * 1024
# llama.cpp begins a line with the time since start and the level: "0.00.003.812 E ". Times would make
# messages flap.
_STAMP = re.compile(r"^\d+\.\d+\.\d+\.\d+ (?P<level>[A-Z]) ")


def last_lines(log: Path, *, since_byte: int, most: int, only_errors: bool = False) -> list[str]:
    """What the engine said last: its errors if it marked any, else (unless only those are asked for) simply
    its last lines. Without times.
    """
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(since_byte, end - _LAST_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if (found := _STAMP.match(line)) and found["level"] == "E"]
    chosen = errors or ([] if only_errors else lines)
    return [_STAMP.sub("", line) for line in chosen[-most:]]
