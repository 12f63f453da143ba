"""Ray Serve: ongoing requests per replica, and decisions that must hold before they are followed.

ray-project/ray, python/ray/serve/autoscaling_policy.py.
"""

import math
from dataclasses import dataclass, field

from pointsman_autoscaler.baselines.readings import concurrency, load_of, ready_pods, recent
from pointsman_autoscaler.baselines.setup import Setup, asked, unchanged
from pointsman_autoscaler.view import View


def desired(
    running: int,
    target_replicas: int,
    ongoing: float,
    target: float,
    up_factor: float = 1.0,
    down_factor: float = 1.0,
) -> int:
    """Replicas for so many `ongoing` requests of all replicas, with `target` in each.

    Relative to the `running` replicas; at zero any request wakes as many as the factor says.
    """
    if running == 0:
        return max(math.ceil(up_factor), target_replicas) if ongoing > 0 else target_replicas
    ratio = ongoing / running / target
    smoothed = 1 + (ratio - 1) * (up_factor if ratio >= 1 else down_factor)
    wanted = math.ceil(running * smoothed)
    # A factor below one would never let go of the last ones.
    if ratio == 0 and wanted == target_replicas and target_replicas >= 1:
        wanted -= 1
    return max(0, wanted)


@dataclass
class Delays:
    """A change is made once it was wanted for so long without a break; to zero in a step of its own."""

    up_seconds: float = 30.0
    down_seconds: float = 600.0
    to_zero_seconds: float | None = None
    """None: as `down_seconds`."""
    _direction: int = 0
    _since_seconds: float = 0.0

    def follow(self, now_seconds: float, target_replicas: int, wanted: int) -> int:
        direction = (wanted > target_replicas) - (wanted < target_replicas)
        if direction != self._direction or self._since_seconds > now_seconds:
            self._direction, self._since_seconds = direction, now_seconds
        held = now_seconds - self._since_seconds
        if direction > 0:
            if target_replicas == 0 or held >= self.up_seconds:
                return self._changed(wanted)
        elif direction < 0:
            if wanted == 0 and target_replicas > 1:
                wanted = 1
            needed = self.down_seconds
            if wanted == 0 and self.to_zero_seconds is not None:
                needed = self.to_zero_seconds
            if held >= needed:
                return self._changed(wanted)
        return target_replicas

    def _changed(self, wanted: int) -> int:
        self._direction = 0
        return wanted


@dataclass
class RayServe:
    """`target` is a share of what one replica runs within the bounds; None: the default of two requests."""

    setup: Setup
    target: float | None = None
    target_requests: float = 2.0
    look_back_seconds: float = 30.0
    delays: Delays = field(default_factory=Delays)
    interval_seconds: float = 10.0
    name: str = "ray"

    def decide(self, view: View) -> dict[str, int]:
        first, current = self.setup.first(view), asked(view)
        ongoing = self._ongoing(view)
        if first is None or ongoing is None:
            return unchanged(view, self.setup)
        goal = self.target_requests
        if self.target is not None:
            goal = self.target * self.setup.profile(first).concurrency
        wanted = self.setup.bounded(desired(len(ready_pods(view)), current, ongoing, goal))
        return self.setup.place(self.delays.follow(view.now_seconds, current, wanted), view)

    def _ongoing(self, view: View) -> float | None:
        """The mean over the look-back of requests under way: at the handles, or at the replicas."""
        now, back = view.now_seconds, self.look_back_seconds
        seen = [concurrency(sample) for sample in recent(view.gateway, now, back)]
        values = [value for value in seen if value is not None]
        if values:
            return sum(values) / len(values)
        total = None
        for pod in ready_pods(view):
            loads = [load_of(sample) for sample in recent(pod.samples, now, back)]
            known = [load for load in loads if load is not None]
            if known:
                total = (total or 0.0) + sum(known) / len(known)
        return total
