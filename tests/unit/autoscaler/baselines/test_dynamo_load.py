"""Dynamo's load mode, held to what the original decides, and as a policy."""

from collections.abc import Sequence

import pytest

from pointsman_autoscaler.baselines.dynamo_load import Direction, DynamoLoad, Typical, Work, direction
from pointsman_autoscaler.baselines.engine_model import EngineModel
from pointsman_autoscaler.baselines.objectives import Objectives
from pointsman_autoscaler.view import EngineSample, GatewaySample, Pod, View
from tests.support.baseline_views import NOW, arriving, flavour, pod, sample, setup, view

# ai-dynamo 1.6.1, dynamo/planner/core/load_scaling.py: what _agg_prefill_scaling and _agg_decode_scaling
# answer for engines whose iteration takes 10 ms, 20 µs for a token of a prompt and 40 ns for one of the
# cache; mean prompts of 1,000 tokens, contexts of 1,100, 300 tokens of prompts in an iteration,
# a cache of 400,000.
MODEL = EngineModel(lambda prompts, cached, running: 0.01 + 2e-5 * prompts + 4e-8 * cached, 8192, 400_000)
TYPICAL = Typical(1000, 1100, 300)

# Queued tokens and cached tokens of each engine, TTFT and ITL in seconds.
CASES: dict[str, tuple[Sequence[tuple[float, float]], float, float, Direction]] = {
    "an idle pair": (((0, 0), (0, 0)), 0.5, 0.05, "down"),
    "one alone, idle": (((0, 0),), 0.5, 0.05, "stay"),
    "all queues are long": (((30_000, 100_000), (25_000, 90_000)), 0.5, 0.05, "up"),
    "one queue is long": (((30_000, 100_000), (1000, 90_000)), 0.5, 0.05, "stay"),
    "all gaps are long": (((0, 350_000), (0, 340_000)), 0.5, 0.028, "up"),
    "one gap is long": (((0, 350_000), (0, 20_000)), 0.5, 0.028, "stay"),
    "the cache of one fewer would not do": (((0, 280_000),) * 3, 0.5, 0.05, "stay"),
    "it would": (((0, 200_000),) * 3, 0.5, 0.05, "down"),
    "the queues of one fewer would be long": (((12_500, 60_000),) * 3, 0.5, 0.05, "stay"),
    "they would not": (((11_000, 60_000),) * 3, 0.5, 0.05, "down"),
    "the gaps of one fewer would be long": (((0, 100_000),) * 2, 0.5, 0.03, "stay"),
    "they would just not": (((0, 100_000),) * 2, 0.5, 0.0301, "down"),
    "a prompt by itself is too long": (((0, 0),) * 2, 0.03, 0.05, "stay"),
}


@pytest.mark.parametrize(("engines", "ttft", "itl", "want"), CASES.values(), ids=CASES.keys())
def test_direction(engines: Sequence[tuple[float, float]], ttft: float, itl: float, want: Direction) -> None:
    works = [Work(queued, cached, 0.0) for queued, cached in engines]
    assert direction(works, MODEL, Objectives(ttft, itl), TYPICAL) == want


def test_no_engines_no_direction() -> None:
    assert direction([], MODEL, Objectives(0.5, 0.05), TYPICAL) == "stay"


def served(name: str, running: float, waiting: float, cache: float) -> Pod:
    """Samples of one that served 60 requests of 1,000 and 200 tokens in three minutes."""
    totals = {"requests_total": 60.0, "prompt_tokens_total": 60_000.0, "output_tokens_total": 12_000.0}
    begun: EngineSample = sample(NOW - 175, running, waiting, cache, **dict.fromkeys(totals, 0.0))
    return pod(name, begun, sample(NOW, running, waiting, cache, **totals))


def seen(*of: Pod, asked: int | None = None, requests: Sequence[GatewaySample] = ()) -> View:
    return view(flavour(), pods=of, asked=asked, gateway=requests)


def load(floor: bool = False, minimum: int = 1) -> DynamoLoad:
    return DynamoLoad(setup(minimum=minimum), floor=floor)


BUSY = served("a", 200, 80, 0.8), served("b", 200, 90, 0.8)
CALM = served("a", 3, 0, 0.01), served("b", 3, 0, 0.01)


def test_one_more_where_all_are_too_slow() -> None:
    assert load().decide(seen(*BUSY)) == {"h100": 3}


def test_no_more_while_one_starts() -> None:
    assert load().decide(seen(*BUSY, asked=3)) == {"h100": 3}


def test_one_fewer_where_all_are_calm_and_what_starts_is_called_off() -> None:
    assert load().decide(seen(*CALM)) == {"h100": 1}
    assert load().decide(seen(*CALM, asked=4)) == {"h100": 1}
    assert load(minimum=2).decide(seen(*CALM)) == {"h100": 2}


def test_an_engine_that_is_not_seen_stops_it() -> None:
    assert load().decide(seen(*BUSY, pod("mute"))) == {"h100": 3}
    assert load().decide(seen()) == {"h100": 1}


def test_the_throughput_mode_says_the_least() -> None:
    """100 requests a second want more than one engine, however calm they are."""
    policy = load(floor=True)
    count = policy.decide(seen(*CALM, requests=arriving(100.0)))["h100"]
    assert count > 2
    assert policy.decide(seen(*CALM, asked=2, requests=arriving(0.0)))["h100"] == count, "for its interval"
