"""How fast Kubernetes' horizontal autoscaler may follow its own recommendations: windows and limits. Pure.

autoscaling/v2, HorizontalPodAutoscalerBehavior.
"""

import math
from dataclasses import dataclass, field

from pointsman_autoscaler.baselines.windows import Window


@dataclass(frozen=True, slots=True)
class Limit:
    """Within `period_seconds` by so many pods, or by so many per cent of those at its start."""

    period_seconds: float
    pods: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The defaults are Kubernetes': double or four more in 15 s; down to any number, after five minutes.

    Of several limits the one that allows the most counts.
    """

    up: tuple[Limit, ...] = (Limit(15.0, percent=100.0), Limit(15.0, pods=4))
    down: tuple[Limit, ...] = (Limit(15.0, percent=100.0),)
    up_window_seconds: float = 0.0
    down_window_seconds: float = 300.0


@dataclass
class Behaviour:
    """Remembers recommendations and what was done."""

    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        rules = self.rules
        self._ups = Window(rules.up_window_seconds)
        self._downs = Window(rules.down_window_seconds)
        self._added = {limit: Window(limit.period_seconds) for limit in (*rules.up, *rules.down)}
        self._begun = False
        self._removed = {limit: Window(limit.period_seconds) for limit in (*rules.up, *rules.down)}

    def apply(self, now_seconds: float, current: int, recommended: int) -> int:
        """The recommendation, held back; taken as done. What runs at the beginning counts as recommended."""
        if not self._begun:
            self._begun = True
            self._ups.add(now_seconds, current)
            self._downs.add(now_seconds, current)
        result = self._limited(now_seconds, current, self._stable(now_seconds, current, recommended))
        self.note(now_seconds, result - current)
        return result

    def note(self, now_seconds: float, change: int) -> None:
        """So many replicas were added, or removed."""
        changes = self._added if change > 0 else self._removed
        for window in changes.values() if change else ():
            window.add(now_seconds, abs(change))

    def _stable(self, now_seconds: float, current: int, recommended: int) -> int:
        """At least the least of the one window, at most the greatest of the other."""
        self._ups.add(now_seconds, recommended)
        self._downs.add(now_seconds, recommended)
        lower = min(recommended, *_all(self._ups, now_seconds, recommended))
        upper = max(recommended, *_all(self._downs, now_seconds, recommended))
        return int(min(max(current, lower), upper))

    def _limited(self, now_seconds: float, current: int, wanted: int) -> int:
        if wanted > current:
            most = max((self._up_to(now_seconds, current, limit) for limit in self.rules.up), default=wanted)
            return min(wanted, max(most, current))
        if wanted < current:
            least = min(
                (self._down_to(now_seconds, current, limit) for limit in self.rules.down), default=wanted
            )
            return max(wanted, min(least, current))
        return wanted

    def _start(self, now_seconds: float, current: int, limit: Limit) -> float:
        """Replicas at the start of the period."""
        return current - self._added[limit].total(now_seconds) + self._removed[limit].total(now_seconds)

    def _up_to(self, now_seconds: float, current: int, limit: Limit) -> int:
        start = self._start(now_seconds, current, limit)
        if limit.pods is not None:
            return int(start + limit.pods)
        return math.ceil(start * (1 + (limit.percent or 0.0) / 100))

    def _down_to(self, now_seconds: float, current: int, limit: Limit) -> int:
        start = self._start(now_seconds, current, limit)
        if limit.pods is not None:
            return int(start - limit.pods)
        return int(start * (1 - (limit.percent or 0.0) / 100))


def _all(window: Window, now_seconds: float, recommended: int) -> list[float]:
    return list(window.values(now_seconds)) or [recommended]
