"""What every place of a record can do. All of it waits for a disk or a network: not on an event loop."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Protocol

from pointsman.errors import PointsmanError
from pointsman.policy.evidence.record import Entry, Verified, begins_segment, continued, has_hash


class Moved(Exception):
    """The record does not end as the caller knows it: somebody else wrote, and the caller did not."""


class Place(Protocol):
    """A record for one who writes. `read` and `append` raise PointsmanError for what is to be tried again, or
    told.
    """

    @property
    def name(self) -> str:
        """As people write it."""

    def read(self, *, is_whole: bool = False) -> Iterator[Entry]:
        """The entries from the last checkpoint on, which is the first of them; all where there is none, or
        `is_whole`. What a killed writer left of a line is none; it is taken away with the next append, which
        is to say so.
        """

    @property
    def torn_bytes(self) -> int:
        """How much of such a line the last reading found."""

    def append(self, after: Verified, lines: bytes, *, begins_segment: bool = False) -> None:
        """All of the lines, to a record that ends with `after`, or none of them. Raises Moved. A segment
        begins with them where the first is a checkpoint's first.
        """


class Lines(Protocol):
    """A record for one who verifies it."""

    @property
    def name(self) -> str:
        """As people write it."""

    def lines(self, start: int = 1) -> Iterator[bytes]:
        """With their ends, from the segment on that begins with the entry `start`. Raises PointsmanError
        where one cannot be read.
        """

    def starts(self) -> list[int]:
        """Entries with which a later segment begins, or was to begin, the newest first."""

    def where(self, line: int) -> str:
        """Where a line stands, of those that were read: `record.jsonl:7`."""


class Record(Place, Lines, Protocol):
    """A record as whoever opens it gets it."""


def entries_from(starts: Iterable[int], lines_from: Callable[[int], Iterator[bytes]]) -> Iterator[Entry]:
    """The entries from the newest segment on that begins as it should; `starts` are the first entries of
    segments, the newest first, and `lines_from` gives the lines from one of them on. RecordError.
    """
    for start in starts:
        lines = lines_from(start)
        first = next(lines, b"")
        if begins_segment(first, start):
            return continued(chain([first], lines), is_whole=False)
    return continued(lines_from(1))


def start_with(record: Lines, head: str) -> int:
    """The entry with which the segment begins that has the entry of this hash. PointsmanError where none has.

    Nothing is verified for it: what a line says of itself is looked at alone.
    """
    end: int | None = None
    for start in [*record.starts(), 1]:
        lines = record.lines(start)
        first = next(lines, b"")
        if start > 1 and not begins_segment(first, start):
            continue
        length = None if end is None else end - start
        if any(has_hash(line, head) for line in islice(chain([first], lines), length)):
            return start
        end = start
    raise PointsmanError(
        f"has no entry of hash {head}",
        where=record.name,
        todo="see whether it is one of this record; without --since all of it is read, and a break named",
    )


def broken(place: Lines, line: int, what: str, todo: str) -> PointsmanError:
    return PointsmanError(what, where=place.where(line), todo=todo)
