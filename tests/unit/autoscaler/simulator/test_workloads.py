"""Load to simulate has the rates, bursts and sizes of what was recorded."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman_autoscaler.simulator.traces import RateTrace, RequestTrace
from pointsman_autoscaler.simulator.workloads import (
    Lengths,
    coding,
    conversation,
    finer,
    from_rates,
    from_requests,
    mix_shift,
    multiplied,
    nights_off,
    steady,
    thinned_variation,
    window,
)

HOUR = 3600.0
SMALL = Lengths(np.array([10, 20], np.int32), np.array([1, 2], np.int32))


def random() -> np.random.Generator:
    return np.random.default_rng(7)


def variation(at_seconds: np.ndarray) -> float:
    gaps = np.diff(at_seconds)
    return float(gaps.std() / gaps.mean())


@pytest.mark.parametrize("cv", [0.3, 1.0, 2.0])
def test_arrivals_have_the_rate_and_the_variation_of_the_trace(cv: float) -> None:
    arrivals = from_rates(steady(20.0, 2 * HOUR, cv), conversation(), 1.0, random())
    assert arrivals.requests_per_second == pytest.approx(20.0, rel=0.03)
    assert variation(arrivals.at_seconds) == pytest.approx(cv, rel=0.06)
    assert arrivals.description == "as recorded"


def test_thinning_makes_fewer_requests_of_the_same_clock_and_calmer_gaps() -> None:
    whole = from_rates(steady(100.0, HOUR, 3.0), SMALL, 1.0, random())
    few = from_rates(steady(100.0, HOUR, 3.0), SMALL, 0.1, random())
    kept = whole.at_seconds[random().random(len(whole)) < 0.1]
    assert few.span_seconds == whole.span_seconds == HOUR
    assert few.requests_per_second == pytest.approx(10.0, rel=0.1)
    assert variation(few.at_seconds) == pytest.approx(thinned_variation(3.0, 0.1), rel=0.1)
    assert variation(kept) == pytest.approx(thinned_variation(3.0, 0.1), rel=0.1), "as dropping requests does"
    assert few.description == "thinned to 1 of 10"


def test_a_gap_and_an_hour_without_load_have_no_arrivals() -> None:
    trace = RateTrace(600.0, np.array([5.0, np.nan, 0.0, 5.0]), np.ones(4))
    at = from_rates(trace, SMALL, 1.0, random()).at_seconds
    assert len(at[(at >= 600) & (at < 1800)]) == 0
    assert len(at[at < 600]) == pytest.approx(3000, rel=0.1)
    assert len(from_rates(steady(0.0, HOUR), SMALL, 1.0, random())) == 0


def test_recorded_requests_are_kept_by_chance_or_laid_over_each_other() -> None:
    trace = RequestTrace(
        np.sort(random().random(5000) * HOUR), np.full(5000, 7, np.int32), np.arange(5000, dtype=np.int32) + 1
    )
    exact = from_requests(trace, 1.0, random())
    np.testing.assert_array_equal(exact.at_seconds, trace.at_seconds)
    np.testing.assert_array_equal(exact.output_tokens, trace.output_tokens)
    half, more = from_requests(trace, 0.5, random()), from_requests(trace, 2.5, random())
    assert len(half) == pytest.approx(2500, rel=0.1)
    assert len(more) == pytest.approx(12_500, rel=0.1)
    assert more.span_seconds == trace.span_seconds
    assert len(set(more.at_seconds.tolist())) == len(more), "copies begin at other moments"
    assert more.description == "2.5 copies superposed"


def test_a_crowd_comes_and_goes_and_nights_are_empty() -> None:
    day = finer(RateTrace(HOUR, np.full(24, 2.0), np.ones(24)), 600.0)
    crowd = multiplied(day, 10.0, 6 * HOUR, 6 * HOUR + 1200)
    assert crowd.requests_per_second[35:39].tolist() == [2.0, 20.0, 20.0, 2.0]
    night = nights_off(day, 22.0, 6.0)
    assert (
        night.requests_per_second.reshape(24, 6).sum(axis=1).tolist() == [0.0] * 6 + [12.0] * 16 + [0.0] * 2
    )
    assert nights_off(day, 1.0, 2.0).requests_per_second.sum() == 2.0 * 6 * 23
    assert window(day, 6 * HOUR, 3 * HOUR).span_seconds == 3 * HOUR


def test_at_noon_the_requests_become_others() -> None:
    before = from_rates(steady(1.0, 48 * HOUR), conversation(), 1.0, random())
    shifted = mix_shift(before, coding(), 12.0, random())
    morning = before.at_seconds % (24 * HOUR) < 12 * HOUR
    np.testing.assert_array_equal(shifted.input_tokens[morning], before.input_tokens[morning])
    assert before.output_tokens[~morning].mean() > 180
    assert shifted.output_tokens[~morning].mean() < 50
    np.testing.assert_array_equal(shifted.at_seconds, before.at_seconds)


def test_the_shipped_lengths_are_those_of_azures_hour_and_fit_into_a_context() -> None:
    assert conversation().input_tokens.mean() == pytest.approx(1155, rel=0.05)
    assert conversation().output_tokens.mean() == pytest.approx(211, rel=0.05)
    assert coding().input_tokens.mean() == pytest.approx(2048, rel=0.05)
    assert coding().output_tokens.mean() == pytest.approx(28, rel=0.1)
    small = conversation().within(2048)
    assert (small.input_tokens + small.output_tokens).max() <= 2048
    assert small.input_tokens.min() >= 1
    assert small.output_tokens.min() >= 1


def test_the_same_seed_gives_the_same_load() -> None:
    first, second = (from_rates(steady(3.0, HOUR), conversation(), 1.0, random()) for _ in range(2))
    np.testing.assert_array_equal(first.at_seconds, second.at_seconds)
    np.testing.assert_array_equal(first.input_tokens, second.input_tokens)
