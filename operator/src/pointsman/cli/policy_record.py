"""A record of evidence as a file: read line by line, and appended to so that it verifies whatever happens."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pointsman.errors import PointsmanError
from pointsman.policy.evidence.record import Entry, RecordError, Verified, entries_of

_LONGEST_LINE = 4 * 1024 * 1024


def entries_in(file: str) -> Iterator[Entry]:
    """The entries of a record. PointsmanError for a file that cannot be read, or at the first break."""
    with _opened(file, os.O_RDONLY) as stream:
        yield from _entries(file, stream)


def lines_in(file: str) -> Iterator[bytes]:
    """The lines with their ends."""
    with _opened(file, os.O_RDONLY) as stream:
        yield from _lines(stream)


def append(file: str, made: Callable[[Iterator[Entry]], tuple[bytes, Verified]]) -> Verified:
    """Adds what `made` gives for the entries that are there, all of which it takes, and how the record ends
    then.

    One at a time, and nobody reads meanwhile. Where not all of it could be written, none of it is left; a
    process that is killed in between leaves whole entries and perhaps an incomplete last line, which
    verifying tells.
    """
    is_new = not Path(file).exists()
    with _opened(file, os.O_RDWR | os.O_CREAT) as stream:
        lines, end = made(_entries(file, stream))
        size = stream.seek(0, os.SEEK_END)
        try:
            _write(stream, lines)
        except OSError:
            stream.truncate(size)
            raise
        if is_new:
            _keep_name(Path(file))
    return end


def _write(stream: BinaryIO, lines: bytes) -> None:
    left = memoryview(lines)
    while left:
        left = left[os.write(stream.fileno(), left) :]
    os.fsync(stream.fileno())


def _keep_name(file: Path) -> None:
    """The name of a new file is in its folder, which is written by itself."""
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _opened(file: str, flags: int) -> Iterator[BinaryIO]:
    try:
        # A pipe must not keep us waiting for somebody who writes to it.
        descriptor = os.open(file, flags | os.O_NONBLOCK, 0o644)
        with open(descriptor, "rb" if flags == os.O_RDONLY else "r+b", buffering=0) as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PointsmanError("is no regular file", where=file, todo="name the file of the record")
            fcntl.flock(stream, fcntl.LOCK_SH if flags == os.O_RDONLY else fcntl.LOCK_EX)
            yield stream
    except OSError as error:
        raise PointsmanError(error.strerror or str(error), where=file) from None


def _entries(file: str, stream: BinaryIO) -> Iterator[Entry]:
    try:
        yield from entries_of(_lines(stream))
    except RecordError as error:
        raise PointsmanError(
            error.broken.what, where=f"{file}:{error.broken.line}", todo=error.broken.todo
        ) from None


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    with open(os.dup(stream.fileno()), "rb") as buffered:
        while line := buffered.readline(_LONGEST_LINE):
            yield line
