"""What decisions cost, each with its explanation, for models with one flavour and with three."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.simulator.run import simulate
from pointsman_autoscaler.view import View
from tests.bench.measurement import Effort, Measurement
from tests.bench.scaling_scenarios import CASES

_DEPLOYMENTS = 1000
_LOADS = {"one_flavour": "m-large, smooth", "three_flavours": "three with spot"}


class _Explained(Scaler):
    """Counts the processor time of decisions and of what is said of them."""

    seconds = 0.0
    looks = 0

    def decide(self, view: View) -> Mapping[str, int]:
        began = time.process_time()
        replicas = super().decide(view)
        assert self.last is not None
        assert self.last.sentence
        assert self.last.detail
        self.seconds += time.process_time() - began
        self.looks += 1
        return replicas


async def measure(effort: Effort) -> list[Measurement]:
    """Seconds of processor time in which a thousand deployments are decided once."""
    by_name = {case.name: case for case in CASES}
    found = []
    for name, load in _LOADS.items():
        seconds = []
        for seed in range(1 if effort.quick else 3):
            scenario = by_name[load].make(seed, True)
            policy = _Explained(scenario.settings)
            simulate(scenario, policy, seed)
            seconds.append(policy.seconds / policy.looks * _DEPLOYMENTS)
        found.append(Measurement(f"thousand_of_{name}", "s", tuple(seconds)))
    return found
