"""The largest load within the bounds, held against the simulator's engine, which runs every step."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.capacity import Capacity, Learner, Workload
from pointsman_autoscaler.capacity.services import cache_limit
from tests.support.simulated_pods import Scraped, Traffic, flavour

# Some 32 billion parameters on two H100, and a mixture on as many.
DENSE = StepTime(
    fixed=0.0144, per_token=4.46e-5, per_sequence=4.1e-5, per_cached_token=4.1e-8, per_pair=3.5e-9
)
MIXTURE = replace(DENSE, fixed=0.0035, per_token=2.2e-5, per_cached_token=5e-9, experts=0.0048, missed=0.973)
TTFT, ITL = Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06)

USUAL = Workload(1e-3, 1000, 200)

# What binds -> (law, bounds, traffic, least and most of what is seen at capacity, in multiples of the bound).
AT_CAPACITY: dict[str, tuple[StepTime, tuple[Bound, ...], Workload, float, float]] = {
    "time between tokens": (DENSE, (TTFT, ITL), USUAL, 0.85, 1.15),
    "time between tokens of a mixture": (MIXTURE, (TTFT, ITL), USUAL, 0.85, 1.3),
    "its 99th percentile": (DENSE, (replace(ITL, quantile=0.99, seconds=0.12),), USUAL, 0.8, 1.2),
    "time to first token": (DENSE, (replace(TTFT, seconds=0.3),), USUAL, 0.6, 1.2),
    "long prompts wait for each other": (
        DENSE,
        (replace(TTFT, seconds=1.5),),
        replace(USUAL, input_tokens=4000),
        0.6,
        1.25,
    ),
    "arrivals in bursts": (DENSE, (TTFT, ITL), replace(USUAL, interarrival_cv=2.0), 0.75, 1.25),
    "long answers": (DENSE, (TTFT, ITL), replace(USUAL, input_tokens=200, output_tokens=600), 0.05, 1.1),
}


def _seen(law: StepTime, workload: Workload, rate: float, bounds: tuple[Bound, ...]) -> float:
    """The worst latency in multiples of its bound, after minutes at that rate."""
    traffic = Traffic(
        rate,
        workload.input_tokens,
        workload.output_tokens,
        workload.interarrival_cv,
        workload.input_cv,
        workload.output_cv,
    )
    steps = tuple(0.3 * 1.05**step for step in range(50))
    limits = tuple(bound.seconds * step for bound in bounds if bound.metric == "itl" for step in steps)
    scraped = Scraped(law, seed=5, itl_limits=limits)
    scraped.run(traffic, 3000 / rate)
    worst = 0.0
    for bound in bounds:
        if bound.metric == "ttft":
            worst = max(worst, scraped.ttft_quantile(bound.quantile) / bound.seconds)
        else:
            longer = scraped.longer_gaps()
            within = [step for step, share in zip(steps, longer, strict=False) if share <= 1 - bound.quantile]
            worst = max(worst, within[0] if within else math.inf)
    return worst


def _capacity(law: StepTime, workload: Workload, bounds: tuple[Bound, ...]) -> Capacity:
    return Learner(flavour(law), bounds).capacity(workload)


@pytest.mark.parametrize("name", AT_CAPACITY)
def test_at_capacity_the_bounds_are_nearly_reached(name: str) -> None:
    law, bounds, workload, least, most = AT_CAPACITY[name]
    found = _capacity(law, workload, bounds)
    assert found.reachable
    assert least <= _seen(law, workload, found.requests_per_second, bounds) <= most


def test_beyond_saturation_queues_do_not_end() -> None:
    saturation = _capacity(DENSE, USUAL, (TTFT,)).saturation_per_second
    assert _seen(DENSE, USUAL, 0.9 * saturation, (TTFT,)) < 2.0
    assert _seen(DENSE, USUAL, 1.15 * saturation, (TTFT,)) > 10.0


# What asks for more -> a workload that costs more than the usual one.
HARDER = {
    "longer prompts": replace(USUAL, input_tokens=2000),
    "longer answers": replace(USUAL, output_tokens=400),
    "bursts": replace(USUAL, interarrival_cv=3.0),
    "prompts that differ more": replace(USUAL, input_cv=1.6),
}


@pytest.mark.parametrize("name", HARDER)
def test_what_is_harder_to_serve_is_served_less(name: str) -> None:
    usual = _capacity(DENSE, USUAL, (TTFT, ITL)).requests_per_second
    assert _capacity(DENSE, HARDER[name], (TTFT, ITL)).requests_per_second < usual * 0.99


def test_what_the_cache_holds_already_is_no_work() -> None:
    hit = _capacity(DENSE, replace(USUAL, prefix_hit=0.6), (TTFT, ITL))
    assert hit.requests_per_second > 1.2 * _capacity(DENSE, USUAL, (TTFT, ITL)).requests_per_second


def test_bursts_thin_out_over_many_replicas() -> None:
    bursts = replace(USUAL, interarrival_cv=4.0)
    alone = _capacity(DENSE, replace(bursts, requests_per_second=1.0), (TTFT, ITL)).requests_per_second
    among_many = _capacity(
        DENSE, replace(bursts, requests_per_second=1000.0), (TTFT, ITL)
    ).requests_per_second
    random = _capacity(DENSE, replace(USUAL, requests_per_second=1000.0), (TTFT, ITL)).requests_per_second
    assert alone < 0.8 * random
    assert among_many == pytest.approx(random, rel=0.05)


@pytest.mark.parametrize(
    ("slots", "cache_tokens", "binding"),
    [(8, 600_000, "slots"), (256, 12_000, "cache")],
    ids=["slots", "cache"],
)
def test_what_does_not_fit_does_not_run(slots: int, cache_tokens: int, binding: str) -> None:
    loose = (replace(TTFT, seconds=60.0), replace(ITL, seconds=1.0))
    found = Learner(flavour(DENSE, slots, cache_tokens), loose).capacity(USUAL)
    assert found.binding == binding
    assert found.requests_per_second < _capacity(DENSE, USUAL, loose).requests_per_second / 3


def test_the_cache_holds_the_crowd_and_not_only_its_mean() -> None:
    # Ten requests of 1,200 tokens fit.
    p95, p99 = (cache_limit(USUAL, 12_000, (replace(TTFT, quantile=q),), 256) for q in (0.95, 0.99))
    assert 4.5 < p99 < p95 < 6.5


def test_bounds_below_an_empty_replica_are_said_to_be_out_of_reach() -> None:
    found = _capacity(DENSE, USUAL, (replace(ITL, seconds=0.01),))
    assert not found.reachable
    assert found.binding == "itl p95"
    # Still a load of one request at a time, for whoever serves the most that is possible.
    assert 0.1 < found.requests_per_second < 1.0
    assert found.saturation_per_second > 10.0


def test_prompts_without_answers_are_passes() -> None:
    found = _capacity(DENSE, Workload(1.0, 500, 0), (TTFT, ITL))
    assert [bound for bound, _ in found.predicted] == [TTFT]
    # A pass of 500 tokens takes some 25 ms of work, and shares reading the weights with others.
    assert 30 < found.requests_per_second < found.saturation_per_second < 50


def test_a_backlog_is_worked_off_by_all() -> None:
    learner = Learner(flavour(DENSE), (TTFT, ITL))
    saturation = learner.capacity(USUAL).saturation_per_second
    assert learner.waiting_seconds(10 * saturation, 2, USUAL) == pytest.approx(5.0)
    assert learner.waiting_seconds(0, 0, USUAL) == 0.0
    assert learner.waiting_seconds(1, 0, USUAL) == math.inf
