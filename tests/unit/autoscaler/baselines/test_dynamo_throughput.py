"""Dynamo's throughput mode, held to what the original answers, and as a policy."""

import pytest

from pointsman_autoscaler.baselines.dynamo_throughput import DynamoThroughput, wanted_replicas
from pointsman_autoscaler.baselines.engine_model import EngineModel, engine_model
from pointsman_autoscaler.baselines.objectives import Objectives
from pointsman_autoscaler.view import Pod, View
from tests.support.baseline_views import LAW, NOW, arriving, flavour, pod, pods, sample, setup, view

# ai-dynamo 1.6.1, AggRegressionModel.find_best_engine_agg_rps: an iteration of a + b·prompts + c·cached
# seconds, the mean prompt of the next request, then the request's shape and the engine's limits; what
# it answers is requests a second, TTFT and ITL in ms.
FAST, SLOW = (0.01, 2e-5, 4e-8), (0.02, 6e-5, 3e-7)
CHAT, CODE, LONG = (1155.0, 211.0), (2048.0, 28.0), (3000.0, 150.0)
LARGE, SMALL = (8192, 400_000, 256), (2048, 100_000, 64)
USUAL, STRICT = (0.5, 0.05), (0.05, 0.005)
VECTORS = {
    "chat on a large engine": (FAST, 1155, CHAT, LARGE, USUAL, (23.70869412038611, 73.065, 49.9746682464455)),
    "code": (FAST, 1155, CODE, LARGE, USUAL, (18.358918321906742, 71.722, 48.633428571428574)),
    "a small engine": (FAST, 1155, LONG, SMALL, USUAL, (7.9792539397566316, 49.836, 26.736)),
    "out of reach": (FAST, 1155, LONG, SMALL, STRICT, (0.633532896195635, 33.623, 10.523)),
    "longer prompts next": (FAST, 2048, LONG, SMALL, USUAL, (7.9792539397566316, 81.632, 26.736)),
    "a slow engine": (SLOW, 3000, CHAT, LARGE, USUAL, (4.006958637015084, 229.6223, 49.67661279620852)),
    "slow and small": (SLOW, 3000, LONG, SMALL, USUAL, (1.8773676623420164, 262.63, 49.715)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("law", "typical", "shape", "limits", "bounds", "want"), VECTORS.values(), ids=VECTORS.keys()
)
def test_sustained(
    law: tuple[float, float, float],
    typical: float,
    shape: tuple[float, float],
    limits: tuple[int, int, int],
    bounds: tuple[float, float],
    want: tuple[float, float, float],
) -> None:
    fixed, prompt, cached = law
    model = EngineModel(lambda prompts, held, running: fixed + prompt * prompts + cached * held, *limits)
    rate = model.sustained(*shape, Objectives(*bounds), typical)
    assert rate is not None
    answer = (rate.requests_per_second, rate.ttft_seconds * 1000, rate.itl_seconds * 1000)
    assert answer == pytest.approx(want, rel=1e-9)


def test_prompts_that_an_iteration_can_take_in_bound_the_batch() -> None:
    """An engine that says nothing of its cache: half of its 1,000 tokens are answers', as many prompts'."""
    rate = EngineModel(lambda *_: 0.05, 1000).sustained(100, 100, Objectives(10, 10))
    assert rate is not None
    assert rate.requests_per_second == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("queued", "budget", "cached", "want"),
    [(0, 8192, 0, 0.03), (20_000, 8192, 100_000, 0.462), (5000, 2048, 50_000, 0.156)],
)
def test_ttft_is_chunk_after_chunk(queued: float, budget: int, cached: float, want: float) -> None:
    """AggRegressionModel.estimate_next_ttft, for a mean prompt of 1,000 tokens."""
    model = EngineModel(lambda prompts, held, running: 0.01 + 2e-5 * prompts + 4e-8 * held, budget)
    assert model.ttft_seconds(queued, 1000, cached, 0) == pytest.approx(want)


