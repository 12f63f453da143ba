"""What the autoscaler's learners know and cost: errors of held-out measurements, and processor time.

Errors are those of the time between tokens, each group of measured rows by itself, once with every third row
held out and once with all rows of one request's shape (tests/support/learned_laws.py says how). The time is
that of the processor, for the learners of 1,000 deployments of three flavours each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from pointsman.placement.demand import Bound
from pointsman_autoscaler.capacity import Learner, Workload
from tests.bench.measurement import Effort, Measurement
from tests.support.learned_laws import Fold, Group, by_shape, errors, every_third, groups, is_queued, mean
from tests.support.profiles import Row, law, rows
from tests.support.simulated_pods import Scraped, Traffic, flavour

_LEARNERS = 3_000
_PODS = 2

Errors = dict[Group, list[tuple[Row, float]]]


async def measure(effort: Effort) -> list[Measurement]:
    """Shares, and microseconds of processor time."""
    found = groups()
    if effort.quick:
        found = found[::5]
    thirds, shapes = _errors(found, every_third), _errors(found, by_shape)
    print(table(thirds, shapes))
    learners = _LEARNERS // 50 if effort.quick else _LEARNERS
    cold, warm, observed = _times(learners)
    return [
        Measurement("dense_error", "share", tuple(_by_group(thirds, mixture=False))),
        Measurement("dense_row_error", "share", (_by_row(thirds, mixture=False),)),
        Measurement("mixture_error", "share", tuple(_by_group(thirds, mixture=True))),
        Measurement("mixture_row_error", "share", (_by_row(thirds, mixture=True),)),
        Measurement("dense_shape_error", "share", tuple(_by_group(shapes, mixture=False))),
        Measurement("mixture_shape_error", "share", tuple(_by_group(shapes, mixture=True))),
        Measurement("capacity_worked_out", "µs", tuple(cold)),
        Measurement("capacity_remembered", "µs", tuple(warm)),
        Measurement("observe", "µs", tuple(observed)),
    ]


def _errors(some: Sequence[Group], folds: Callable[[Group], list[Fold]]) -> Errors:
    return {group: errors(folds(group)) for group in some}


def _by_group(found: Errors, *, mixture: bool) -> list[float]:
    """The mean error of each group, over rows whose requests all run."""
    return [
        mean(running)
        for group, some in found.items()
        if group.is_mixture == mixture and (running := _running(some))
    ]


def _by_row(found: Errors, *, mixture: bool) -> float:
    """The mean error of all rows, those with a queue too."""
    return statistics.fmean(
        error for group, some in found.items() if group.is_mixture == mixture for _, error in some
    )


def _running(some: list[tuple[Row, float]]) -> list[tuple[Row, float]]:
    return [(row, error) for row, error in some if not is_queued(row)]


def table(thirds: Errors, shapes: Errors) -> str:
    """By model, precision, engine and accelerator; numbers in the order of the sizes of their groups."""
    families: dict[tuple[str, ...], list[Group]] = {}
    for group in sorted(thirds, key=lambda each: each.tensor):
        key = (group.model, group.quantization, group.engine, group.accelerator)
        families.setdefault(key, []).append(group)
    lines = [
        "| model | precision | engine | accelerators | rows | every third row | one shape | queued too |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (model, quantization, engine, accelerator), some in sorted(families.items()):
        sizes = ", ".join(str(group.tensor) for group in some)
        rows = ", ".join(str(len(thirds[group])) for group in some)
        ways = (
            [_running(thirds[group]) for group in some],
            [_running(shapes[group]) for group in some],
            [thirds[group] for group in some],
        )
        told = " | ".join(", ".join(_percent(each) for each in way) for way in ways)
        lines.append(f"| {model} | {quantization} | {engine} | {sizes} × {accelerator} | {rows} | {told} |")
    for mixture, name in ((False, "dense"), (True, "mixtures of experts")):
        medians = [statistics.median(_by_group(each, mixture=mixture)) for each in (thirds, shapes)]
        rows = str(sum(len(some) for group, some in thirds.items() if group.is_mixture == mixture))
        told = f"{medians[0]:.1%} | {medians[1]:.1%} | {_by_row(thirds, mixture=mixture):.1%} (mean of rows)"
        lines.append(f"| **{name}**, median of groups | | | | {rows} | {told} |")
    return "\n".join(lines)


def _percent(some: list[tuple[Row, float]]) -> str:
    return f"{100 * mean(some):.1f}" if some else "–"


def _times(learners: int) -> tuple[list[float], list[float], list[float]]:
    """Of one learner each: a first answer, the same again, and a look at its pods that completes windows."""
    prior = law(rows()[0])
    bounds = (Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06))
    scraped = Scraped(prior, pods=_PODS)
    scraped.run(Traffic(2.0), 600.0)
    pods, now = scraped.pods(), scraped.now_seconds
    cold, warm, observed = [], [], []
    for index in range(learners):
        learner = Learner(flavour(prior), bounds)
        # All but the last minute was seen before.
        learner.observe(pods, now - 60.0)
        started = time.process_time_ns()
        learner.observe(pods, now)
        observed.append((time.process_time_ns() - started) / 1e3)
        workload = Workload(3.0 + index, 1000.0 + index, 200.0, interarrival_cv=1.5)
        started = time.process_time_ns()
        learner.capacity(workload)
        cold.append((time.process_time_ns() - started) / 1e3)
        started = time.process_time_ns()
        learner.capacity(workload)
        warm.append((time.process_time_ns() - started) / 1e3)
    return cold, warm, observed
