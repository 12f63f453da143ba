"""What every place of a record can do. All of it waits for a disk or a network: not on an event loop."""

from collections.abc import Iterator
from typing import Protocol

from pointsman.errors import PointsmanError
from pointsman.policy.evidence.record import Entry, Verified


class Moved(Exception):
    """The record does not end as the caller knows it: somebody else wrote, and the caller did not."""


class Place(Protocol):
    """A record for one who writes. `read` and `append` raise PointsmanError for what is to be tried again, or
    told.
    """

    @property
    def name(self) -> str:
        """As people write it."""

    def read(self) -> Iterator[Entry]:
        """All entries. What a killed writer left of a line is taken away first."""

    @property
    def torn_bytes(self) -> int:
        """How much of such a line the last reading took away."""

    def append(self, after: Verified, lines: bytes) -> None:
        """All of the lines, to a record that ends with `after`, or none of them. Raises Moved."""


class Lines(Protocol):
    """A record for one who verifies it."""

    def lines(self) -> Iterator[bytes]:
        """With their ends. Raises PointsmanError where one cannot be read."""

    def where(self, line: int) -> str:
        """Where a line stands, of those that were read: `record.jsonl:7`."""


class Record(Place, Lines, Protocol):
    """A record as whoever opens it gets it."""


def broken(place: Lines, line: int, what: str, todo: str) -> PointsmanError:
    return PointsmanError(what, where=place.where(line), todo=todo)
