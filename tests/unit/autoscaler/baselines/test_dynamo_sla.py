"""Dynamo's planner of 2025, held to the vectors of its own tests, and as a policy."""

import math
from collections.abc import Sequence

import pytest

from pointsman_autoscaler.baselines.dynamo_sla import DynamoSla, corrections, decode_load, prefill_load
from pointsman_autoscaler.baselines.interval import Interval
from pointsman_autoscaler.baselines.profiled import Profiled, profiled
from pointsman_autoscaler.view import GatewaySample, Pod, View
from tests.support.baseline_views import (
    LAW,
    NOW,
    arriving,
    flavour,
    pod,
    pods,
    sample,
    setup,
    view,
    with_gaps,
)

# ai-dynamo/dynamo, tests/planner/test_replica_calculation.py: an interval of 60 s, prompts of 3,000 tokens
# and answers of 150; requests, prefill and decode throughput of a replica, workers of each kind.
VECTORS = {
    "basic": (10, 40_000, 10_000, 1.0, 1, 1),
    "high_load_500_req_per_second": (500, 40_000, 1000, 1.0, 1, 2),
    "prefill_correction_factor_clamping": (10, 40_000, 10_000, 2.5, 1, 1),
    "multi_gpu_engines": (20, 2 * 40_000, 4 * 5000, 1.0, 1, 1),
    "complex_gpu_budget_scaling": (100, 2 * 10_000, 2 * 1000, 1.0, 1, 1),
}


@pytest.mark.parametrize(
    ("requests", "prefill", "decode", "correction", "workers", "decoders"),
    VECTORS.values(),
    ids=VECTORS.keys(),
)
def test_replicas(
    requests: float, prefill: float, decode: float, correction: float, workers: int, decoders: int
) -> None:
    assert math.ceil(prefill_load(requests, 3000, 60, correction, prefill)) == workers
    assert math.ceil(decode_load(requests, 150, 60, decode)) == decoders


def test_queues_never_add_prefill_and_spare_takes_it_away() -> None:
    loads = [prefill_load(100, 3000, 60, correction, 1000) for correction in (0.5, 1.0, 4.0)]
    assert loads == [2.5, 5.0, 5.0]


def tables() -> Profiled:
    made = profiled(flavour())
    assert made is not None
    return made


def test_the_tables_are_those_of_the_law() -> None:
    one = tables()
    assert one.ttft_seconds(1000) == pytest.approx(LAW.seconds(1000, 1, 0))
    assert one.prefill_tokens_per_second(1000) == pytest.approx(1000 / LAW.seconds(1000, 1, 0))
    assert one.itl_seconds(32, 1100) == pytest.approx(LAW.seconds(32, 32, 32 * 1100))
    assert one.ttft_seconds(20_000) > 2 * one.ttft_seconds(8192), "three chunks"


def test_the_most_within_the_target() -> None:
    one = tables()
    aim = one.itl_seconds(50, 1100)
    assert one.decode_tokens_per_second(aim, 1100) == pytest.approx(50 / aim)
    assert one.decode_tokens_per_second(aim * 0.999, 1100) < 50 / aim
    assert one.decode_tokens_per_second(1.0, 1100) == pytest.approx(256 / one.itl_seconds(256, 1100)), (
        "its slots"
    )
    assert one.decode_tokens_per_second(1.0, 4000) == pytest.approx(100 / one.itl_seconds(100, 4000)), (
        "its cache"
    )
    alone = one.decode_tokens_per_second(1e-6, 1100)
    assert alone == pytest.approx(1 / one.itl_seconds(1, 1100)), "out of reach"


def test_corrections_are_observed_over_profiled() -> None:
    one = tables()
    past = Interval(180, 100, 1000, 200, 2 * one.ttft_seconds(1000), 3 * one.itl_seconds(16, 1100), 16)
    assert corrections(one, past) == pytest.approx((2, 3))
    assert corrections(one, Interval(180, 100, 1000, 200, None, None, None)) == (1, 1)
    assert corrections(one, Interval(180, 100, None, None, 1, 1, 1)) == (1, 1)


def served(name: str, itl: float | None = None, now: float = NOW) -> Pod:
    """60 requests of 1,155 and 211 tokens in the interval; ten ran."""
    totals = {"requests_total": 60.0, "prompt_tokens_total": 60 * 1155.0, "output_tokens_total": 60 * 211.0}
    begun, ended = sample(now - 175, 10, **dict.fromkeys(totals, 0.0)), sample(now, 10, **totals)
    if itl is None:
        return pod(name, begun, ended)
    return pod(name, with_gaps(begun, 0), with_gaps(ended, 1000, itl))


def load(rate: float, *of: Pod, gateway: Sequence[GatewaySample] | None = None) -> View:
    return view(flavour(), pods=of, gateway=arriving(rate) if gateway is None else gateway)


def both_loads(rate: float) -> float:
    one, context = tables(), 1155 + 211 / 2
    return rate * 1155 / one.prefill_tokens_per_second(1155) + rate * 211 / one.decode_tokens_per_second(
        0.06, context
    )


@pytest.mark.parametrize("rate", [1.0, 20.0, 80.0, 200.0])
def test_a_replica_is_kept_busy_by_both_kinds_of_work(rate: float) -> None:
    assert DynamoSla(setup()).decide(load(rate, served("a"))) == {"h100": max(1, math.ceil(both_loads(rate)))}


def test_slower_answers_than_profiled_add_replicas() -> None:
    usual = tables().itl_seconds(10, 1155 + 211 / 2)
    counts = [
        DynamoSla(setup()).decide(load(100.0, served("a", factor * usual)))["h100"] for factor in (1, 3, 6)
    ]
    assert counts[0] < counts[1] < counts[2]


def test_tighter_latencies_need_more() -> None:
    counts = [
        DynamoSla(setup(), factor).decide(load(100.0, served("a")))["h100"] for factor in (1.0, 0.3, 0.2)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_no_traffic_no_change() -> None:
    policy = DynamoSla(setup())
    assert policy.decide(view(pods=pods(5, 0), gateway=arriving(0.0))) == {"h100": 5}
    assert policy.decide(view(pods=pods(5, 0))) == {"h100": 5}
    lawless = view(flavour(law=None), pods=[served("a")], gateway=arriving(50), asked=3)
    assert policy.decide(lawless) == {"h100": 3}
