"""KEDA with a Prometheus trigger: it wakes and sleeps the deployment, an HPA does what lies between."""

from dataclasses import dataclass, field

from pointsman_autoscaler.baselines.behaviour import Behaviour
from pointsman_autoscaler.baselines.readings import total_load
from pointsman_autoscaler.baselines.replicas import DEFAULT_TOLERANCE, Tolerance, by_total
from pointsman_autoscaler.baselines.setup import Setup, asked, unchanged
from pointsman_autoscaler.view import View


@dataclass
class Activity:
    """Between zero and one: awake while active, asleep after `cooldown_seconds` without."""

    cooldown_seconds: float = 300.0
    last_active_seconds: float | None = None

    def replicas(
        self, now_seconds: float, current: int, active: bool, least: int, may_be_zero: bool
    ) -> int | None:
        """What to have now; None: leave it to the HPA."""
        if active:
            self.last_active_seconds = now_seconds
            return max(1, least) if current < max(1, least) else None
        since = self.last_active_seconds
        if not may_be_zero:
            return least if current < least else None
        return 0 if current == 0 or since is None or since + self.cooldown_seconds < now_seconds else None


@dataclass
class Keda:
    """`threshold` is a share of what one replica runs within the bounds.

    The query is the requests under way, those held at the gateway included. An empty answer counts as zero
    (ignoreNullValues, which is on by default).
    """

    setup: Setup
    threshold: float = 0.8
    activation: float = 0.0
    polling_seconds: float = 30.0
    ignore_null_values: bool = True
    activity: Activity = field(default_factory=Activity)
    tolerance: Tolerance = DEFAULT_TOLERANCE
    behaviour: Behaviour = field(default_factory=Behaviour)
    interval_seconds: float = 15.0
    name: str = "keda"
    _polled_seconds: float | None = None

    def decide(self, view: View) -> dict[str, int]:
        first, current, now = self.setup.first(view), asked(view), view.now_seconds
        value = total_load(view)
        if value is None and self.ignore_null_values:
            value = 0.0
        if first is None or value is None:
            return unchanged(view, self.setup)
        if self._polled_seconds is None or not 0 <= now - self._polled_seconds < self.polling_seconds:
            self._polled_seconds = now
            told = self.activity.replicas(
                now, current, value > self.activation, self.setup.least, self.setup.may_be_zero
            )
            if told is not None:
                return self.setup.place(told, view)
        if current == 0:
            return self.setup.place(0, view)
        goal = self.threshold * self.setup.profile(first).concurrency
        wanted = max(by_total(current, value, goal, self.tolerance), self.setup.least)
        allowed = self.behaviour.apply(now, current, min(wanted, self.setup.bounded(wanted)))
        return self.setup.place(max(allowed, self.setup.least), view)
