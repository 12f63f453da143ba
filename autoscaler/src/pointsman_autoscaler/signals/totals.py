"""Counters of several servers as one that never falls. Pure.

Servers come and go, and begin anew at zero. What one had counted before it was seen first, or had lost some
counts, counts for nothing: some seconds are missing then, where anything else could look like a flood.
"""

from collections.abc import Collection, Mapping


class Totals:
    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._last: dict[str, Mapping[str, float]] = {}

    def take(self, server: str, counters: Mapping[str, float]) -> None:
        """What a server has counted by now, by name."""
        before = self._last.get(server)
        self._last[server] = counters
        if before is None:
            # Named all the same: a counter that stands still is not one that nobody sees.
            for name in counters:
                self._sums.setdefault(name, 0.0)
            return
        if any(counters.get(name, 0.0) < value for name, value in before.items()):
            return
        for name, value in counters.items():
            self._sums[name] = self._sums.get(name, 0.0) + value - before.get(name, 0.0)

    def keep(self, servers: Collection[str]) -> None:
        """Forget the servers that are no more; their counts stay."""
        self._last = {server: known for server, known in self._last.items() if server in servers}

    @property
    def sums(self) -> Mapping[str, float]:
        return self._sums
