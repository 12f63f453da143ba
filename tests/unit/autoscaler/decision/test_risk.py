"""How careful a decision is: by what was attained, by what is promised, and at which scale."""

import re

import pytest

from pointsman_autoscaler.decision import Tuning, decide
from pointsman_autoscaler.settings import ScalingSettings
from tests.support.observations import BOUNDS, load, observation, pool, settings


def test_more_was_attained_than_promised_so_fewer_do() -> None:
    seen = observation(pool(asked=4), load=load(10.0), trim=0.8)
    assert decide(seen).replicas == {"h100": 3}


def test_less_was_attained_than_promised_so_more_are_needed() -> None:
    seen = observation(pool(asked=4), load=load(10.0), trim=1.2)
    assert decide(seen).replicas == {"h100": 4}
    assert decide(observation(pool(asked=4), load=load(11.0), trim=1.2)).replicas == {"h100": 5}


def test_a_lower_risk_needs_more() -> None:
    pools, uncertain = pool(asked=4), load(10.0, deviation=1.0)
    careless = decide(observation(pools, load=uncertain, settings=settings(attainment=0.5)))
    careful = decide(observation(pools, load=uncertain, tuning=Tuning(attainment=0.999)))
    assert (careless.total, careful.total) == (4, 5)
    assert careless.attainment < 0.99 < careful.attainment


def test_twice_as_many_moments_may_be_above_the_plan_as_windows_may_miss() -> None:
    """Small replicas, so that nothing is rounded: 2.05 deviations are exceeded in 2 of 100 moments."""
    decision = decide(
        observation(pool(rate=0.01), load=load(10.0, deviation=1.0), settings=settings(1, 9999))
    )
    assert decision.need == pytest.approx(12.05, abs=0.02)


def test_headroom_shrinks_with_scale() -> None:
    """Ten times the load with as much noise for each: the same certainty costs a smaller share."""
    small = decide(observation(pool(rate=1.0), load=load(10.0, deviation=2.0)))
    large = decide(
        observation(pool(rate=1.0), load=load(100.0, deviation=2.0 * 10**0.5), settings=settings(1, 999))
    )
    assert large.total < 8.5 * small.total


def test_bounds_of_settings_are_in_the_sentence_where_they_cannot_be_reached() -> None:
    seen = observation(pool(reachable=False), load=load(10.0), settings=ScalingSettings(BOUNDS))
    assert "ttft p95 800 ms, itl p95 60 ms" in decide(seen).sentence


def test_a_load_that_has_faded_is_none() -> None:
    decision = decide(observation(pool(), load=load(1e-53, idle=9999.0), settings=settings(idle=600.0)))
    assert decision.attainment > 0.99
    assert "0 requests/s × 1.00 headroom" in decision.detail


def test_numbers_are_without_exponents_at_any_scale() -> None:
    huge = settings(1, 99_999)
    for requests_per_second in (1e-9, 0.02, 3.0, 12_345.0, 2e6):
        plenty = pool(rate=2.5, maximum=99_999)
        decision = decide(observation(plenty, load=load(requests_per_second), settings=huge))
        assert not re.search(r"\de[-+]\d", decision.detail), decision.detail
