"""The HPA or ScaledObject that carries out what llm-d's scaler wants of each flavour. Pure.

It follows the wanted number up at once, and down to the greatest of a window. Zero to one, and one to zero
after a retention without requests, is the scaler's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman_autoscaler.baselines.readings import total_load
from pointsman_autoscaler.baselines.setup import Setup, within
from pointsman_autoscaler.baselines.windows import Window
from pointsman_autoscaler.view import View


@dataclass
class PassThrough:
    """`down_window_seconds` is 240 to 300 in the project's own benchmarks, the retention its default."""

    setup: Setup
    down_window_seconds: float = 240.0
    retention_seconds: float = 600.0
    _used_seconds: float | None = None

    def __post_init__(self) -> None:
        self._wanted: dict[str, Window] = {}

    def asleep(self, view: View) -> dict[str, int] | None:
        """What to ask for where it is about zero; None: replicas run and stay."""
        load, now = total_load(view), view.now_seconds
        if self._used_seconds is None or self._used_seconds > now or load is None or load > 0:
            self._used_seconds = now
        if not any(view.asked.get(name, 0) for name in view.flavours):
            return self.setup.place(1 if load or not self.setup.may_be_zero else 0, view)
        if self.setup.may_be_zero and now - self._used_seconds > self.retention_seconds:
            self._wanted.clear()
            return self.setup.place(0, view)
        return None

    def carry_out(self, wanted: Mapping[str, int], view: View) -> dict[str, int]:
        now, held = view.now_seconds, {}
        for name in view.flavours:
            window = self._wanted.setdefault(name, Window(self.down_window_seconds))
            window.add(now, wanted.get(name, 0))
            most = int(window.highest(now) or wanted.get(name, 0))
            current = view.asked.get(name, 0)
            held[name] = max(wanted.get(name, 0), min(current, most))
        return self.bounded(held, view)

    def bounded(self, wanted: Mapping[str, int], view: View) -> dict[str, int]:
        """Within the bounds of flavours and deployment: the cheapest are added, the dearest taken away."""
        held = within(wanted, view)
        goal = self.setup.bounded(max(1, sum(held.values())))
        by_cost = sorted(view.flavours.values(), key=lambda flavour: (flavour.price_per_hour, flavour.name))
        for flavour in by_cost:
            held[flavour.name] += max(0, min(goal - sum(held.values()), flavour.maximum - held[flavour.name]))
        for flavour in reversed(by_cost):
            held[flavour.name] -= max(0, min(sum(held.values()) - goal, held[flavour.name] - flavour.minimum))
        return held
