"""Measured rows played in the simulator's engine: clients that each ask again when they are answered."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from pointsman.api import EngineName
from pointsman.placement.coefficients import coefficients_of
from pointsman.placement.memory import memory_need
from pointsman.placement.spread import Spread
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.simulator.engine import Engine, Limits
from pointsman_autoscaler.simulator.gaps import Judged
from pointsman_autoscaler.simulator.job import Job
from tests.support.profiles import Row, device, law

# Requests of each client, as benchmarks usually send ten for each that runs at once.
_ROUNDS = 10
# Fewer rows of one group of devices tell nothing of a law with four numbers.
_LEAST_ROWS = 8


# Tokens that a step takes in, which the rows do not say. Of five ways to ask that were tried (2,048 or 8,192
# tokens; even lengths, or from 60 or 80 % of the stated ones) even lengths with these are nearest to most.
# It bears on the first token; the time between tokens differs by a hundredth.
_CHUNK_TOKENS = {EngineName.VLLM: 2048, EngineName.SGLANG: 8192}


@dataclass(frozen=True)
class Played:
    """Relative errors of one row."""

    row: Row
    ttft: float
    tpot: float


def played(row: Row, step: StepTime) -> Played:
    """The row's means as the engine has them with a law, beside what was measured."""
    traffic = row.scenario.traffic
    most = max(cache_tokens(row), traffic.total_tokens + 1)
    engine = Engine(Limits(step, row.concurrency, most, _CHUNK_TOKENS[row.scenario.engine]), Judged())
    count = row.concurrency * _ROUNDS
    jobs = [Job(index, 0.0, traffic.input_tokens, traffic.output_tokens) for index in range(count)]
    asked = row.concurrency
    for job in jobs[:asked]:
        engine.submit(0.0, job)
    while engine.ends < float("inf"):
        now = engine.ends
        engine.advance(now)
        for _ in engine.ended:
            if asked < count:
                jobs[asked].arrived = now
                engine.submit(now, jobs[asked])
                asked += 1
        engine.ended.clear()
    ttft = statistics.fmean(job.first - job.arrived for job in jobs)
    tpot = statistics.fmean(job.mean_gap for job in jobs)
    return Played(row, ttft / row.ttft - 1, tpot / row.itl - 1)


def cache_tokens(row: Row) -> int:
    """What placement expects the row's cache to hold."""
    use = coefficients_of(row.scenario.engine).memory
    need = memory_need(row.shape, device(row.accelerator), Spread(row.tensor, 1, 1), use)
    return need.cache_tokens(row.concurrency)


def fitted(some: list[Row]) -> StepTime | None:
    """Placement's law with its numbers fitted to a group's times between tokens; None for too few rows.

    Relative least squares with no number below zero.
    """
    fitting = [
        row for row in some if row.concurrency * row.scenario.traffic.total_tokens <= cache_tokens(row)
    ]
    if len(fitting) < _LEAST_ROWS:
        return None
    prior = law(some[0])
    features, rest = [], []
    for row in fitting:
        traffic, running = row.scenario.traffic, row.concurrency
        given, answer = traffic.input_tokens, traffic.output_tokens
        tokens = running * (1 + given / answer)
        features.append([1.0, tokens, running, running * (given + answer / 2), 1 - prior.missed**tokens])
        rest.append(row.itl - prior.per_pair * running / answer * given * given / 2)
    weights = np.array([row.itl for row in fitting])
    found, _ = nnls(np.array(features) / weights[:, None], np.maximum(np.array(rest), 0.0) / weights)
    fixed, per_token, per_sequence, per_cached_token, experts = found.tolist()
    return replace(
        prior,
        fixed=fixed,
        per_token=per_token,
        per_sequence=per_sequence,
        per_cached_token=per_cached_token,
        experts=experts,
    )


@dataclass(frozen=True)
class Errors:
    """Of some rows: the median of the first token's error, the mean of that between tokens, both absolute."""

    rows: int
    ttft: float
    tpot: float


def errors(some: Iterable[Played]) -> Errors:
    all_played = list(some)
    return Errors(
        len(all_played),
        statistics.median(abs(each.ttft) for each in all_played),
        statistics.fmean(abs(each.tpot) for each in all_played),
    )


Group = tuple[str, str, str, str]
"""Engine, model, precision, accelerator."""


def groups(some: Iterable[Row]) -> dict[Group, list[Row]]:
    found: dict[Group, list[Row]] = defaultdict(list)
    for row in some:
        scenario = row.scenario
        found[scenario.engine, scenario.model, scenario.quantization, row.accelerator].append(row)
    return dict(sorted(found.items()))


def by_tensor(some: Iterable[Row]) -> list[list[Row]]:
    """Rows of each size of a tensor-parallel group, whose laws differ."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in some:
        found[row.tensor].append(row)
    return list(found.values())
