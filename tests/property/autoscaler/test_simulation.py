"""Whatever goes wrong: each request ends once, the bill is that of the replicas, the seed decides all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator.run import simulate
from pointsman_autoscaler.simulator.scenario import MONDAY, Blackout, Change, Scenario, Spot, Stuck
from tests.support.simulated import BOUNDS, ROUGH, Told, flavour, random_arrivals, scenario

_SPAN = 1200.0
_IDLE = ScalingSettings(BOUNDS, minimum=0, idle_after_seconds=60.0)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Scenario, Mapping[int, Mapping[str, int]], int]:
    """Two flavours, one of them spot, that go up and down by chance while much goes wrong."""
    load = random_arrivals(draw(st.floats(0.0, 4.0)), _SPAN, draw(st.integers(0, 99)))
    spot = Spot(draw(st.floats(0.0, 12.0)), draw(st.floats(0.0, 1.0)), 20.0, 100.0)
    controls = replace(
        ROUGH,
        blackouts=(Blackout(300.0, 500.0, draw(st.floats(0.0, 1.0))),),
        stuck=(Stuck("h100", 100.0, draw(st.floats(100.0, 600.0))),),
        changes=(Change("h100", 700.0, price_per_hour=9.0, maximum=draw(st.integers(0, 3))),),
    )
    flavours = (
        flavour(startup_seconds=20.0, slots=draw(st.integers(1, 32)), cache_tokens=12_000, maximum=4),
        flavour("spot", price=1.0, startup_seconds=40.0, cache_tokens=9_000, maximum=4, spot=spot),
    )
    scene = scenario(load, *flavours, controls=controls, settings=_IDLE, initial={"h100": 1})
    levels = st.fixed_dictionaries({"h100": st.integers(0, 5), "spot": st.integers(0, 5)})
    plan = draw(st.dictionaries(st.integers(0, 79), levels, max_size=12))
    return scene, plan, draw(st.integers(0, 9))


def _told(plan: Mapping[int, Mapping[str, int]]) -> Told:
    return Told(lambda now: plan.get(int(now // 15), {}), MONDAY)


@settings(max_examples=30, deadline=None)
@given(scenes())
def test_each_request_ends_once_and_each_replica_is_paid_for(
    scene: tuple[Scenario, Mapping[int, Mapping[str, int]], int],
) -> None:
    played, plan, seed = scene
    result = simulate(played, _told(plan), seed)
    assert result.requests == len(played.arrivals)
    assert result.requests == result.finished + result.abandoned + result.refused + result.lost
    assert 0 <= result.met_requests <= result.finished
    assert result.dollars == pytest.approx(float(result.timeline.dollars.sum()))
    assert result.dollars <= 4 * _SPAN / 3600 * (9.0 + 1.0) + 1e-9
    for name in ("h100", "spot"):
        billed, ready = result.timeline.billed[name], result.timeline.ready[name]
        assert np.all(ready <= billed)
        assert billed.max() <= 4
    assert 0.0 <= result.worst_window <= 1.0
    assert result.attained_windows <= min(result.bounds_held.values())
    again = simulate(played, _told(plan), seed)
    assert again == result


def test_the_seed_matters_and_is_all_that_does() -> None:
    played = scenario(random_arrivals(3.0, _SPAN), controls=ROUGH)
    plan = {10: {"h100": 3}, 60: {"h100": 1}}
    results = [simulate(played, _told(plan), seed) for seed in (1, 1, 2)]
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_two_policies_meet_the_same_accidents() -> None:
    spot = Spot(6.0, 1.0, 30.0, 60.0)
    played = scenario(
        random_arrivals(1.0, 7200.0),
        flavour(),
        flavour("spot", spot=spot),
        controls=ROUGH,
        initial={"spot": 2},
    )
    first, second = Told(lambda now: {"spot": 2}, MONDAY), Told(lambda now: {"spot": 4, "h100": 1}, MONDAY)
    for told in (first, second):
        simulate(played, told, 5)

    def losses(told: Told) -> list[float]:
        """When all that there was began to go."""
        return [
            view.now_seconds
            for view, before in zip(told.views[1:], told.views, strict=False)
            if any(pod.is_draining for pod in view.pods) and not any(pod.is_draining for pod in before.pods)
        ]

    assert losses(first)
    assert set(losses(first)) <= set(losses(second))
