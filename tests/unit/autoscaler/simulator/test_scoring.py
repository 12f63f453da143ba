"""How well, judged at the arrival; how calmly; how soon after a jump."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.job import Job
from pointsman_autoscaler.simulator.luck import generator
from pointsman_autoscaler.simulator.outcomes import Outcomes
from pointsman_autoscaler.simulator.recording import Asked
from pointsman_autoscaler.simulator.run import simulate
from pointsman_autoscaler.simulator.scenario import MONDAY, SimulatedFlavour
from pointsman_autoscaler.simulator.scoring import Score, judge, quantiles
from pointsman_autoscaler.simulator.startup import fixed
from tests.support.simulated import BOUNDS, Told, arrivals, flavour, scenario

_NO_GAPS = (0, (0,))


def _load(*at: float, span: float) -> Arrivals:
    return arrivals([(each, 10, 2) for each in at], span)


def _finished(load: Arrivals, waits: list[float], gaps: list[float] | None = None) -> Outcomes:
    outcomes = Outcomes(len(load))
    for index, wait in enumerate(waits):
        job = Job(index, float(load.at_seconds[index]), 10, 2)
        job.first = job.arrived + wait
        job.ended = job.first + (gaps[index] if gaps else 0.01)
        outcomes.finished(job)
    return outcomes


def _judge(
    load: Arrivals, outcomes: Outcomes, *steps: float, gaps: list[tuple[int, list[int]]] | None = None
) -> Score:
    minutes = math.ceil(load.span_seconds / 60)
    return judge(load, outcomes, gaps or [_NO_GAPS] * minutes, BOUNDS, steps)


def test_a_request_is_met_within_both_bounds_and_only_when_it_finished() -> None:
    load = _load(0.0, 1.0, 2.0, 3.0, span=60.0)
    outcomes = _finished(load, [0.79, 0.81, 0.1], [0.059, 0.01, 0.07])
    outcomes.refused(Job(3, 3.0, 10, 2))
    score = _judge(load, outcomes)
    assert score.met.tolist() == [True, False, False, False]
    assert score.met_share_by_minute.tolist() == [0.25]
    assert score.worst_window == 0.25


def test_a_request_counts_in_the_window_of_its_arrival() -> None:
    load = _load(299.0, 301.0, span=600.0)
    score = _judge(load, _finished(load, [100.0, 0.1]))
    assert score.held == {"ttft p95": 0.5, "itl p95": 1.0}
    assert (score.attained_windows, score.worst_window) == (0.5, 0.0)


def test_a_window_holds_while_no_more_than_its_share_is_late() -> None:
    at = [float(second) for second in range(20)]
    load = _load(*at, *(300 + second for second in at), span=900.0)
    score = _judge(load, _finished(load, [1.0] + [0.1] * 19 + [1.0, 1.0] + [0.1] * 18))
    # One of twenty may be late, two may not; the third window has no arrivals and is not counted.
    assert score.attained_windows == 0.5
    assert score.worst_window == pytest.approx(0.9)


def test_gaps_between_tokens_are_judged_where_they_occur() -> None:
    load = _load(0.0, 300.0, span=600.0)
    gaps = [(100, [5])] * 5 + [(100, [5])] * 4 + [(100, [6])]
    score = _judge(load, _finished(load, [0.1, 0.1]), gaps=gaps)
    assert score.held == {"ttft p95": 1.0, "itl p95": 0.5}
    assert score.attained_windows == 0.5


def test_recovery_lasts_until_five_good_minutes_begin() -> None:
    at = [30.0 + 60 * minute for minute in range(20)]
    load = _load(*at, span=1200.0)
    late = [0.1] * 4 + [5.0] * 6 + [0.1] * 10
    assert _judge(load, _finished(load, late)).recovery_seconds is None
    assert _judge(load, _finished(load, late), 240.0).recovery_seconds == 360.0
    assert _judge(load, _finished(load, late), 660.0).recovery_seconds == 0.0
    assert _judge(load, _finished(load, late), 660.0, 240.0).recovery_seconds == 360.0
    assert _judge(load, _finished(load, [5.0] * 20), 240.0).recovery_seconds == math.inf


def test_quantiles_are_numbers_that_occurred() -> None:
    values = np.array([*range(1, 100), math.inf])
    assert quantiles(values) == {0.5: 50.0, 0.9: 90.0, 0.95: 95.0, 0.99: 99.0}
    assert quantiles(np.array([])) == {}


@pytest.mark.parametrize(
    ("asked", "want_changes", "want_reversals"),
    [
        ([1, 1, 1], 0, 0),
        ([1, 2, 3, 3, 4], 3, 0),
        ([1, 2, 2, 1], 2, 1),
        ([1, 2, 1, 2, 1], 4, 3),
        ([2, 1, 1, 3], 2, 1),
    ],
)
def test_a_reversal_goes_against_the_change_before(
    asked: list[int], want_changes: int, want_reversals: int
) -> None:
    series = Asked()
    for before, after in pairwise(asked):
        series.changed(before, after)
    assert (series.changes, series.reversals) == (want_changes, want_reversals)


def test_a_result_tells_of_changes_and_of_time_without_load() -> None:
    told = Told(lambda now: {"h100": 1 + (now // 3600 % 2 == 1)}, MONDAY)
    result = simulate(scenario(arrivals([], 86_400.0)), told, 1)
    assert (result.scalings, result.reversals_per_day) == (23, 22.0)
    assert (result.attained_windows, result.met_share, result.requests) == (1.0, 1.0, 0)
    assert np.isnan(result.timeline.attained).all()


def test_gaps_of_a_simulation_count_in_their_own_minutes() -> None:
    # Long answers on a cache that takes long to read: slow in the first minutes, quick in the next window.
    slow = SimulatedFlavour(flavour().flavour, StepTime(0.01, 0.0, 0.0, 1e-5), fixed(60.0))
    load = arrivals([(1.0, 8000, 1000), *((310.0 + 20 * index, 10, 200) for index in range(8))], 600.0)
    result = simulate(scenario(load, slow), Told(lambda now: {}, MONDAY), 1)
    assert result.bounds_held == {"ttft p95": 1.0, "itl p95": 0.5}


def test_each_purpose_has_numbers_of_its_own() -> None:
    purposes = [("starts", "h100"), ("starts", "a100"), ("losses", "h100")]
    first = {float(generator(seed, *purpose).random()) for purpose in purposes for seed in (1, 2)}
    assert len(first) == 6
    assert generator(1, "starts", "h100").random() in first


def test_the_loosest_bound_of_a_metric_is_that_of_a_single_request() -> None:
    load = _load(0.0, span=60.0)
    bounds = (Bound("ttft", 0.5, 0.3), Bound("ttft", 0.99, 2.0))
    score = judge(load, _finished(load, [1.5]), [(0, ())], bounds, ())
    assert score.met.tolist() == [True]
    assert score.held == {"ttft p50": 0.0, "ttft p99": 1.0}
