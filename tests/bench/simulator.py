"""The autoscaler's simulator beside measured latencies, and how fast it is.

The first column is placement's law, which no row of the held-out traffic was fitted to; the second has a law
fitted to each group's times between tokens, so that what remains is the engine's model. What a comparison of
policies shows below these errors is not claimed.
"""

from __future__ import annotations

import time

from pointsman_autoscaler.simulator.run import simulate
from tests.bench.measurement import Effort, Measurement
from tests.support.closed_loop import Errors, Group, Played, by_tensor, errors, fitted, groups, played
from tests.support.profiles import Row, law, rows
from tests.support.simulated import Still, random_arrivals, scenario

_VLLM = "vllm"
_WEEK = 7 * 86_400.0
# So many requests are some 300,000 in a week.
_REQUESTS_PER_SECOND = 0.5
_REPLICAS = 3


async def measure(effort: Effort) -> list[Measurement]:
    """Shares, and seconds of processor time."""
    some = [row for row in rows() if not row.is_doubtful]
    compared = {group: (_prior(members), _fitted(members)) for group, members in groups(some).items()}
    print(_table(compared))
    vllm = [both for group, both in compared.items() if group[0] == _VLLM]
    return [
        Measurement("ttft_error", "share", tuple(prior.ttft for prior, _ in vllm)),
        Measurement("tpot_error", "share", tuple(prior.tpot for prior, _ in vllm), judged="max"),
        Measurement("fitted_tpot_error", "share", tuple(own.tpot for _, own in vllm), judged="max"),
        Measurement("week", "s", tuple(_week_seconds(effort, seed) for seed in range(2))),
    ]


def _prior(members: list[Row]) -> Errors:
    return errors(played(row, law(row)) for row in members)


def _fitted(members: list[Row]) -> Errors:
    found: list[Played] = []
    for alike in by_tensor(members):
        step = fitted(alike)
        found += [played(row, step or law(row)) for row in alike]
    return errors(found)


def _table(compared: dict[Group, tuple[Errors, Errors]]) -> str:
    """As the autoscaler's page has it."""
    lines = [
        "| engine | model | precision | accelerator | rows | TTFT | TPOT | TTFT, own law | TPOT, own law |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for group, (prior, own) in compared.items():
        shares = (prior.ttft, prior.tpot, own.ttft, own.tpot)
        lines.append(
            f"| {' | '.join(group)} | {prior.rows} | {' | '.join(f'{share:.0%}' for share in shares)} |"
        )
    return "\n".join(lines)


def _week_seconds(effort: Effort, seed: int) -> float:
    """Processor time of a week of conversations, scaled where only a part of it is played."""
    part = 0.1 if effort.quick else 1.0
    load = random_arrivals(_REQUESTS_PER_SECOND, _WEEK * part, seed, given=1155, answer=211)
    began = time.process_time()
    simulate(scenario(load, initial={"h100": _REPLICAS}), Still({"h100": _REPLICAS}), seed)
    return (time.process_time() - began) / part
