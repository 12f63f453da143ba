"""SkyServe: requests a second per replica with slow hysteresis; spot replicas with on-demand fallback.

skypilot-org/skypilot, sky/serve/autoscalers.py; the choice of zones is SpotHedge's ("SkyServe", 2024).
"""

import math
from dataclasses import dataclass, field

from pointsman_autoscaler.baselines.counters import increase
from pointsman_autoscaler.baselines.setup import Setup, unchanged
from pointsman_autoscaler.baselines.zones import Zones
from pointsman_autoscaler.view import Flavour, View


@dataclass
class Hysteresis:
    """Decisions in a row that must want the same direction; from zero it is followed at once."""

    up_decisions: int
    down_decisions: int
    _ups: int = 0
    _downs: int = 0

    def follow(self, current: int, wanted: int) -> int:
        if current == 0:
            return wanted
        if wanted == current:
            self._ups = self._downs = 0
            return current
        if wanted > current:
            self._ups, self._downs = self._ups + 1, 0
            reached = self._ups >= self.up_decisions
        else:
            self._ups, self._downs = 0, self._downs + 1
            reached = self._downs >= self.down_decisions
        if not reached:
            return current
        self._ups = self._downs = 0
        return wanted


def on_demand(target: int, spot_wanted: int, spot_ready: int, base: int = 0) -> int:
    """On-demand replicas: the base, and one for every spot replica that is wanted and not ready."""
    return min(target, base + max(0, spot_wanted - spot_ready))


@dataclass
class SkyServe:
    """`target` is a share of the requests a second that one replica serves within the bounds.

    With spot flavours, `spare_spot` more of them are kept than are needed, spread over their domains.
    """

    setup: Setup
    target: float = 0.8
    up_delay_seconds: float = 300.0
    down_delay_seconds: float = 1200.0
    window_seconds: float = 60.0
    spare_spot: int = 1
    base_on_demand: int = 0
    interval_seconds: float = 20.0
    name: str = "skyserve"
    zones: Zones = field(default_factory=Zones)
    _target_replicas: int | None = None

    def __post_init__(self) -> None:
        self._hysteresis = Hysteresis(
            int(self.up_delay_seconds / self.interval_seconds),
            int(self.down_delay_seconds / self.interval_seconds),
        )

    def decide(self, view: View) -> dict[str, int]:
        now, first = view.now_seconds, self.setup.first(view)
        self.zones.observe(view)
        served = None if first is None else self.setup.profile(first).requests_per_second
        arrived = increase(view.gateway, lambda sample: sample.requests_total, now - self.window_seconds, now)
        if self._target_replicas is None:
            self._target_replicas = self.setup.bounded(sum(unchanged(view, self.setup).values()))
        if not served or arrived is None:
            return unchanged(view, self.setup)
        wanted = self.setup.bounded(math.ceil(arrived / self.window_seconds / (self.target * served)))
        self._target_replicas = self._hysteresis.follow(self._target_replicas, wanted)
        return self._placed(self._target_replicas, view)

    def _placed(self, target: int, view: View) -> dict[str, int]:
        spot = [flavour for flavour in self.setup.flavours(view) if flavour.is_spot and flavour.maximum > 0]
        steady = [flavour for flavour in self.setup.flavours(view) if not flavour.is_spot]
        if not spot or not steady or target == 0:
            return self.setup.place(target, view)
        wanted = max(0, target - self.base_on_demand) + self.spare_spot
        names = {flavour.name for flavour in spot}
        ready = sum(pod.is_ready and not pod.is_draining and pod.flavour in names for pod in view.pods)
        placed = {name: min(flavour.minimum, flavour.maximum) for name, flavour in view.flavours.items()}
        most = self.setup.settings.maximum
        least = sum(placed[name] for name in names)
        _fill(placed, steady, min(on_demand(target, wanted, ready, self.base_on_demand), most - least))
        most -= sum(placed[flavour.name] for flavour in steady)
        self.zones.fill(placed, spot, min(wanted, most))
        return placed


def _fill(placed: dict[str, int], flavours: list[Flavour], count: int) -> None:
    left = count - sum(placed[flavour.name] for flavour in flavours)
    for flavour in flavours:
        more = max(0, min(left, flavour.maximum - placed[flavour.name]))
        placed[flavour.name] += more
        left -= more
