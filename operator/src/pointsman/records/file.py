"""A record of evidence as files: read line by line, and appended to so that it verifies whatever happens.

The first segment is the file that is named; each later one is beside it, with the number of its first entry
behind the name. The lock is the first one's.
"""

import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pointsman.errors import PointsmanError
from pointsman.policy.evidence.record import Entry, RecordError, Verified, entries_of
from pointsman.records.place import Moved, broken, entries_from

_LONGEST_LINE = 4 * 1024 * 1024
_BLOCK = 64 * 1024
_NUMBER = re.compile(r"(?!0{11}[01])\d{12}")


class RecordFile:
    """One writer goes on with it at a time: a lock keeps others out while something is written, and a size
    that is another one shows that somebody was there in between.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._end: tuple[str, int, int] | None = None
        """The last file, its size and how many entries there are, as they were read or written."""
        self._begins: list[tuple[int, str]] = [(0, path)]
        """Of the files that were read: how many lines there are before it, and its name."""
        self.torn_bytes = 0

    @property
    def name(self) -> str:
        return self._path

    def read(self, *, is_whole: bool = False) -> Iterator[Entry]:
        """See `Place`. A file that is not there has none."""
        with _opened(self._path, os.O_RDWR | os.O_CREAT):
            segments = _segments(self._path)
            first, last = next(reversed(segments)), segments[next(reversed(segments))]
            with _opened(last, os.O_RDONLY, is_locked=True) as stream:
                size = stream.seek(0, os.SEEK_END)
                self.torn_bytes = size - _whole_bytes(stream)
            try:
                count = first - 1
                for entry in entries_from([] if is_whole else [*reversed(segments)][:-1], self._whole_lines):
                    count = entry.sequence
                    yield entry
                self._end = last, size, count
            except RecordError as error:
                raise broken(self, error.broken.line, error.broken.what, error.broken.todo) from None

    def append(self, after: Verified, lines: bytes, *, begins_segment: bool = False) -> None:
        """See `Place`."""
        with _opened(self._path, os.O_RDWR | os.O_CREAT):
            segments = _segments(self._path)
            last = segments[next(reversed(segments))]
            size = os.stat(last).st_size
            if (last, size, after.entries) != (self._end or (last, 0, 0)):
                raise Moved
            if self.torn_bytes:
                size -= self.torn_bytes
                os.truncate(last, size)
                self._end, self.torn_bytes = (last, size, after.entries), 0
            if begins_segment:
                last, size = f"{self._path}.{after.entries + 1:012}", 0
                _make(last, lines)
            else:
                with _opened(last, os.O_RDWR, is_locked=True) as stream:
                    stream.seek(0, os.SEEK_END)
                    _write(stream, lines)
            if not size:
                _keep_name(Path(last))
            self._end = last, size + len(lines), after.entries + lines.count(b"\n")

    def lines(self, start: int = 1) -> Iterator[bytes]:
        """See `Lines`."""
        with _opened(self._path, os.O_RDONLY):
            yield from self._lines_from(start)

    def starts(self) -> list[int]:
        """See `Lines`."""
        with _opened(self._path, os.O_RDONLY):
            return [*reversed(_segments(self._path))][:-1]

    def where(self, line: int) -> str:
        begin, name = next((one for one in reversed(self._begins) if one[0] < line), (0, self._path))
        return f"{name}:{line - begin}"

    def _whole_lines(self, entry: int) -> Iterator[bytes]:
        return (line for line in self._lines_from(entry) if line.endswith(b"\n"))

    def _lines_from(self, entry: int) -> Iterator[bytes]:
        """With the file that begins with this entry."""
        self._begins, count = [], 0
        for first, name in _segments(self._path).items():
            if first < entry:
                continue
            with _opened(name, os.O_RDONLY, is_locked=True) as stream:
                self._begins.append((count, name))
                for line in _lines(stream):
                    count += 1
                    yield line


def append(file: str, made: Callable[[Iterator[Entry]], tuple[bytes, Verified]]) -> Verified:
    """Adds what `made` gives for the entries that are there, all of which it takes, and how the record ends
    then.

    One at a time, and nobody reads meanwhile. Where not all of it could be written, none of it is left; a
    process that is killed in between leaves whole entries and perhaps an incomplete last line, which
    verifying tells.
    """
    is_new = not Path(file).exists()
    with _opened(file, os.O_RDWR | os.O_CREAT):
        lines, end = made(_entries(RecordFile(file)))
        segments = _segments(file)
        with _opened(segments[next(reversed(segments))], os.O_RDWR, is_locked=True) as stream:
            stream.seek(0, os.SEEK_END)
            _write(stream, lines)
        if is_new:
            _keep_name(Path(file))
    return end


def _segments(path: str) -> dict[int, str]:
    """By their first entries."""
    name = Path(path).name + "."
    found = (one.removeprefix(name) for one in os.listdir(Path(path).parent) if one.startswith(name))
    later = {int(one): f"{path}.{one}" for one in sorted(found) if _NUMBER.fullmatch(one)}
    return {1: path, **later}


def _make(file: str, lines: bytes) -> None:
    """All of it or no such file."""
    new = f"{file}.new"
    with _opened(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, is_locked=True) as stream:
        _write(stream, lines)
    os.rename(new, file)


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


def _whole_bytes(stream: BinaryIO) -> int:
    """Up to the last end of a line."""
    end = stream.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - _BLOCK)
        stream.seek(begin)
        found = stream.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _keep_name(file: Path) -> None:
    """The name of a new file is in its folder, which is written by itself."""
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _opened(file: str, flags: int, *, is_locked: bool = False) -> Iterator[BinaryIO]:
    """`is_locked` by the file that is the lock."""
    try:
        # A pipe must not keep us waiting for somebody who writes to it.
        descriptor = os.open(file, flags | os.O_NONBLOCK, 0o644)
        with open(descriptor, "rb" if flags == os.O_RDONLY else "r+b", buffering=0) as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PointsmanError("is no regular file", where=file, todo="name the file of the record")
            if not is_locked:
                fcntl.flock(stream, fcntl.LOCK_SH if flags == os.O_RDONLY else fcntl.LOCK_EX)
            yield stream
    except OSError as error:
        raise PointsmanError(error.strerror or str(error), where=file) from None


def _entries(record: RecordFile) -> Iterator[Entry]:
    """Of a record that is locked."""
    try:
        yield from entries_of(record._lines_from(1))
    except RecordError as error:
        raise broken(record, error.broken.line, error.broken.what, error.broken.todo) from None


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    with open(os.dup(stream.fileno()), "rb") as buffered:
        while line := buffered.readline(_LONGEST_LINE):
            yield line
