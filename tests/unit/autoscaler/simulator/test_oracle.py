"""The one who knows the future: replicas are there when they are needed, and nobody beats the bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator.losses import outages
from pointsman_autoscaler.simulator.oracle import Clairvoyant, Foresight, foresee, least_dollars
from pointsman_autoscaler.simulator.run import simulate
from pointsman_autoscaler.simulator.scenario import Scenario, SimulatedFlavour, Spot
from pointsman_autoscaler.simulator.startup import fixed
from pointsman_autoscaler.simulator.steady import LEVELS, Carried, carried
from pointsman_autoscaler.simulator.workloads import Lengths, from_rates, multiplied, steady
from pointsman_autoscaler.view import Flavour, View

LAW = StepTime(fixed=0.02, per_token=2e-4, per_sequence=1e-4, per_cached_token=1e-7)
FLAVOUR = SimulatedFlavour(
    Flavour("gpu", price_per_hour=10.0, maximum=20, law=LAW, slots=32, cache_tokens=60_000), LAW, fixed(100.0)
)
BOUNDS = (Bound("ttft", 0.95, 1.0), Bound("itl", 0.95, 0.1))
SETTINGS = ScalingSettings(BOUNDS, minimum=1, maximum=20)
LENGTHS = Lengths(np.array([200, 800], np.int32), np.array([20, 60], np.int32))


def scenario() -> Scenario:
    load = multiplied(steady(3.0, 2 * 3600.0), 4.0, 3600.0, 5400.0)
    arrivals = from_rates(load, LENGTHS, 1.0, np.random.default_rng(3))
    return Scenario("step", arrivals, (FLAVOUR,), SETTINGS, steps_seconds=(3600.0,))


def test_many_replicas_carry_at_least_as_much_each_as_one_and_a_tighter_bound_costs_load() -> None:
    loose = carried(FLAVOUR, LENGTHS, SETTINGS)
    tight = carried(FLAVOUR, LENGTHS, ScalingSettings((Bound("ttft", 0.95, 0.25),)))
    assert loose.by(4) / 4 >= loose.by(1) * 0.97
    assert 0 < tight.by(1) < loose.by(1)
    assert loose.by(16) == pytest.approx(2 * loose.by(8))


@pytest.mark.parametrize("rate", [0.0, 0.1, 1.0, 2.0, 2.1, 9.0, 100.0])
def test_the_fewest_replicas_that_carry_a_rate(rate: float) -> None:
    one = Carried(tuple(1.0 * level**1.1 for level in LEVELS))
    count = one.replicas_for(rate)
    assert one.by(count) >= rate
    assert count == 0 or one.by(count - 1) < rate


def test_replicas_are_ready_before_the_load_comes_and_go_with_it() -> None:
    there = scenario()
    foresight = Foresight(
        np.array([1.0] * 4 + [5.0] * 2 + [1.0] * 4), {"gpu": [Carried((1.0, 2.0, 4.0))] * 10}
    )
    policy = Clairvoyant(there, foresight)

    def at(seconds: float) -> int:
        view = View(there.begins_seconds + seconds, {"gpu": FLAVOUR.flavour}, (), (), {})
        return policy.decide(view)["gpu"]

    assert [at(seconds) for seconds in (0, 960, 1100, 1700, 1799, 1800)] == [1, 1, 5, 5, 5, 1]


ABLE = {name: [Carried((3.0, 6.4, 13.8))] for name in ("gpu", "spot")}


def spot_scenario() -> Scenario:
    """Two hours of an even load; for some twenty minutes of them there is no spot."""
    cheap = replace(
        FLAVOUR,
        flavour=replace(FLAVOUR.flavour, name="spot", price_per_hour=2.0, is_spot=True),
        spot=Spot(losses_per_hour=1.0, notice_seconds=30.0, unavailable_seconds=1200.0),
    )
    arrivals = from_rates(steady(6.0, 2 * 3600.0), LENGTHS, 1.0, np.random.default_rng(3))
    return Scenario("spot", arrivals, (FLAVOUR, cheap), SETTINGS, initial={"gpu": 3})


def test_who_foresees_losses_of_spot_has_others_ready_in_time_and_pays_little_for_that() -> None:
    there, seed = spot_scenario(), 4
    (begins, ends), *_ = outages(there, seed)["spot"]
    foresight = foresee(there, measured=ABLE, seed=seed)
    policy = Clairvoyant(there, foresight, headroom=0.2)

    def at(seconds: float) -> dict[str, int]:
        flavours = {each.flavour.name: each.flavour for each in there.flavours}
        return dict(policy.decide(View(there.begins_seconds + seconds, flavours, (), (), {})))

    assert at(begins - 600.0)["gpu"] == 0 < at(begins - 120.0)["gpu"]
    assert at(ends + 60.0)["gpu"] > 0 == at(ends + 600.0)["gpu"]
    found = simulate(there, policy, seed)
    assert found.attained_windows == 1.0
    # Three on demand for two hours are 60 dollars.
    assert least_dollars(there, foresight) <= found.dollars < 36.0


def test_nobody_has_spot_while_there_is_none_not_even_for_the_bound() -> None:
    there, seed = spot_scenario(), 4
    never_lost = least_dollars(there, foresee(there, measured=ABLE))
    (begins, ends), *_ = outages(there, seed)["spot"]
    windows = (ends - begins) // 300.0 - 1
    assert windows >= 1
    more = least_dollars(there, foresee(there, measured=ABLE, seed=seed)) - never_lost
    assert more >= windows * 300 / 3600 * (10.0 - 2.0)


def test_nobody_pays_less_than_the_bound_and_the_clairvoyant_little_more() -> None:
    there = scenario()
    foresight = foresee(there)
    least = least_dollars(there, foresight)
    found = simulate(there, Clairvoyant(there, foresight, headroom=0.2), 1)
    assert least <= found.dollars <= 1.8 * least
    assert found.attained_windows > 0.9
    assert found.recovery_seconds is not None
    assert found.recovery_seconds <= 300.0
