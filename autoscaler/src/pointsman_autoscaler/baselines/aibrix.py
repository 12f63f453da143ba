"""AIBrix' application-specific pod autoscaler (APA): the HPA's ratio with two tolerances and two rates.

vllm-project/aibrix, pkg/controller/podautoscaler (2026-08): algorithm/apa.go, context/context.go.
"""

import math
from dataclasses import dataclass

from pointsman_autoscaler.baselines.readings import PodMetric, latest, ready_pods
from pointsman_autoscaler.baselines.setup import Setup, asked, unchanged
from pointsman_autoscaler.baselines.windows import Window
from pointsman_autoscaler.view import View


@dataclass(frozen=True, slots=True)
class Rates:
    """How far one recommendation may go, and how near the target is near enough."""

    max_up: float = 2.0
    max_down: float = 2.0
    up_tolerance: float = 0.1
    down_tolerance: float = 0.1

    def desired(self, current: int, per_pod: float, target: float) -> int:
        """`per_pod` is the mean of the metric over the window, of one pod."""
        if target <= 0:
            return current
        ratio = per_pod / target
        if ratio > 1 + self.up_tolerance:
            return min(math.ceil(current * ratio), math.ceil(self.max_up * current))
        if ratio < 1 - self.down_tolerance:
            return max(math.ceil(current * ratio), math.floor(current / self.max_down))
        return current


@dataclass
class Aibrix:
    """`target` is a share of what one replica runs within the bounds, or of its KV cache.

    Of the recommendations within `down_window_seconds` a reduction takes the least, as the source does: the
    window speeds it up where the HPA's holds it back.
    """

    setup: Setup
    target: float = 0.7
    metric: PodMetric = "requests"
    rates: Rates = Rates()
    window_seconds: float = 180.0
    down_window_seconds: float = 300.0
    interval_seconds: float = 10.0

    def __post_init__(self) -> None:
        self._means = Window(self.window_seconds)
        self._recommended = Window(self.down_window_seconds)

    @property
    def name(self) -> str:
        return "aibrix" if self.metric == "requests" else f"aibrix-{self.metric}"

    def decide(self, view: View) -> dict[str, int]:
        first, current, now = self.setup.first(view), asked(view), view.now_seconds
        if first is None or current == 0:
            return self.setup.place(self.setup.least, view)
        seen = [latest(pod, self.metric, now) for pod in ready_pods(view)]
        values = [value for value in seen if value is not None]
        if values:
            self._means.add(now, sum(values) / len(values))
        per_pod = self._means.mean(now)
        if not values or per_pod is None:
            return unchanged(view, self.setup)
        goal = self.target * (self.setup.profile(first).concurrency if self.metric == "requests" else 1.0)
        wanted = max(self.setup.least, self.rates.desired(current, per_pod, goal))
        self._recommended.add(now, wanted)
        if wanted < current:
            wanted = int(self._recommended.lowest(now) or wanted)
        return self.setup.place(wanted, view)
