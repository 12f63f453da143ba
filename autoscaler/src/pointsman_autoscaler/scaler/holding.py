"""What was needed lately: a replica goes when it was not needed for as long as its return would cost."""

from collections import deque

from pointsman_autoscaler.decision import Decision, Past


class Holding:
    """Largest needs of a window, and when replicas last became more."""

    def __init__(self) -> None:
        self._needs: deque[tuple[float, float]] = deque()
        self._tokens: deque[tuple[float, float]] = deque()
        self._last_up: float | None = None

    def past(self, now_seconds: float, hold_seconds: float, calm_seconds: float) -> Past:
        """As of now. Times that have not come yet are of a clock that was set back: they are forgotten."""
        for series in (self._needs, self._tokens):
            while series and series[0][0] <= now_seconds - max(hold_seconds, calm_seconds):
                series.popleft()
            while series and series[-1][0] > now_seconds:
                series.pop()
        if self._last_up is not None and self._last_up > now_seconds:
            self._last_up = now_seconds
        return Past(
            need=_largest_since(self._needs, now_seconds - hold_seconds),
            tokens=_largest_since(self._tokens, now_seconds - hold_seconds),
            calm_need=_largest_since(self._needs, now_seconds - calm_seconds),
            last_up_seconds=self._last_up,
        )

    def add(self, decision: Decision, asked: dict[str, int]) -> None:
        """What was decided, against what was asked before."""
        now = decision.at_seconds
        _push(self._needs, now, decision.need)
        _push(self._tokens, now, decision.need_tokens)
        more = any(count > asked.get(name, 0) for name, count in decision.replicas.items())
        if more:
            self._last_up = now


def _largest_since(series: deque[tuple[float, float]], since_seconds: float) -> float:
    """Values fall from the oldest to the newest: the first in time is the largest."""
    return next((value for at_seconds, value in series if at_seconds > since_seconds), 0.0)


def _push(series: deque[tuple[float, float]], at_seconds: float, value: float) -> None:
    """Keeps only what may still be the largest of some window."""
    while series and series[-1][1] <= value:
        series.pop()
    series.append((at_seconds, value))
