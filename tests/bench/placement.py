"""Placement: how long one model takes among 20 accelerators, and how good the choice and the law are.

The time is that of the processor, as the clock on a shared machine says more of its neighbours. Every model
is another one, so that nothing is remembered from the one before.
"""

from __future__ import annotations

import time

from pointsman.api import EngineName, FleetSettings, ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, InventoryEntry, Placement, place
from pointsman.placement.placing import _chosen
from tests.bench.measurement import Effort, Measurement
from tests.support.brute_force import Comparison, compare, table
from tests.support.builders import deployment, fleet
from tests.support.placements import objectives
from tests.support.profiles import Row, mean_error, rows

_MODELS = 200
_AGAIN = 1_000
ACCELERATORS = 20


async def measure(effort: Effort) -> list[Measurement]:
    """Milliseconds of processor time, and shares."""
    models = 20 if effort.quick else _MODELS
    some = [row for row in rows() if row.scenario.engine == EngineName.VLLM and not row.is_doubtful]
    held_out = [row for row in some if row.held_out]
    compared = list(compare(held_out))
    print(table(compared))
    return [
        Measurement("one_model", "ms", tuple(_cold(models))),
        Measurement("thousand_alike", "ms", (_thousand_alike(),)),
        Measurement("within_5_percent", "share", (_share_within(compared, 1.05),)),
        Measurement("cost_ratio", "ratio", tuple(each.ratio for each in compared), judged="max"),
        Measurement("dense_error", "share", (_error(held_out, mixture=False),)),
        Measurement("mixture_error", "share", (_error(held_out, mixture=True),)),
    ]


def _cold(count: int) -> list[float]:
    settings, inventory = _world()
    taken = []
    for index in range(count):
        model = _model(index)
        _chosen.cache_clear()
        started = time.process_time()
        assert isinstance(place(model, settings, shipped_catalog(), inventory), Placement)
        taken.append((time.process_time() - started) * 1e3)
    return taken


def _thousand_alike() -> float:
    settings, inventory = _world()
    models = [_model(0) for _ in range(_AGAIN)]
    started = time.process_time()
    for model in models:
        place(model, settings, shipped_catalog(), inventory)
    return (time.process_time() - started) * 1e3


def _world() -> tuple[FleetSettings, Inventory]:
    names = sorted(shipped_catalog().accelerators)[:ACCELERATORS]
    entries = {name: InventoryEntry(64, 32, None, 8) for name in names}
    return fleet(accelerators=[{"name": name} for name in names]), Inventory(entries)


def _model(index: int) -> ModelDeployment:
    facts = {"parameters": f"{8 + index % 60}.{index}B", "layers": 48, "kvHeads": 8, "headDim": 128}
    model = {"facts": facts, "contextLength": 16384}
    spec = {"model": model, "scaling": objectives("800ms", "60ms")}
    return deployment(f"m-{index}", source=f"hf://me/mine-{index}", spec=spec)


def _share_within(compared: list[Comparison], ratio: float) -> float:
    return sum(each.ratio <= ratio for each in compared) / len(compared)


def _error(some: list[Row], *, mixture: bool) -> float:
    return mean_error(row for row in some if row.scenario.is_mixture == mixture)
