"""Measured step times (tests/data/profiles) as samples of pods, and how well a learner predicts the others.

Each row becomes a pod that runs at that load for some minutes. A learner of the group sees some of the rows;
the others are predicted from their traffic and how many requests run.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pointsman.placement.capacity import latency_at
from pointsman.placement.demand import Bound, Demand
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.capacity import Learner
from pointsman_autoscaler.capacity.windows import WARM_UP_SECONDS, WINDOW_SECONDS
from pointsman_autoscaler.view import EngineSample, Flavour, Histogram, Pod
from tests.support.profiles import Row, law, rows

BOUND = Bound("itl", 0.5, 1.0)
# So much that no row fills it; only the tokens in it count.
_CACHE_TOKENS = 100_000_000
_SLOTS = 4096
# A pod stays at its load for so many windows.
_WINDOWS = 5
# Rows whose first token takes longer wait for room: how many run is then not their concurrency.
QUEUED_TTFT_SECONDS = 5.0
EVERY = 3


@dataclass(frozen=True)
class Group:
    """Rows of one model on one replica."""

    model: str
    accelerator: str
    engine: str
    quantization: str
    tensor: int
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        return f"{self.model} {self.quantization}, {self.tensor} × {self.accelerator}, {self.engine}"

    @property
    def is_mixture(self) -> bool:
        return self.rows[0].scenario.is_mixture


def groups() -> list[Group]:
    """All groups with enough rows to keep some back, in the order of the file."""
    found: dict[tuple[str, str, str, str, int], list[Row]] = {}
    for row in rows():
        scenario = row.scenario
        key = (
            scenario.model,
            row.accelerator,
            scenario.engine.value,
            scenario.quantization.value,
            row.tensor,
        )
        found.setdefault(key, []).append(row)
    return [Group(*key, tuple(some)) for key, some in found.items() if len(some) >= EVERY]


@dataclass(frozen=True)
class Fold:
    """What is learned from, and what is predicted."""

    seen: tuple[Row, ...]
    held_out: tuple[Row, ...]


def every_third(group: Group) -> list[Fold]:
    """Each row is held out once, with every third one after it."""
    return _folds(group, lambda index, row: index % EVERY)


def by_shape(group: Group) -> list[Fold]:
    """All rows of one (input, output) are held out together: the law must carry over to other requests."""
    return _folds(group, lambda index, row: str(row.scenario.traffic))


def _folds(group: Group, part: Callable[[int, Row], object]) -> list[Fold]:
    parts: dict[object, list[Row]] = {}
    for index, row in enumerate(group.rows):
        parts.setdefault(part(index, row), []).append(row)
    return [
        Fold(tuple(row for row in group.rows if row not in some), tuple(some))
        for some in parts.values()
        if len(some) < len(group.rows)
    ]


def errors(folds: Iterable[Fold]) -> list[tuple[Row, float]]:
    """Each held-out row with the error of its time between tokens, as a share."""
    found = []
    for fold in folds:
        believed = learned(fold.seen)
        found += [(row, abs(predicted_itl(row, believed) / row.itl - 1)) for row in fold.held_out]
    return found


def mean(errors: Sequence[tuple[Row, float]]) -> float:
    return statistics.fmean(error for _, error in errors)


def is_queued(row: Row) -> bool:
    return row.ttft >= QUEUED_TTFT_SECONDS


def learned(some: Sequence[Row]) -> StepTime:
    """What a learner believes after it has seen pods at these loads."""
    learner = Learner(_flavour(law(some[0])), (BOUND,))
    pods = [_pod(f"p-{index}", row) for index, row in enumerate(some)]
    for look in range(_WINDOWS + 1):
        now = WARM_UP_SECONDS + look * WINDOW_SECONDS
        learner.observe(pods, now)
    assert learner.law is not None
    return learner.law


def predicted_itl(row: Row, believed: StepTime) -> float:
    """The time between tokens at the row's traffic, in seconds. Where requests wait, fewer run than sent.

    How many run depends on the answer (Little's law with the measured time to first token): halved steps.
    """
    demand = Demand((BOUND,), row.scenario.traffic, stated=True)
    running = float(row.concurrency)
    for _ in range(25):
        itl = latency_at(believed, 1, running, demand).itl
        running = (running + _running(row, itl)) / 2
    return itl


def _running(row: Row, itl: float) -> float:
    answering = row.scenario.traffic.output_tokens * itl
    return row.concurrency * answering / (row.ttft + answering)


def _flavour(prior: StepTime) -> Flavour:
    return Flavour("f", 1.0, law=prior, slots=_SLOTS, cache_tokens=_CACHE_TOKENS)


def _pod(name: str, row: Row) -> Pod:
    samples = [_sample(row, WARM_UP_SECONDS + look * WINDOW_SECONDS) for look in range(_WINDOWS + 1)]
    return Pod(name, "f", 0.0, ready_seconds=0.0, is_ready=True, samples=samples)


def _sample(row: Row, at: float) -> EngineSample:
    """Totals after so long at this load."""
    traffic = row.scenario.traffic
    requests = at * row.requests_per_second
    tokens = requests * traffic.output_tokens
    running = _running(row, row.itl)
    return EngineSample(
        at_seconds=at,
        running=running,
        waiting=0.0,
        cache_usage=running * traffic.held_tokens / _CACHE_TOKENS,
        prompt_tokens_total=requests * traffic.input_tokens,
        output_tokens_total=tokens,
        requests_total=requests,
        itl=Histogram((math.inf,), (tokens,), tokens * row.itl),
        ttft=Histogram((math.inf,), (requests,), requests * row.ttft),
    )
