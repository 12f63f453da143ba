"""What the load was at the same time on former days, from bins of ten minutes."""

from pointsman_autoscaler.forecast.bins import DAY_BINS, SEASON_BINS, SEASON_SECONDS, WEEK_BINS, Bin, Ring

# Days of which something must be known before an hour counts as one that is usually busy.
_KNOWN_DAYS = 3
_DAYS = SEASON_BINS // DAY_BINS


class Season:
    """Two weeks of ten minutes. Bins without load are kept, but are no level: they are gaps or nights."""

    __slots__ = ("_busy", "_filling", "_ring")

    def __init__(self) -> None:
        self._ring = Ring(SEASON_BINS, SEASON_SECONDS)
        self._filling = Bin(-1)
        self._busy: tuple[int, float | None] | None = None
        """The last answer of `busy_share` and its bin, while nothing is put into the ring."""

    def add(self, at_seconds: float, requests_per_second: float, seconds: float) -> None:
        """A rate that lasted so long."""
        index = self._ring.index(at_seconds)
        if index != self._filling.index:
            mean = self._filling.mean
            if mean is not None:
                self._ring.put(self._filling.index, mean)
                self._busy = None
            self._filling = Bin(index)
        self._filling.add(requests_per_second, seconds)

    def level(self, at_seconds: float, bins_ago: int) -> float | None:
        """Load so many bins before `at_seconds`, between the middles of bins; None where one is a gap."""
        place = at_seconds / SEASON_SECONDS - 0.5 - bins_ago
        index = int(place // 1)
        share = place - index
        left, right = self._ring.get(index), self._ring.get(index + 1)
        if not left or not right:
            return None
        return left + share * (right - left)

    def day(self, at_seconds: float) -> float | None:
        """A day before `at_seconds`."""
        return self.level(at_seconds, DAY_BINS)

    def week(self, at_seconds: float) -> float | None:
        """A week before `at_seconds`."""
        return self.level(at_seconds, WEEK_BINS)

    def usual(self, at_seconds: float) -> float | None:
        """What is usual at this time: a week before and a day before, the mean of those that are known."""
        known = [level for level in (self.day(at_seconds), self.week(at_seconds)) if level is not None]
        return sum(known) / len(known) if known else None

    def busy_share(self, at_seconds: float) -> float | None:
        """The share of former days with load at this time; None where fewer than three are known."""
        index = self._ring.index(at_seconds)
        if self._busy is None or self._busy[0] != index:
            self._busy = index, self._busy_share(index)
        return self._busy[1]

    def _busy_share(self, index: int) -> float | None:
        known = [
            level for day in range(1, _DAYS) if (level := self._ring.get(index - day * DAY_BINS)) is not None
        ]
        if len(known) < _KNOWN_DAYS:
            return None
        return sum(level > 0 for level in known) / len(known)

    def forget(self) -> None:
        self._ring.forget()
        self._filling = Bin(-1)
        self._busy = None
