"""Kubernetes' horizontal pod autoscaler on a metric of each pod, with its default behaviour."""

from dataclasses import dataclass, field

from pointsman_autoscaler.baselines.behaviour import Behaviour
from pointsman_autoscaler.baselines.readings import PodMetric, latest
from pointsman_autoscaler.baselines.replicas import DEFAULT_TOLERANCE, Tolerance, by_pods
from pointsman_autoscaler.baselines.setup import Setup, asked, unchanged
from pointsman_autoscaler.view import View


@dataclass
class Hpa:
    """`target` is a share of what one replica runs within the bounds, or of its KV cache.

    0.8 is the target that Kubernetes assumes for CPU. It never goes to zero and does not leave it.
    """

    setup: Setup
    target: float = 0.8
    metric: PodMetric = "requests"
    tolerance: Tolerance = DEFAULT_TOLERANCE
    behaviour: Behaviour = field(default_factory=Behaviour)
    interval_seconds: float = 15.0

    @property
    def name(self) -> str:
        return "hpa" if self.metric == "requests" else f"hpa-{self.metric}"

    def decide(self, view: View) -> dict[str, int]:
        first, current = self.setup.first(view), asked(view)
        if first is None or current == 0:
            return self.setup.place(self.setup.least, view)
        goal = self.target * (self.setup.profile(first).concurrency if self.metric == "requests" else 1.0)
        values, missing, unready = [], 0, 0
        for pod in view.pods:
            if pod.is_draining or pod.flavour not in view.flavours:
                continue
            value = latest(pod, self.metric, view.now_seconds)
            if value is not None:
                values.append(value)
            elif pod.is_ready:
                missing += 1
            else:
                unready += 1
        wanted = by_pods(current, values, goal, missing=missing, unready=unready, tolerance=self.tolerance)
        if wanted is None:
            return unchanged(view, self.setup)
        allowed = self.behaviour.apply(view.now_seconds, current, max(wanted, self.setup.least))
        return self.setup.place(max(allowed, self.setup.least), view)
