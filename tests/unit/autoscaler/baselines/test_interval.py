"""Counters that restart, windows that forget, and what an interval saw."""

import math
from collections.abc import Sequence

import pytest

from pointsman_autoscaler.baselines.counters import increase
from pointsman_autoscaler.baselines.interval import interval
from pointsman_autoscaler.baselines.readings import gateway_latest, gateway_mean, latest, total_load
from pointsman_autoscaler.baselines.windows import Window
from pointsman_autoscaler.view import EngineSample, GatewaySample, Histogram
from tests.support.baseline_views import NOW, gateway, pod, pods, sample, view, with_gaps

COUNTERS: dict[str, tuple[Sequence[tuple[float, float | None]], float | None]] = {
    "it rose": (((-60, 10), (0, 40)), 30),
    "from the last value before the window": (((-90, 4), (-70, 10), (-30, 20), (0, 40)), 30),
    "it began anew": (((-60, 100), (-30, 120), (-15, 5), (0, 15)), 35),
    "a gap and what is not a number are left out": (((-60, 10), (-45, None), (-30, math.nan), (0, 40)), 30),
    "one value says nothing": (((0, 40),), None),
    "the newest is older than the window": (((-300, 10), (-200, 20)), None),
    "nothing was seen": ((), None),
    "a value from the future is left out": (((-60, 10), (0, 40), (30, 90)), 30),
}


@pytest.mark.parametrize(("values", "want"), COUNTERS.values(), ids=COUNTERS.keys())
def test_increase_over_a_minute(values: Sequence[tuple[float, float | None]], want: float | None) -> None:
    samples = [GatewaySample(NOW + at, requests_total=value) for at, value in values]
    assert increase(samples, lambda one: one.requests_total, NOW - 60, NOW) == want


def test_a_window_forgets_at_its_end_and_when_the_clock_jumps_back() -> None:
    window = Window(10)
    window.add(0, 5)
    window.add(5, 3)
    assert (window.highest(9.9), window.lowest(9.9), window.mean(9.9), window.total(9.9)) == (5, 3, 4, 8)
    assert window.highest(10) == 3
    assert window.highest(4) is None
    assert window.mean(4) is None


def test_an_interval_of_two_replicas_and_a_gateway() -> None:
    def histogram(count: float, seconds: float) -> Histogram:
        return Histogram((math.inf,), (count,), seconds)

    def seen(at: float, running: float, gaps: float, mean: float, *totals: float) -> EngineSample:
        names = ("requests_total", "prompt_tokens_total", "output_tokens_total")
        return with_gaps(sample(at, running, **dict(zip(names, totals, strict=True))), gaps, mean)

    first = pod("a", seen(NOW - 180, 4, 0, 0, 0, 0, 0), seen(NOW, 8, 100, 0.02, 10, 1000, 300))
    second = pod("b", seen(NOW - 180, 2, 0, 0, 5, 50, 10), seen(NOW, 2, 300, 1 / 30, 35, 6050, 910))
    doors = [
        GatewaySample(NOW - 180, requests_total=100, ttft=histogram(0, 0)),
        GatewaySample(NOW, requests_total=160, ttft=histogram(50, 25)),
    ]
    past = interval(view(pods=[first, second], gateway=doors), 180)
    assert past.requests == 60
    assert (past.input_tokens, past.output_tokens) == (7000 / 40, 1200 / 40)
    assert past.ttft_seconds == 0.5
    assert past.itl_seconds == pytest.approx(12 / 400)
    assert past.running == pytest.approx((8 + 2) / 2), "of the window alone"


def test_an_interval_in_which_nothing_was_seen() -> None:
    past = interval(view(pods=pods(2, None)), 180)
    assert (past.requests, past.input_tokens, past.output_tokens) == (None, None, None)
    assert (past.ttft_seconds, past.itl_seconds, past.running) == (None, None, None)


def test_an_interval_in_which_nothing_happened() -> None:
    idle = pod("a", *(sample(NOW + at, 0, requests_total=7, prompt_tokens_total=9) for at in (-100, 0)))
    past = interval(view(pods=[idle]), 180)
    assert (past.requests, past.input_tokens, past.output_tokens, past.running) == (0, None, None, 0)


def test_stale_and_missing_are_not_zero() -> None:
    assert latest(pod("a", sample(NOW - 61, 5)), "requests", NOW) is None
    assert latest(pod("a", sample(NOW - 59, 5, 2.0)), "requests", NOW) == 7
    assert latest(pod("a", sample(NOW - 15, 5), sample(NOW)), "requests", NOW) == 5
    assert gateway_latest(view(gateway=gateway(NOW - 61, 5))) is None
    assert gateway_mean(view(gateway=gateway(NOW - 30, 5)), 6) == 5
    assert total_load(view(pods=pods(2, None))) is None
    assert total_load(view(pods=pods(2, 3))) == 6
    assert total_load(view(pods=pods(2, 3), gateway=gateway(in_flight=4, held=9))) == 9
