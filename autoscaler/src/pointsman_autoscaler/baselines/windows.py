"""Numbers of the last so many seconds: recommendations to hold on to, and values to average. Pure."""

from collections import deque
from collections.abc import Iterator


class Window:
    """What was added less than `seconds` ago; a clock that jumps back forgets what is now in the future."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._entries: deque[tuple[float, float]] = deque()

    def add(self, now_seconds: float, value: float) -> None:
        self._prune(now_seconds)
        self._entries.append((now_seconds, value))

    def values(self, now_seconds: float) -> Iterator[float]:
        self._prune(now_seconds)
        return (value for _, value in self._entries)

    def highest(self, now_seconds: float) -> float | None:
        return max(self.values(now_seconds), default=None)

    def lowest(self, now_seconds: float) -> float | None:
        return min(self.values(now_seconds), default=None)

    def mean(self, now_seconds: float) -> float | None:
        values = list(self.values(now_seconds))
        return sum(values) / len(values) if values else None

    def total(self, now_seconds: float) -> float:
        return sum(self.values(now_seconds))

    def _prune(self, now_seconds: float) -> None:
        entries = self._entries
        while entries and entries[-1][0] > now_seconds:
            entries.pop()
        while entries and entries[0][0] <= now_seconds - self.seconds:
            entries.popleft()
