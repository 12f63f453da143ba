"""Knative's pod autoscaler: a slow window for the level, a fast one for panic.

knative/serving, pkg/autoscaler/scaling/autoscaler.go and config-autoscaler's defaults.
"""

import math
from dataclasses import dataclass, field

from pointsman_autoscaler.baselines.readings import gateway_mean, ready_pods
from pointsman_autoscaler.baselines.setup import Setup, unchanged
from pointsman_autoscaler.baselines.windows import Window
from pointsman_autoscaler.view import View


@dataclass
class Panic:
    """Averages of two windows to replicas; in panic it only rises."""

    stable_seconds: float = 60.0
    panic_threshold: float = 2.0
    max_up_rate: float = 1000.0
    max_down_rate: float = 2.0
    down_delay_seconds: float = 0.0
    panic_since_seconds: float | None = None
    """When the threshold was last exceeded; None: no panic."""
    most_in_panic: int = 0

    def __post_init__(self) -> None:
        self._delay = Window(self.down_delay_seconds)

    def desired(self, now_seconds: float, stable: float, panic: float, target: float, ready: int) -> int:
        """`stable` and `panic` are the means of the metric over both windows, of all pods together."""
        pods = max(1, ready)
        most, least = math.ceil(self.max_up_rate * pods), math.floor(pods / self.max_down_rate)
        for_stable, for_panic = math.ceil(stable / target), math.ceil(panic / target)
        if for_panic / pods >= self.panic_threshold:
            self.panic_since_seconds = now_seconds
        elif (
            self.panic_since_seconds is not None
            and not 0 <= now_seconds - self.panic_since_seconds <= self.stable_seconds
        ):
            self.panic_since_seconds, self.most_in_panic = None, 0
        wanted = min(max(for_stable, least), most)
        if self.panic_since_seconds is not None:
            wanted = max(wanted, min(max(for_panic, least), most))
            self.most_in_panic = wanted = max(self.most_in_panic, wanted)
        if self.down_delay_seconds > 0:
            self._delay.add(now_seconds, wanted)
            wanted = int(self._delay.highest(now_seconds) or 0)
        return wanted


@dataclass
class Kpa:
    """`target` is a share of the concurrency that one replica is given (default 70 %).

    That concurrency is what it runs within the bounds. Zero is reached after a stable window without requests
    and `grace_seconds`.
    """

    setup: Setup
    target: float = 0.7
    panic_share: float = 0.1
    grace_seconds: float = 30.0
    panic: Panic = field(default_factory=Panic)
    interval_seconds: float = 2.0
    name: str = "kpa"
    _idle_since_seconds: float | None = None

    def decide(self, view: View) -> dict[str, int]:
        first, now = self.setup.first(view), view.now_seconds
        stable = gateway_mean(view, self.panic.stable_seconds)
        panic = gateway_mean(view, self.panic.stable_seconds * self.panic_share)
        if first is None or stable is None or panic is None:
            return unchanged(view, self.setup)
        goal = self.target * self.setup.profile(first).concurrency
        ready = len(ready_pods(view))
        return self.setup.place(
            self._not_yet_zero(now, self.panic.desired(now, stable, panic, goal, ready), view), view
        )

    def _not_yet_zero(self, now_seconds: float, wanted: int, view: View) -> int:
        if wanted > 0 or not any(view.asked.get(name, 0) for name in view.flavours):
            self._idle_since_seconds = None
            return wanted
        if self._idle_since_seconds is None or self._idle_since_seconds > now_seconds:
            self._idle_since_seconds = now_seconds
        return 0 if now_seconds - self._idle_since_seconds >= self.grace_seconds else 1
