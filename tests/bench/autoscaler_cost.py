"""What our scaling costs beside the one who knows the future, and beside peers at their best.

Every policy's knob is swept on training load; the cheapest setting that keeps the promise of 99 % of the
5-minute windows is played on other load with ten seeds: two and a half hours of a core. Load by load the
tables go to out/autoscaler/report.md and the numbers to report.json beside it. What was played is kept in
out/autoscaler/played: a comparison that was ended goes on there.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from pointsman_autoscaler.simulator.contenders import OURS
from pointsman_autoscaler.simulator.oracle import Abilities, abilities, foresee, least_dollars
from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.run import simulate
from tests.bench.keeping import kept, key_of
from tests.bench.measurement import Effort, Measurement
from tests.bench.scaling_report import Judged, written
from tests.bench.scaling_scenarios import CASES, Case
from tests.bench.scaling_tuning import (
    ABLATIONS,
    ORACLE,
    PEERS,
    PROMISED,
    Entry,
    best,
    entries,
    mean,
    module,
    policy,
)

OUT = Path("out/autoscaler")
_SEEDS = 10
_SEEDS_OF_PARTS = 3
_BY_NAME = {case.name: case for case in CASES}

Job = tuple[str, Entry, int, bool, Abilities]


async def measure(effort: Effort) -> list[Measurement]:
    """Of each load the ratios of our dollars to the clairvoyant's and to the best peer's, and how much of the
    promise was kept.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    judged: list[Judged] = []
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for case in CASES[:2] if effort.quick else CASES:
            print(f"{case.name} …", file=sys.stderr, flush=True)
            judged.append(compared(pool, case, 2 if effort.quick else _SEEDS))
            text, numbers = written(judged)
            (OUT / "report.md").write_text(text, "utf-8")
            (OUT / "report.json").write_text(json.dumps(numbers, indent=1), "utf-8")
    print(text)
    return [measurement for one in judged for measurement in _measured(one)]


def _measured(judged: Judged) -> list[Measurement]:
    load = re.sub(r"\W+", "_", judged.case.name)
    return [
        Measurement(f"{load}_against_clairvoyant", "ratio", (judged.against(ORACLE),)),
        Measurement(f"{load}_against_best_peer", "ratio", (judged.against_best_peer,)),
        Measurement(f"{load}_attained", "share", (judged.attained(OURS),)),
    ]


def compared(pool: ProcessPoolExecutor, case: Case, seeds: int) -> Judged:
    """Each policy at its best of a sweep on training load, and ours as shipped and without its parts."""
    measured = next(iter(pool.map(_abilities, [case.name])))
    chosen = [best(_played(pool, case, entries(name), True, 1, measured)) for name in (OURS, ORACLE, *PEERS)]
    ours = chosen[0]
    shipped = [Entry(OURS)] if ours.value is not None else []
    results = _played(pool, case, [*chosen, *shipped], False, seeds, measured)
    parts = [Entry(OURS, ours.value, part) for part in ABLATIONS]
    results |= _played(pool, case, parts, False, min(seeds, _SEEDS_OF_PARTS), measured)
    least = list(pool.map(_least, [(case.name, seed, measured) for seed in range(seeds)]))
    judged = Judged(case, results, mean(least), PROMISED)
    if judged.clairvoyant_as_good is None:
        # What it costs who knows each window's mean to serve what comes within windows, too.
        more = [entry for entry in entries(ORACLE) if (entry.value or 0.0) > (chosen[1].value or 0.0)]
        judged = replace(judged, results=results | _played(pool, case, more, False, seeds, measured))
    return judged


def _abilities(name: str) -> Abilities:
    case = _BY_NAME[name]
    return abilities(case.make(0, True), case.mixes)


def _run(job: Job) -> Result:
    name, entry, seed, is_training, measured = job
    case = _BY_NAME[name]
    scenario = case.make(seed, is_training)
    known = (case.mixes, measured) if entry.name == ORACLE else None
    key = key_of(module(entry), entry.setting, scenario, seed, known)

    def play() -> Result:
        return simulate(scenario, policy(entry, scenario, case.mixes, measured, seed), seed)

    return kept(OUT / "played", key, play)


def _least(job: tuple[str, int, Abilities]) -> float:
    name, seed, measured = job
    case = _BY_NAME[name]
    scenario = case.make(seed, False)
    return least_dollars(scenario, foresee(scenario, case.mixes, measured, seed))


def _played(
    pool: ProcessPoolExecutor,
    case: Case,
    tried: Iterable[Entry],
    is_training: bool,
    seeds: int,
    measured: Abilities,
) -> dict[Entry, Sequence[Result]]:
    jobs = [(case.name, entry, seed, is_training, measured) for entry in tried for seed in range(seeds)]
    found: dict[Entry, list[Result]] = defaultdict(list)
    for job, result in zip(jobs, pool.map(_run, jobs, chunksize=1), strict=True):
        found[job[1]].append(result)
    return dict(found)
