"""A learner that looks at pods: what it takes from them, and what it does not."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.capacity import Learner, Workload
from pointsman_autoscaler.capacity.windows import gained
from pointsman_autoscaler.view import EngineSample, Histogram, Pod
from tests.support.simulated_pods import Scraped, Traffic, flavour

TRUTH = StepTime(
    fixed=0.0144, per_token=4.46e-5, per_sequence=4.1e-5, per_cached_token=4.1e-8, per_pair=3.5e-9
)
WRONG = replace(TRUTH, fixed=0.03, per_token=7e-5, per_cached_token=6e-8)
BOUNDS = (Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06))
USUAL = Workload(20.0, 1000, 200)
LOADS = (2.0, 5.0, 8.0, 4.0, 7.0, 6.0)


@cache
def _history() -> tuple[tuple[Pod, ...], float]:
    """Three pods through changing loads."""
    scraped = Scraped(TRUTH, pods=3, seed=4)
    for load in LOADS:
        scraped.run(Traffic(load), 300.0)
    return tuple(scraped.pods()), scraped.now_seconds


def _learner(prior: StepTime = WRONG) -> Learner:
    learner = Learner(flavour(prior), BOUNDS)
    learner.capacity(USUAL)
    return learner


def _rate(learner: Learner) -> float:
    return learner.capacity(USUAL).requests_per_second


def test_a_wrong_prior_gives_way_to_what_is_measured() -> None:
    pods, now = _history()
    learner = _learner()
    truth = _rate(_learner(TRUTH))
    assert _rate(learner) < 0.5 * truth
    assert learner.confidence(USUAL) == pytest.approx(0.0, abs=1e-9)
    learner.observe(pods, now)
    assert _rate(learner) == pytest.approx(truth, rel=0.15)
    assert learner.confidence(USUAL) > 0.8
    assert learner.law is not None
    assert learner.law.fixed == pytest.approx(TRUTH.fixed, rel=0.1)
    assert learner.law.per_token == pytest.approx(TRUTH.per_token, rel=0.25)


def test_what_a_step_takes_is_known_for_other_bounds_too() -> None:
    pods, now = _history()
    learner = _learner()
    learner.observe(pods, now)
    looser = (Bound("ttft", 0.95, 4.0), Bound("itl", 0.95, 0.2))
    learner.follow(looser)
    fresh = Learner(flavour(TRUTH), looser)
    fresh.capacity(USUAL)
    assert _rate(learner) == pytest.approx(_rate(fresh), rel=0.15)


def test_pods_of_others_are_passed_over() -> None:
    pods, now = _history()
    learner = _learner()
    learner.observe([replace(pod, flavour="other") for pod in pods], now)
    assert learner.law == WRONG


def test_the_order_of_pods_does_not_matter() -> None:
    pods, now = _history()
    one, other = _learner(), _learner()
    for at in range(0, int(now) + 1, 60):
        one.observe(pods, float(at))
        other.observe(list(reversed(pods)), float(at))
    assert (one.law, one.factors) == (other.law, other.factors)
    assert one.capacity(USUAL) == other.capacity(USUAL)


def test_looking_often_or_once_is_the_same() -> None:
    pods, now = _history()
    often, once = _learner(), _learner()
    for at in range(15, int(now) + 1, 15):
        often.observe(pods, float(at))
    once.observe(pods, now)
    assert _rate(often) == pytest.approx(_rate(once), rel=0.1)


def _slow(sample: EngineSample, since: float) -> EngineSample:
    """The same tokens, each of them in ten times the time, until `since`."""
    assert sample.itl is not None
    return replace(
        sample, itl=replace(sample.itl, sum_seconds=sample.itl.sum_seconds + 50 * sample.at_seconds / since)
    )


def test_a_warm_up_is_not_learned_from() -> None:
    pods, now = _history()
    ready = 600.0
    slow = [
        replace(
            pod,
            ready_seconds=ready,
            samples=[_slow(each, 300.0) if each.at_seconds <= ready + 75.0 else each for each in pod.samples],
        )
        for pod in pods
    ]
    clean = [replace(pod, ready_seconds=ready) for pod in pods]
    poisoned, unharmed = _learner(TRUTH), _learner(TRUTH)
    poisoned.observe(slow, now)
    unharmed.observe(clean, now)
    assert poisoned.law == unharmed.law


def test_what_was_poisoned_recovers() -> None:
    pods, now = _history()
    # Told to be ready long before it was, so that its first minutes, a hundred times as slow, are believed.
    slow = Scraped(replace(TRUTH, fixed=0.3, per_token=4e-4), pods=3, seed=6)
    slow.run(Traffic(0.2), 1200.0)
    learner = _learner(TRUTH)
    learner.observe(slow.pods(ready_seconds=-1000.0), slow.now_seconds)
    assert learner.law is not None
    assert learner.law.fixed > 2 * TRUTH.fixed
    # In an hour of what is true.
    for begin in (1200.0, 1200.0 + now):
        later = [
            replace(pod, name=f"{begin}-{pod.name}", samples=[_shifted(each, begin) for each in pod.samples])
            for pod in pods
        ]
        learner.observe(later, begin + now)
    assert _rate(learner) == pytest.approx(_rate(_learner(TRUTH)), rel=0.15)


def _shifted(sample: EngineSample, by: float) -> EngineSample:
    return replace(sample, at_seconds=sample.at_seconds + by)


def _each(change: Callable[[int, EngineSample], EngineSample]) -> Callable[[Pod], Pod]:
    return lambda pod: replace(pod, samples=[change(index, each) for index, each in enumerate(pod.samples)])


def _no_totals(index: int, sample: EngineSample) -> EngineSample:
    return replace(sample, output_tokens_total=None, prompt_tokens_total=None, requests_total=None)


def _nan_now_and_then(index: int, sample: EngineSample) -> EngineSample:
    odd = (math.nan, math.inf, -math.inf, -1.0)[index % 4]
    return replace(sample, running=odd, cache_usage=odd, output_tokens_total=odd) if index % 3 else sample


def _begins_anew(pod: Pod) -> Pod:
    """Every 100 seconds the engine restarts, and counts from nothing."""
    found = []
    for index, sample in enumerate(pod.samples):
        begin = pod.samples[index - index % 7]
        found.append(
            replace(
                sample,
                output_tokens_total=_since(begin.output_tokens_total, sample.output_tokens_total),
                prompt_tokens_total=_since(begin.prompt_tokens_total, sample.prompt_tokens_total),
                requests_total=_since(begin.requests_total, sample.requests_total),
                ttft=gained(begin.ttft, sample.ttft),
                itl=gained(begin.itl, sample.itl),
            )
        )
    return replace(pod, samples=found)


def _since(begin: float | None, now: float | None) -> float:
    assert begin is not None
    assert now is not None
    return now - begin


# What happens to the samples -> how far the capacity may then lie from the truth's, as a share.
TROUBLE: dict[str, tuple[Callable[[Pod], Pod], float]] = {
    "no totals": (_each(_no_totals), 0.2),
    "numbers that are none": (_each(_nan_now_and_then), 0.2),
    "no histograms": (_each(lambda index, each: replace(each, itl=None, ttft=None)), 0.01),
    "restarts all the time": (_begins_anew, 0.2),
    "no samples": (lambda pod: replace(pod, samples=()), 0.01),
    "every second scrape is missing": (lambda pod: replace(pod, samples=pod.samples[::2]), 0.2),
    "no cache usage": (_each(lambda index, each: replace(each, cache_usage=None)), 0.2),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_is_never_learned(name: str) -> None:
    trouble, near = TROUBLE[name]
    pods, now = _history()
    learner = _learner(TRUTH)
    learner.observe([trouble(pod) for pod in pods], now)
    found = learner.capacity(USUAL)
    assert found.requests_per_second == pytest.approx(_rate(_learner(TRUTH)), rel=near)
    assert all(math.isfinite(seconds) and seconds > 0 for _, seconds in found.predicted)


def test_what_is_seen_corrects_what_is_predicted() -> None:
    pods, now = _history()

    def slower(index: int, sample: EngineSample) -> EngineSample:
        """First tokens take a second and a half, for a reason that the law does not know."""
        assert sample.ttft is not None
        counts = tuple(0.0 if edge < 1.5 else sample.ttft.count for edge in sample.ttft.bounds)
        return replace(sample, ttft=Histogram(sample.ttft.bounds, counts, 1.5 * sample.ttft.count))

    learner, other = _learner(TRUTH), _learner(TRUTH)
    learner.observe([_each(slower)(pod) for pod in pods], now)
    other.observe(pods, now)
    assert learner.factors[BOUNDS[0]] > 1.5 > other.factors[BOUNDS[0]]
    assert learner.excess(6.0, USUAL) >= other.excess(6.0, USUAL)


def test_answers_are_remembered_until_something_is_learned() -> None:
    pods, now = _history()
    learner = _learner()
    before = learner.capacity(USUAL)
    # A little more or less of everything is the same load.
    assert learner.capacity(replace(USUAL, requests_per_second=20.3, input_tokens=1001.0)) is before
    learner.observe(pods, now)
    after = learner.capacity(USUAL)
    assert after is not before
    learner.observe(pods, now + 15.0)
    assert learner.capacity(USUAL) is after


def test_memory_does_not_grow_with_time_or_loads() -> None:
    pods, now = _history()
    learner = _learner()

    def day(index: int) -> None:
        moved = [replace(pod, samples=[_shifted(each, index * now) for each in pod.samples]) for pod in pods]
        learner.observe(moved, (index + 1) * now)
        for step in range(50):
            learner.capacity(Workload(1.0 + step, 100.0 + 37 * step + 3000 * index, 200.0))

    sizes = []
    for index in range(8):
        day(index)
        sizes.append(_size(learner))
    assert max(sizes[4:]) < 1.5 * max(sizes[:2])
    learner.observe([], 9 * now)
    assert _size(learner) < sizes[-1]


def _size(thing: object) -> int:
    """Bytes of everything that hangs on it, but for what is code."""
    seen: dict[int, object] = {}
    queue = [thing]
    while queue:
        each = queue.pop()
        if id(each) not in seen and not isinstance(each, type) and not callable(each):
            seen[id(each)] = each
            queue.extend(gc.get_referents(each))
    return sum(map(sys.getsizeof, seen.values()))
