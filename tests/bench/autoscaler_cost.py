"""What our scaling costs beside the one who knows the future, and beside peers at their best.

Every policy's knob is swept on training load; the cheapest setting that keeps the promise of 99 % of the
5-minute windows is played on other load with ten seeds, which takes hours on two cores. The tables go to
out/autoscaler/report.md, the numbers to report.json beside it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from pointsman_autoscaler.simulator.contenders import OURS
from pointsman_autoscaler.simulator.oracle import Abilities, abilities, foresee, least_dollars
from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.run import simulate
from tests.bench.measurement import Effort, Measurement
from tests.bench.scaling_report import Judged, written
from tests.bench.scaling_scenarios import CASES, Case
from tests.bench.scaling_tuning import ABLATIONS, ORACLE, PEERS, PROMISED, Entry, best, entries, mean, policy

OUT = Path("out/autoscaler")
_SEEDS = 10
_BY_NAME = {case.name: case for case in CASES}

Job = tuple[str, Entry, int, bool, Abilities]


async def measure(effort: Effort) -> list[Measurement]:
    """Ratios of dollars: ours to the clairvoyant's on smooth load, and to the best peer's on each load."""
    seeds = range(2 if effort.quick else _SEEDS)
    cases = CASES[:2] if effort.quick else CASES
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        measured = dict(zip(cases, pool.map(_abilities, [case.name for case in cases]), strict=True))
        tuned = _tuned(pool, cases, measured, 1 if effort.quick else 2)
        judged = _judged(pool, tuned, measured, seeds)
    OUT.mkdir(parents=True, exist_ok=True)
    text, numbers = written(judged)
    (OUT / "report.md").write_text(text, "utf-8")
    (OUT / "report.json").write_text(json.dumps(numbers, indent=1), "utf-8")
    print(text)
    smooth = [one for one in judged if one.case.is_smooth and one.keeps_promise]
    return [
        Measurement(
            "against_clairvoyant", "ratio", tuple(one.against(ORACLE) for one in smooth) or (9.0,), "max"
        ),
        Measurement("against_best_peer", "ratio", tuple(one.against_best_peer for one in judged), "max"),
        Measurement("attained", "share", tuple(one.attained(OURS) for one in judged), "min"),
    ]


def _abilities(name: str) -> Abilities:
    case = _BY_NAME[name]
    return abilities(case.make(0, True), case.mixes)


def _run(job: Job) -> Result:
    name, entry, seed, is_training, measured = job
    case = _BY_NAME[name]
    scenario = case.make(seed, is_training)
    return simulate(scenario, policy(entry, scenario, case.mixes, measured, seed), seed)


def _least(job: tuple[str, int, Abilities]) -> float:
    name, seed, measured = job
    case = _BY_NAME[name]
    scenario = case.make(seed, False)
    return least_dollars(scenario, foresee(scenario, case.mixes, measured, seed))


def _tuned(
    pool: ProcessPoolExecutor, cases: Iterable[Case], measured: dict[Case, Abilities], seeds: int
) -> dict[Case, list[Entry]]:
    """The best setting of each policy for each load."""
    jobs = [
        (case.name, entry, seed, True, measured[case])
        for case in cases
        for name in (OURS, ORACLE, *PEERS)
        for entry in entries(name)
        for seed in range(seeds)
    ]
    tried: dict[tuple[str, str], dict[Entry, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for job, result in zip(jobs, pool.map(_run, jobs, chunksize=1), strict=True):
        tried[job[0], job[1].name][job[1]].append(result)
    found: dict[Case, list[Entry]] = defaultdict(list)
    for (case_name, _), by_entry in tried.items():
        found[_BY_NAME[case_name]].append(best(by_entry))
    return found


def _judged(
    pool: ProcessPoolExecutor,
    tuned: dict[Case, list[Entry]],
    measured: dict[Case, Abilities],
    seeds: Sequence[int],
) -> list[Judged]:
    jobs: list[Job] = []
    for case, chosen in tuned.items():
        ours = next(entry for entry in chosen if entry.name == OURS)
        parts = [Entry(OURS, ours.value, part) for part in ABLATIONS]
        shipped = [Entry(OURS)] if ours.value is not None else []
        jobs += [
            (case.name, entry, seed, False, measured[case])
            for entry in (*chosen, *shipped, *parts)
            for seed in seeds
        ]
    found: dict[str, dict[Entry, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for job, result in zip(jobs, pool.map(_run, jobs, chunksize=1), strict=True):
        found[job[0]][job[1]].append(result)
    bounds = [(case.name, seed, measured[case]) for case in tuned for seed in seeds]
    least: dict[str, list[float]] = defaultdict(list)
    for (name, _, _), dollars in zip(bounds, pool.map(_least, bounds), strict=True):
        least[name].append(dollars)
    return [Judged(case, dict(found[case.name]), mean(least[case.name]), PROMISED) for case in tuned]
