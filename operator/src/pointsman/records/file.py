"""A record of evidence as a file: read line by line, and appended to so that it verifies whatever happens."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pointsman.errors import PointsmanError
from pointsman.policy.evidence.record import Entry, RecordError, Verified, continued, entries_of
from pointsman.records.place import Moved, broken

_LONGEST_LINE = 4 * 1024 * 1024
_BLOCK = 64 * 1024


class RecordFile:
    """One writer goes on with it at a time: a lock keeps others out while something is written, and a size
    that is another one shows that somebody was there in between.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._size = self._count = 0
        self.torn_bytes = 0

    @property
    def name(self) -> str:
        return self._path

    def read(self) -> Iterator[Entry]:
        """See `Place`. A file that is not there has none."""
        with _opened(self._path, os.O_RDWR | os.O_CREAT) as stream:
            self.torn_bytes = _without_torn_line(stream)
            self._size = stream.seek(0, os.SEEK_END)
            try:
                stream.seek(0)
                self._count = 0
                for entry in continued(_lines(stream)):
                    self._count = entry.sequence
                    yield entry
            except RecordError as error:
                raise broken(self, error.broken.line, error.broken.what, error.broken.todo) from None

    def append(self, after: Verified, lines: bytes) -> None:
        """See `Place`."""
        with _opened(self._path, os.O_RDWR | os.O_CREAT) as stream:
            if (stream.seek(0, os.SEEK_END), after.entries) != (self._size, self._count):
                raise Moved
            _write(stream, lines)
            if not self._size:
                _keep_name(Path(self._path))
            self._size += len(lines)
            self._count += lines.count(b"\n")

    def lines(self) -> Iterator[bytes]:
        """See `Lines`."""
        with _opened(self._path, os.O_RDONLY) as stream:
            yield from _lines(stream)

    def where(self, line: int) -> str:
        return f"{self._path}:{line}"


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
        stream.seek(0, os.SEEK_END)
        _write(stream, lines)
        if is_new:
            _keep_name(Path(file))
    return end


def _write(stream: BinaryIO, lines: bytes) -> None:
    """At the end of the file; all of it or nothing."""
    size, left = stream.tell(), memoryview(lines)
    try:
        while left:
            left = left[os.write(stream.fileno(), left) :]
        os.fsync(stream.fileno())
    except OSError:
        stream.truncate(size)
        raise


def _without_torn_line(stream: BinaryIO) -> int:
    """Takes away what follows the last end of a line; how many bytes that were."""
    size = end = stream.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - _BLOCK)
        stream.seek(begin)
        found = stream.read(end - begin).rfind(b"\n")
        if found >= 0:
            end = begin + found + 1
            break
        end = begin
    if end < size:
        stream.truncate(end)
        os.fsync(stream.fileno())
    return size - end


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
        raise broken(RecordFile(file), error.broken.line, error.broken.what, error.broken.todo) from None


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    with open(os.dup(stream.fileno()), "rb") as buffered:
        while line := buffered.readline(_LONGEST_LINE):
            yield line
