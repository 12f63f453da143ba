"""The log of `up` itself: its lines may be lost on a full disk, what serves must not."""

from contextlib import suppress
from typing import IO


class LossyLog:
    """A file for a logger, which prints in the middle of other work: what cannot be written is left out."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()
