"""Windows of five minutes against what was promised, and the trim that follows."""

import pytest

from pointsman.placement.demand import Bound
from pointsman_autoscaler.scaler.attaining import WINDOW_SECONDS, Attaining
from pointsman_autoscaler.scaler.engines import Engines
from pointsman_autoscaler.view import EngineSample, GatewaySample, Histogram, Pod

BOUNDS = (Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06))
EDGES = (0.05, 0.06, 0.8, float("inf"))


def histogram(fast: float, slow: float) -> Histogram:
    """So many within both bounds, and so many beyond."""
    return Histogram(EDGES, (fast, fast, fast, fast + slow), 0.0)


def pod(at: float, ttft: Histogram, itl: Histogram) -> Pod:
    return Pod("a", "h100", 0.0, 0.0, True, samples=(EngineSample(at, ttft=ttft, itl=itl),))


def windows(attaining: Attaining, count: int, slow_share: float, *, is_starting: bool = False) -> None:
    """Windows with a look each minute; engines tell both latencies."""
    engines = Engines()
    for minute in range(count * 5 + 1):
        answers = 100.0 * minute
        seen = histogram(answers * (1 - slow_share), answers * slow_share)
        intervals = engines.intervals([pod(60.0 * minute, seen, seen)])
        attaining.observe(60.0 * minute, (), intervals, is_starting)


@pytest.mark.parametrize(("slow", "missed"), [(0.04, 0), (0.06, 10)])
def test_windows_hold_where_the_quantile_does(slow: float, missed: int) -> None:
    attaining = Attaining(BOUNDS, 0.99)
    windows(attaining, 10, slow)
    assert (attaining.windows, attaining.missed) == (10, missed)
    assert (attaining.trim > 1.0) == bool(missed)


def test_one_miss_in_a_hundred_is_what_was_promised() -> None:
    attaining = Attaining(BOUNDS, 0.99)
    windows(attaining, 99, 0.0)
    low = attaining.trim
    attaining = Attaining(BOUNDS, 0.99)
    windows(attaining, 99, 0.0)
    windows(attaining, 1, 0.5)
    assert low < 1.0
    assert attaining.trim == pytest.approx(1.0, abs=0.002)


def test_a_bound_within_a_wide_bucket_is_no_evidence_of_room() -> None:
    attaining = Attaining((Bound("itl", 0.95, 0.075),), 0.99)
    wide = (0.05, 0.1, float("inf"))
    engines = Engines()
    for minute in range(51):
        answers = 100.0 * minute
        seen = Histogram(wide, (0.93 * answers, answers, answers), 0.0)
        attaining.observe(60.0 * minute, (), engines.intervals([pod(60.0 * minute, seen, seen)]), False)
    assert (attaining.windows, attaining.missed, attaining.trim) == (10, 0, 1.0)
    attaining.trim = 0.9
    answers = 5100.0
    seen = Histogram(wide, (0.93 * answers, answers, answers), 0.0)
    attaining.observe(60.0 * 55, (), engines.intervals([pod(60.0 * 55, seen, seen)]), False)
    assert attaining.trim == pytest.approx(0.95)


def test_trim_stays_within_a_fifth() -> None:
    attaining = Attaining(BOUNDS, 0.9)
    windows(attaining, 200, 0.5)
    assert attaining.trim == pytest.approx(1.2)
    windows(attaining, 100, 0.0)
    assert attaining.trim == pytest.approx(0.8)


def test_misses_until_replicas_are_ready_say_nothing_of_what_one_can_do() -> None:
    ready, starting = Attaining(BOUNDS, 0.99), Attaining(BOUNDS, 0.99)
    windows(ready, 3, 0.5)
    windows(starting, 3, 0.5, is_starting=True)
    assert ready.trim == pytest.approx(1.15)
    assert starting.trim == 1.0


def test_gateways_are_believed_before_engines_for_the_first_token() -> None:
    attaining = Attaining(BOUNDS[:1], 0.99)
    for minute in range(6):
        held = GatewaySample(60.0 * minute, ttft=histogram(100.0 * minute, 100.0 * minute))
        attaining.observe(60.0 * minute, (held,), (), False)
    assert (attaining.windows, attaining.missed) == (1, 1)


def test_an_engine_that_begins_anew_and_silence_are_no_misses() -> None:
    attaining = Attaining(BOUNDS, 0.99)
    engines = Engines()
    for minute in range(6):
        seen = histogram(500.0 - 100.0 * minute, 0.0)
        attaining.observe(60.0 * minute, (), engines.intervals([pod(60.0 * minute, seen, seen)]), False)
    attaining.observe(60.0 * 12, (), (), False)
    assert (attaining.windows, attaining.missed, attaining.trim) == (0, 0, 1.0)
    assert WINDOW_SECONDS == 300.0