@pytest.mark.parametrize(("shape", "budget"), [((0, 100), 1000), ((100, 0), 1000), ((100, 100), 0)])
def test_nothing_is_sustained_without_a_request_or_a_budget(shape: tuple[float, float], budget: int) -> None:
    assert EngineModel(lambda *_: 0.05, budget).sustained(*shape, Objectives(1, 1)) is None


# tests/unit/test_throughput_scaling.py: test_agg_throughput_uses_replica_cap, and its caps on the way down.
@pytest.mark.parametrize(
    ("demand", "current", "least", "want"),
    [(100.0, 10, 1, 18), (1.0, 10, 1, 2), (12.5, 10, 1, 13), (0.0, 3, 1, 1), (0.0, 1, 20, 20)],
)
def test_at_most_eight_at_once(demand: float, current: int, least: int, want: int) -> None:
    assert wanted_replicas(demand, 1.0, current, least, 8) == want


def served(name: str, requests: float = 60.0) -> Pod:
    totals = {
        "requests_total": requests,
        "prompt_tokens_total": 1155 * requests,
        "output_tokens_total": 211 * requests,
    }
    return pod(name, sample(NOW - 175, 5, **dict.fromkeys(totals, 0.0)), sample(NOW, 5, **totals))


def load(rate: float, *of: Pod, asked: int | None = None, now: float = NOW) -> View:
    return view(flavour(), pods=of, gateway=arriving(rate, now), asked=asked, now=now)


def engine_rate() -> float:
    model = engine_model(flavour(), 1155)
    assert model is not None
    rate = model.sustained(1155, 211, Objectives(0.8, 0.06))
    assert rate is not None
    return rate.requests_per_second


@pytest.mark.parametrize(("engines", "want"), [(0.5, 1), (0.99, 1), (1.01, 2), (3.5, 4), (40, 9)])
def test_predicted_load_over_what_an_engine_sustains(engines: float, want: int) -> None:
    policy = DynamoThroughput(setup())
    assert policy.decide(load(engines * engine_rate(), served("a"))) == {"h100": want}


def test_tighter_latencies_need_more() -> None:
    loads = load(4 * engine_rate(), served("a"))
    counts = [DynamoThroughput(setup(), factor).decide(loads)["h100"] for factor in (1.0, 0.5, 0.3)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_more_waits_for_those_that_start_and_fewer_does_not() -> None:
    rate = engine_rate()
    assert DynamoThroughput(setup()).decide(load(6.5 * rate, served("a"), asked=4)) == {"h100": 4}
    assert DynamoThroughput(setup()).decide(load(0.5 * rate, served("a"), asked=4)) == {"h100": 1}


def test_an_idle_interval_keeps_the_shape_of_requests() -> None:
    policy = DynamoThroughput(setup(minimum=2), predictor_name="constant")
    policy.decide(load(4 * engine_rate(), *(served(name) for name in "abcd")))
    idle = [pod(name, sample(NOW + 10, 0), sample(NOW + 180, 0)) for name in "abcd"]
    assert policy.decide(load(0.0, *idle, now=NOW + 180)) == {"h100": 2}


def test_it_stays_without_load_or_law() -> None:
    assert DynamoThroughput(setup()).decide(view(pods=pods(3, 5), asked=3)) == {"h100": 3}
    lawless = view(flavour(law=None), pods=[served("a")], gateway=arriving(50), asked=3)
    assert DynamoThroughput(setup()).decide(lawless) == {"h100": 3}


def test_stages_work_at_the_same_time() -> None:
    """Two stages sustain twice what each does, with half of the slots and cache for each."""
    model, halves = engine_model(flavour(), 1000), flavour(slots=512, cache_tokens=800_000)
    both = engine_model(halves, 1000)
    assert model is not None
    assert both is not None
    assert both.cache_tokens == 2 * model.cache_tokens
    assert model.iteration(100, 1000, 10) == pytest.approx(LAW.seconds(110, 10, 1000))
