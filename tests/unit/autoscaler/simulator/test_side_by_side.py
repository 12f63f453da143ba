"""Simulations side by side: what is told of their progress counts all of the work."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator import side_by_side as side_by_side_module
from pointsman_autoscaler.simulator.contenders import OURS, Contender
from pointsman_autoscaler.simulator.oracle import abilities
from pointsman_autoscaler.simulator.scenario import Scenario, SimulatedFlavour
from pointsman_autoscaler.simulator.side_by_side import side_by_side
from pointsman_autoscaler.simulator.startup import fixed
from pointsman_autoscaler.simulator.steady import LEVELS
from pointsman_autoscaler.simulator.workloads import Lengths, from_rates, steady
from pointsman_autoscaler.view import Flavour

LAW = StepTime(fixed=0.02, per_token=2e-4, per_sequence=1e-4, per_cached_token=1e-7)
LENGTHS = Lengths(np.array([200, 800], np.int32), np.array([100, 300], np.int32))


def scenario(*flavours: str) -> Scenario:
    found = tuple(
        SimulatedFlavour(
            Flavour(name, price_per_hour=10.0, maximum=9, law=LAW, slots=1, cache_tokens=60_000),
            LAW,
            fixed(100.0),
        )
        for name in flavours
    )
    load = from_rates(steady(0.1, 600.0), LENGTHS, 1.0, np.random.default_rng(3))
    settings = ScalingSettings((Bound("ttft", 0.95, 1.0),), minimum=1, maximum=9)
    return Scenario("calm", load, found, settings)


def test_each_level_of_each_flavour_is_told() -> None:
    told: list[float] = []
    abilities(scenario("one", "two"), progress=told.append)
    assert told == pytest.approx([step / (2 * len(LEVELS)) for step in range(1, 2 * len(LEVELS) + 1)])


def test_the_least_that_a_load_costs_is_a_part_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side_module, "_LOOK_SECONDS", 0.001)
    told: list[float] = []
    results, least = side_by_side(scenario("one"), [Contender(OURS)], [0], told.append)
    assert least is not None
    assert len(results) == 1
    assert told == sorted(told)
    assert told[-1] == 1.0
    # Ten minutes are played at once, and the rest of the work is the least: a bar stands between.
    assert any(0 < share < 1 for share in told)
