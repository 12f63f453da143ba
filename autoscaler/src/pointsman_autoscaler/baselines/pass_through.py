"""The HPA or ScaledObject that carries out what llm-d's scaler wants of each flavour. Pure.

It follows the wanted number up at once, and down to the greatest of a window. Zero to one, and one to zero
after a retention without requests, is the scaler's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pointsman_autoscaler.baselines.readings import total_load
from pointsman_autoscaler.baselines.setup import Setup, bounded
from pointsman_autoscaler.baselines.windows import Window
from pointsman_autoscaler.view import Flavour, View


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
            current = view.asked.get(name, 0)
            window = self._wanted.get(name)
            if window is None:
                # What runs at the beginning counts as wanted.
                window = self._wanted[name] = Window(self.down_window_seconds)
                window.add(now, current)
            window.add(now, wanted.get(name, 0))
            most = int(window.highest(now) or wanted.get(name, 0))
            held[name] = max(wanted.get(name, 0), min(current, most))
        return self.bounded(held, view)

    def bounded(self, wanted: Mapping[str, int], view: View) -> dict[str, int]:
        """Within the bounds of flavours and deployment: the cheapest are added, the dearest taken away."""
        by_cost = sorted(view.flavours.values(), key=lambda flavour: (flavour.price_per_hour, flavour.name))
        return bounded({**wanted} if any(wanted.values()) else self._one(by_cost), view, self.setup, by_cost)

    @staticmethod
    def _one(by_cost: Sequence[Flavour]) -> dict[str, int]:
        """Awake, so one at least: only a retention without requests makes zero."""
        return {flavour.name: 1 for flavour in by_cost[:1]}
