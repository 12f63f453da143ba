"""What was seen of a bound against what was predicted of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pointsman.placement.demand import Bound
from pointsman_autoscaler.capacity.correction import LEAST, MOST, Correction
from pointsman_autoscaler.capacity.windows import Window
from pointsman_autoscaler.view import Histogram

BOUND = Bound("ttft", 0.95, 0.8)
EDGES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 4.0, math.inf)
# Between the edges of which bucket the 95th percentile lies when it is asked for.
BUCKETS = {0.15: 1, 0.7: 4, 0.9: 5, 1.75: 7, 3.0: 8}


def _window(p95: float, requests: float = 250.0, ends: float = 1000.0, **other: Any) -> Window:
    """With so many requests, of which nine tenths are fast and the others around `p95`."""
    counts = tuple(requests if index >= BUCKETS[p95] else 0.9 * requests for index in range(len(EDGES)))
    histogram = Histogram(EDGES, counts, 0.1 * requests)
    usual = Window("p", ends, 60.0, 20.0, 0.0, 0.2, 1e5, 2e4, requests, None, histogram)
    return replace(usual, **other)


def _told(correction: Correction, windows: list[Window], predicted: float) -> float:
    for window in windows:
        seen = correction.add(window)
        if seen is not None:
            correction.compare(seen, predicted)
    return correction.factor


# What is seen and predicted -> from and to where the factor goes in a long time.
CASES: dict[str, tuple[Window, float, float, float]] = {
    "as predicted": (_window(0.7), 0.7, 1.0, 1.0),
    "a little longer than predicted": (_window(0.9), 0.7, 1.15, 1.4),
    "no longer than its bucket can tell": (_window(0.9), 0.89, 1.0, 1.05),
    "much longer: no more than the most": (_window(3.0), 0.2, MOST * 0.95, MOST),
    "much shorter, near the bound: no less than the least": (_window(0.7), 3.0, LEAST, LEAST * 1.05),
    "far below the bound, nobody learns": (_window(0.15), 0.05, 1.0, 1.0),
    "a queue is worked off": (_window(3.0, waiting=50.0), 0.5, 1.0, 1.0),
    "a prediction that is none": (_window(3.0), math.inf, 1.0, 1.0),
    "a histogram of nothing": (replace(_window(0.9), ttft=None), 0.3, 1.0, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_factor_goes_to(name: str) -> None:
    window, predicted, least, most = CASES[name]
    windows = [replace(window, ends_seconds=60.0 * index) for index in range(300)]
    assert least <= _told(Correction(BOUND), windows, predicted) <= most


def test_few_requests_are_not_compared() -> None:
    one = [_window(3.0, requests=30.0, ends=60.0 * index) for index in range(1, 6)]
    assert _told(Correction(BOUND), one, 0.7) == 1.0
    # With the next two there are 200 beyond which a percentile can be told.
    more = [*one, _window(3.0, requests=30.0, ends=400.0), _window(3.0, requests=30.0, ends=460.0)]
    assert _told(Correction(BOUND), more, 0.7) > 1.2


def test_a_rare_request_is_not_kept_for_days() -> None:
    rare = [_window(3.0, requests=2.0, ends=3600.0 * index) for index in range(1, 200)]
    assert _told(Correction(BOUND), rare, 0.7) == 1.0


def test_it_rises_faster_than_it_falls() -> None:
    correction = Correction(BOUND)
    up = _told(correction, [_window(3.0)], 1.0)
    down = _told(correction, [_window(0.7)], 1.0)
    assert up > 1.2
    assert 1.0 < down < up
    assert math.log(up) > 2 * math.log(up / down)


def test_the_largest_latencies_lie_beyond_all_buckets() -> None:
    beyond = Histogram(EDGES, (*(200.0 for _ in EDGES[:-1]), 250.0), 500.0)
    correction = Correction(BOUND)
    assert _told(correction, [replace(_window(3.0), ttft=beyond)] * 100, 1.5) > 2.0


def test_the_first_tokens_after_a_queue_was_worked_off_say_nothing_either() -> None:
    """250 requests a minute with a wait of 0.4 s keep 1.7 waiting on the mean; twice four is a queue."""
    queued = _window(3.0, waiting=9.0, ends=1000.0)
    after = [_window(3.0, ends=1060.0), _window(3.0, ends=1120.0)]
    correction = Correction(BOUND, 0.8)
    assert _told(correction, [queued, after[0]], 0.7) == 1.0
    assert _told(correction, [after[1]], 0.7) > 1.2
    others = Correction(BOUND, 0.8)
    assert _told(others, [queued, replace(after[0], pod="q")], 0.7) > 1.2, "another replica had no queue"


def test_what_was_seen_counts_half_after_an_hour() -> None:
    correction = Correction(BOUND)
    before = math.log(_told(correction, [_window(3.0)], 1.0))
    _told(correction, [_window(0.15, ends=1000.0 + 3600.0)], 0.01)
    assert math.log(correction.factor) == pytest.approx(before / 2, rel=0.02)


def test_what_bursts_taught_is_refuted_by_the_same_load_without_them() -> None:
    burst = [_window(1.75, ends=60.0 * minute) for minute in range(1, 21)]
    calm = [_window(0.15, ends=60.0 * minute) for minute in range(21, 41)]
    correction = Correction(BOUND)
    after_bursts = _told(correction, burst, 0.3)
    assert after_bursts > 2.0
    assert 1.0 <= _told(correction, calm, 0.3) < 1.2


def test_what_bursts_taught_is_not_refuted_by_a_smaller_load() -> None:
    burst = [_window(1.75, ends=60.0 * minute) for minute in range(1, 21)]
    calm = [_window(0.15, ends=60.0 * minute) for minute in range(21, 41)]
    correction = Correction(BOUND)
    after_bursts = _told(correction, burst, 0.3)
    twenty_minutes = 0.5 ** (1 / 3)
    assert math.log(_told(correction, calm, 0.1)) == pytest.approx(
        twenty_minutes * math.log(after_bursts), rel=0.05
    )
