"""What holds for every law, load and bound: order, finiteness, and no answer from nonsense."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.capacity import Capacity, Learner, Workload
from pointsman_autoscaler.view import EngineSample, Flavour, Histogram, Pod

# The search ends within this share of the bound, and rounds the workload by a percent.
NEAR = 1.01

_laws = st.builds(
    StepTime,
    fixed=st.floats(0.002, 0.05),
    per_token=st.floats(2e-6, 3e-4),
    per_sequence=st.floats(0, 1e-4),
    per_cached_token=st.floats(1e-9, 2e-7),
    per_pair=st.floats(0, 1e-8),
    experts=st.sampled_from([0.0, 0.0, 0.004, 0.02]),
    missed=st.floats(0.9, 0.99),
)
_flavours = st.builds(
    Flavour,
    name=st.just("f"),
    price_per_hour=st.just(1.0),
    law=st.one_of(st.none(), _laws, _laws, _laws),
    stages=st.sampled_from([1, 1, 2, 4]),
    slots=st.sampled_from([1, 4, 32, 256]),
    cache_tokens=st.sampled_from([0, 20_000, 500_000]),
)
_bounds = st.lists(
    st.builds(
        Bound,
        metric=st.sampled_from(["ttft", "itl"]),
        quantile=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
        seconds=st.floats(0.01, 5.0),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda bound: (bound.metric, bound.quantile),
).map(tuple)
_workloads = st.builds(
    Workload,
    requests_per_second=st.floats(0, 1000),
    input_tokens=st.floats(1, 20_000),
    output_tokens=st.one_of(st.just(0.0), st.floats(1, 2000)),
    interarrival_cv=st.floats(0, 10),
    input_cv=st.floats(0, 2),
    output_cv=st.floats(0, 2),
    prefix_hit=st.floats(0, 0.9),
)
_ODD = (math.nan, math.inf, -math.inf, -1.0, 0.0, 1e-300, 0.5, 20.0, 1e4, 1e12, 1e300)
_numbers = st.sampled_from((None, *_ODD))
_histograms = st.one_of(
    st.none(),
    st.builds(
        Histogram,
        st.just((0.5, math.inf)),
        st.tuples(st.sampled_from(_ODD), st.sampled_from(_ODD)),
        st.sampled_from(_ODD),
    ),
)
_samples = st.builds(
    EngineSample,
    at_seconds=st.integers(5, 100).map(lambda index: 20.0 * index),
    running=_numbers,
    waiting=_numbers,
    cache_usage=_numbers,
    prompt_tokens_total=_numbers,
    output_tokens_total=_numbers,
    requests_total=_numbers,
    ttft=_histograms,
    itl=_histograms,
)


@given(_flavours, _bounds, _workloads)
def test_more_load_never_has_less_latency(
    flavour: Flavour, bounds: tuple[Bound, ...], workload: Workload
) -> None:
    learner = Learner(flavour, bounds)
    saturation = learner.capacity(workload).saturation_per_second
    excess = [learner.excess(share * saturation, workload) for share in (0, 0.01, 0.2, 0.5, 0.8, 0.95, 1, 2)]
    for less, more in pairwise(excess):
        assert less <= more * (1 + 1e-3)
    assert excess[-1] == math.inf


@given(_flavours, _bounds, _workloads, st.floats(0.3, 0.99))
def test_a_tighter_bound_never_gives_more(
    flavour: Flavour, bounds: tuple[Bound, ...], workload: Workload, by: float
) -> None:
    tighter = (replace(bounds[0], seconds=bounds[0].seconds * by), *bounds[1:])
    loose, tight = (Learner(flavour, each).capacity(workload) for each in (bounds, tighter))
    assert tight.requests_per_second <= loose.requests_per_second * NEAR
    assert loose.reachable or not tight.reachable


@given(_flavours, _bounds, _workloads)
def test_capacity_is_where_the_bounds_are_reached(
    flavour: Flavour, bounds: tuple[Bound, ...], workload: Workload
) -> None:
    learner = Learner(flavour, bounds)
    found = learner.capacity(workload)
    assert 0 < found.requests_per_second < found.saturation_per_second < math.inf
    assert 0 <= learner.confidence(workload) <= 1
    assert all(0 < seconds < math.inf for _, seconds in found.predicted)
    assert found.binding in {"slots", "cache", *(bound.name for bound in bounds)}
    if found.reachable:
        assert learner.excess(found.requests_per_second, workload) <= NEAR
    if found.reachable and found.binding not in ("slots", "cache"):
        assert learner.excess(1.1 * found.requests_per_second, workload) > 1 / NEAR


@given(_flavours, _bounds, _workloads, st.sampled_from(["input_tokens", "interarrival_cv", "prefix_hit"]))
def test_what_costs_more_is_served_less(
    flavour: Flavour, bounds: tuple[Bound, ...], workload: Workload, what: str
) -> None:
    # Another length of answer is another work between first tokens, which can be easier to bear.
    if what == "input_tokens":
        assume(workload.input_cv < 1.5)
        easy, hard = workload, replace(workload, input_tokens=workload.input_tokens * 1.5)
    elif what == "interarrival_cv":
        easy, hard = replace(workload, interarrival_cv=1.0), replace(workload, interarrival_cv=4.0)
    else:
        easy, hard = replace(workload, prefix_hit=0.6), replace(workload, prefix_hit=0.0)
    easier, harder = (Learner(flavour, bounds).capacity(each) for each in (easy, hard))
    assert harder.requests_per_second <= easier.requests_per_second * 1.02


@given(_flavours, _bounds, st.lists(_samples, max_size=12), st.sampled_from(_ODD))
def test_nonsense_is_no_answer(
    flavour: Flavour, bounds: tuple[Bound, ...], samples: list[EngineSample], odd: float
) -> None:
    learner = Learner(flavour, bounds)
    ordered = sorted(samples, key=lambda sample: sample.at_seconds)
    for name in ("a", "b"):
        learner.observe([Pod(name, "f", 0.0, ready_seconds=0.0, is_ready=True, samples=ordered)], 2000.0)
    for workload in (Workload(1.0, 100.0, 100.0), Workload(odd, odd, odd, odd, odd, odd, odd)):
        found = learner.capacity(workload)
        _is_sound(found)
        assert not math.isnan(learner.excess(0.5 * found.requests_per_second, workload))
    if learner.law is not None:
        assert learner.law.fixed > 0
        assert math.isfinite(learner.law.seconds(100, 50, 10_000))


def _is_sound(found: Capacity) -> None:
    assert 0 < found.requests_per_second < math.inf
    assert 0 < found.saturation_per_second < math.inf
    assert all(0 < seconds < math.inf for _, seconds in found.predicted)


@settings(max_examples=30)
@given(_laws, st.permutations(range(4)), st.lists(st.floats(0.5, 3.0), min_size=4, max_size=4))
def test_the_order_of_pods_is_irrelevant(law: StepTime, order: list[int], slower: list[float]) -> None:
    pods = [_steady(f"p-{index}", law, 2.0 + 3 * index, factor) for index, factor in enumerate(slower)]
    bounds = (Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06))
    one = Learner(Flavour("f", 1.0, law=law, slots=256, cache_tokens=100_000), bounds)
    other = Learner(Flavour("f", 1.0, law=law, slots=256, cache_tokens=100_000), bounds)
    one.observe(pods, 1000.0)
    other.observe([pods[index] for index in order], 1000.0)
    assert one.law == other.law
    assert one.capacity(Workload(5, 500, 100)) == other.capacity(Workload(5, 500, 100))


def _steady(name: str, law: StepTime, running: float, factor: float) -> Pod:
    """So many answers all the time, by the law and a factor."""
    step = law.seconds(running * 6, running, running * 550) * factor
    rate = running / step
    samples = []
    for at in range(300, 661, 60):
        tokens = rate * at
        itl = Histogram((math.inf,), (tokens,), tokens * step)
        ttft = Histogram((math.inf,), (tokens / 100,), tokens / 100)
        samples.append(
            EngineSample(
                float(at),
                running,
                0.0,
                running * 550 / 100_000,
                tokens * 5,
                tokens,
                tokens / 100,
                0.0,
                ttft,
                itl,
            )
        )
    return Pod(name, "f", 0.0, ready_seconds=0.0, is_ready=True, samples=samples)
