"""What was seen, in bins: two hours of minutes, and two weeks of ten minutes to learn days and weeks from."""

import math
from array import array

MINUTE_SECONDS = 60.0
MINUTES = 120
SEASON_SECONDS = 600.0
SEASON_BINS = 14 * 24 * 6
DAY_BINS = 24 * 6
WEEK_BINS = 7 * DAY_BINS

_NOTHING = math.nan


class Ring:
    """Means over bins of a fixed length; the oldest are overwritten. A bin without data reads as None."""

    __slots__ = ("_last", "_seconds", "_values")

    def __init__(self, length: int, seconds: float) -> None:
        self._values = array("d", [_NOTHING]) * length
        self._seconds = seconds
        self._last = -1

    @property
    def last(self) -> int:
        """Index of the newest bin; -1 before any."""
        return self._last

    def index(self, at_seconds: float) -> int:
        return int(at_seconds // self._seconds)

    def put(self, index: int, value: float) -> None:
        """Writes a bin at or after the newest; bins between become empty. Older ones are not written."""
        if index < self._last:
            return
        length = len(self._values)
        if self._last >= 0:
            for empty in range(max(self._last + 1, index - length + 1), index):
                self._values[empty % length] = _NOTHING
        self._values[index % length] = value
        self._last = index

    def get(self, index: int) -> float | None:
        if index < 0 or index > self._last or index <= self._last - len(self._values):
            return None
        value = self._values[index % len(self._values)]
        return None if math.isnan(value) else value

    def forget(self) -> None:
        """As it was in the beginning."""
        for index in range(len(self._values)):
            self._values[index] = _NOTHING
        self._last = -1


class Bin:
    """A bin that is being filled: the mean of the rates that fall into it, each for as long as it lasted."""

    __slots__ = ("index", "seconds", "total")

    def __init__(self, index: int) -> None:
        self.index = index
        self.total = 0.0
        self.seconds = 0.0

    def add(self, value: float, seconds: float) -> None:
        self.total += value * seconds
        self.seconds += seconds

    @property
    def mean(self) -> float | None:
        return self.total / self.seconds if self.seconds else None
