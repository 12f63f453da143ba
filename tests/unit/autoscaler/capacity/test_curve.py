"""Latency by concurrency, where an engine says nothing of its steps."""

from __future__ import annotations

import math

import pytest

from pointsman.placement.demand import Bound
from pointsman_autoscaler.capacity import Learner, Workload
from pointsman_autoscaler.capacity.curve import Curve, CurveFit
from pointsman_autoscaler.capacity.windows import Window
from pointsman_autoscaler.view import EngineSample, Flavour, Histogram, Pod

BOUNDS = (Bound("ttft", 0.95, 2.0), Bound("itl", 0.95, 0.12))


def _window(running: float, token_seconds: float, first_seconds: float | None = None) -> Window:
    """A minute with so many running, as llama.cpp tells it: totals and no histogram of tokens."""
    tokens = running / token_seconds * 60
    ttft = None if first_seconds is None else Histogram((math.inf,), (40.0,), 40 * first_seconds)
    return Window("p", 60.0, 60.0, running, 0.0, None, 4000.0, tokens, tokens / 100, None, ttft)


# What was seen -> (running requests -> seconds a token).
SEEN: dict[str, tuple[list[Window], dict[float, float]]] = {
    "nothing: what is usual": ([], {1: 9.0, 4: 9.0}),
    "one number: flat below, slower with the root above": ([_window(2, 0.05)], {1: 0.05, 2: 0.05, 8: 0.1}),
    "rising: even in between": ([_window(1, 0.04), _window(4, 0.10)], {1: 0.04, 2.5: 0.07, 4: 0.10}),
    "falling is noise: the mean of both": (
        [_window(1, 0.06), _window(4, 0.04)],
        {1: 0.05, 4: 0.05 * math.sqrt(1.6)},
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_the_curve_never_falls(name: str) -> None:
    windows, want = SEEN[name]
    fit = CurveFit()
    fit.learn(windows)
    for running, seconds in want.items():
        assert fit.token.at(running, unknown=9.0) == pytest.approx(seconds)


def test_an_empty_curve_says_what_is_taken_as_unknown() -> None:
    assert Curve((), ()).at(3.0, unknown=0.5) == 0.5


def test_the_last_that_was_seen_counts_more() -> None:
    fit = CurveFit()
    fit.learn([_window(2, 0.05)] * 200)
    fit.learn([_window(2, 0.15)] * 200)
    assert fit.token.at(2, 9.0) == pytest.approx(0.15, rel=0.05)


def _pod(running: float, token_seconds: float) -> Pod:
    rate = running / token_seconds
    samples = [
        EngineSample(
            at_seconds=100.0 + 15 * index,
            running=running,
            waiting=0.0,
            output_tokens_total=rate * 15 * index,
            prompt_tokens_total=rate * 15 * index,
            requests_total=rate * 15 * index / 100,
        )
        for index in range(21)
    ]
    return Pod(f"p-{running}", "cpu", 0.0, ready_seconds=0.0, is_ready=True, samples=samples)


def _learner(slots: int, *pods: Pod) -> Learner:
    learner = Learner(Flavour("cpu", 0.2, law=None, slots=slots), BOUNDS)
    learner.observe(pods, 500.0)
    return learner


def test_no_more_run_than_there_are_slots() -> None:
    workload = Workload(1.0, 100, 100)
    capacity = [_learner(slots, _pod(1.0, 0.02)).capacity(workload) for slots in (1, 2, 8)]
    rates = [each.requests_per_second for each in capacity]
    assert 0 < rates[0] < rates[1] < rates[2]
    for slots, each in zip((1, 2, 8), capacity, strict=True):
        # An answer takes a quarter of a second and a hundred tokens.
        assert each.saturation_per_second < slots / (100 * 0.02)


def test_slow_tokens_bind() -> None:
    learner = _learner(8, _pod(1.0, 0.05), _pod(2.0, 0.07), _pod(4.0, 0.11), _pod(6.0, 0.16))
    capacity = learner.capacity(Workload(1.0, 100, 100))
    assert capacity.binding == "itl p95"
    assert capacity.requests_per_second < 4 / (100 * 0.11)
    assert dict(capacity.predicted)[BOUNDS[1]] == pytest.approx(0.12, rel=0.01)


def test_nothing_measured_is_no_confidence() -> None:
    workload = Workload(1.0, 100, 100)
    assert _learner(4).confidence(workload) == 0.0
    assert 0.3 < _learner(4, _pod(2.0, 0.05)).confidence(workload) < 1.0


def test_requests_without_tokens_are_measured_as_a_whole() -> None:
    # Triton: 8 run, 40 are done in a second, each takes 0.2 s.
    samples = [
        EngineSample(at_seconds=100.0 + 30 * index, running=8.0, requests_total=1200.0 * index)
        for index in range(9)
    ]
    pod = Pod("p", "cpu", 0.0, ready_seconds=0.0, is_ready=True, samples=samples)
    capacity = _learner(8, pod).capacity(Workload(30.0, 100, 0))
    assert capacity.saturation_per_second == pytest.approx(40, rel=0.03)
