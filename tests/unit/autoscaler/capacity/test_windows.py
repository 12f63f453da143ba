"""Which samples become windows, and what windows say."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pointsman_autoscaler.capacity.windows import WARM_UP_SECONDS, PodWindows, Window, gained
from pointsman_autoscaler.view import EngineSample, Histogram, Pod

READY = 1000.0
BEGIN = READY + WARM_UP_SECONDS


def _sample(after: float, **changes: Any) -> EngineSample:
    """Two requests a second with 100 tokens in and 50 out, 20 ms each; `after` the warm-up."""
    at = BEGIN + after
    requests, tokens = 2 * at, 100 * at
    usual = EngineSample(
        at_seconds=at,
        running=2.0,
        waiting=0.0,
        cache_usage=0.1,
        prompt_tokens_total=200 * at,
        output_tokens_total=tokens,
        requests_total=requests,
        ttft=Histogram((0.1, math.inf), (requests, requests), 0.05 * requests),
        itl=Histogram((0.05, math.inf), (tokens, tokens), 0.02 * tokens),
    )
    return replace(usual, **changes)


def _pod(samples: list[EngineSample], **changes: Any) -> Pod:
    usual = Pod("p", "f", 900.0, ready_seconds=READY, is_ready=True, samples=samples)
    return replace(usual, **changes)


def _windows(samples: list[EngineSample], now: float = BEGIN + 1000, **changes: Any) -> list[Window]:
    return PodWindows("p").take(_pod(samples, **changes), now)


def _every(seconds: float, until: float, begin: float = 0.0) -> list[EngineSample]:
    return [_sample(begin + seconds * index) for index in range(int((until - begin) / seconds) + 1)]


def test_a_window_says_what_was_gained_and_what_was_on_the_mean() -> None:
    (window,) = _windows(_every(15, 60))
    assert (window.seconds, window.requests, window.output_tokens) == (60, 120, 6000)
    assert window.running == 2.0
    assert window.cache_usage == pytest.approx(0.1)
    assert window.itl_seconds == pytest.approx(0.02)
    assert window.arrived == 120


FELL = {"output_tokens_total": 5.0}
NO_TOTALS = {"prompt_tokens_total": None, "output_tokens_total": None, "requests_total": None}

# What is odd -> the samples, and how many windows they make.
CASES: dict[str, tuple[list[EngineSample], int]] = {
    "nothing was scraped": ([], 0),
    "a single sample is a beginning": (_every(15, 0), 0),
    "less than a minute": (_every(15, 45), 0),
    "four minutes": (_every(15, 240), 4),
    "a scrape a minute is enough": (_every(60, 120), 2),
    "all of it lies in the warm-up": (_every(15, -15, begin=-80), 0),
    "the warm-up ends in between": (_every(15, 60, begin=-60), 1),
    "an engine that began anew loses the window": ([_sample(0), _sample(30, **FELL), _sample(61)], 0),
    "after it a window begins": ([_sample(0), _sample(30, **FELL), _sample(61), _sample(95)], 1),
    "samples too far apart are not one load": ([_sample(0), _sample(200)], 0),
    "one that is missing does not matter": ([_sample(0), _sample(15), _sample(75)], 1),
    "a sample from the future is left out": ([_sample(0), _sample(60), _sample(5000)], 1),
    "the same sample twice": ([_sample(0), _sample(0), _sample(60), _sample(60)], 1),
}


@pytest.mark.parametrize("name", CASES)
def test_samples_become_windows(name: str) -> None:
    samples, want = CASES[name]
    assert len(_windows(samples)) == want


@pytest.mark.parametrize(
    "changes", [{"is_ready": False}, {"is_draining": True}, {"ready_seconds": None}, {"ready_seconds": 9e9}]
)
def test_a_pod_that_does_not_serve_says_nothing(changes: dict[str, Any]) -> None:
    assert _windows(_every(15, 240), **changes) == []


def test_what_lies_in_the_future_waits() -> None:
    windows, samples = PodWindows("p"), _every(60, 180)
    assert len(windows.take(_pod(samples), BEGIN + 60)) == 1
    assert len(windows.take(_pod(samples), BEGIN + 180)) == 2


def test_each_sample_is_taken_once() -> None:
    windows, samples = PodWindows("p"), _every(15, 300)
    found = [windows.take(_pod(samples[:count]), BEGIN + 1000) for count in range(len(samples) + 1)]
    assert sum(map(len, found)) == 5
    assert windows.take(_pod(samples), BEGIN + 1000) == []


def test_a_clock_that_was_put_back_begins_anew() -> None:
    windows = PodWindows("p")
    assert len(windows.take(_pod(_every(15, 120)), BEGIN + 120)) == 2
    # An hour earlier by the clock of all: the pod became ready then, too.
    early = [replace(sample, at_seconds=sample.at_seconds - 3600) for sample in _every(15, 120)]
    pod = _pod(early, ready_seconds=READY - 3600)
    assert len(windows.take(pod, BEGIN - 3600 + 120)) == 2


@pytest.mark.parametrize("odd", [None, math.nan, math.inf, -1.0])
def test_a_number_that_is_none_is_not_known_and_never_zero(odd: float | None) -> None:
    samples = [_sample(0), _sample(30), _sample(60, output_tokens_total=odd, running=odd, cache_usage=odd)]
    for window in _windows(samples):
        assert window.output_tokens is None
        assert window.running == 2.0
    (blind,) = _windows([_sample(0, **NO_TOTALS), _sample(60, **NO_TOTALS, ttft=None, itl=None)])
    assert (blind.output_tokens, blind.requests, blind.itl_seconds, blind.arrived) == (None,) * 4


@pytest.mark.parametrize(
    "after",
    [
        Histogram((0.1, 0.2, math.inf), (1.0, 2.0, 3.0), 1.0),
        Histogram((0.1, math.inf), (0.0, 5.0), 1.0),
        Histogram((0.1, math.inf), (2.0, math.nan), 1.0),
        Histogram((0.1, math.inf), (2.0, 5.0), math.nan),
        Histogram((0.1, math.inf), (2.0,), 1.0),
    ],
    ids=["other buckets", "a bucket fell", "no number", "no sum", "a bucket is missing"],
)
def test_histograms_that_do_not_continue_have_no_gain(after: Histogram) -> None:
    assert gained(Histogram((0.1, math.inf), (1.0, 4.0), 0.5), after) is None
