"""`python -m tests.bench [NAME…]`: run benchmarks, print the table, exit 1 when one is out of range."""

from __future__ import annotations

import asyncio
import sys

import click

from tests.bench import (
    autoscaler_capacity,
    autoscaler_cost,
    autoscaler_decisions,
    gateway_endpoints,
    gateway_overhead,
    operator_full,
    operator_scale,
    placement,
    policy_admission,
    policy_crowd,
    quickstart_second_start,
    scale_1000,
    simulator,
    streaming_chunks,
)
from tests.bench.load_generator import generator_name
from tests.bench.measurement import Effort, Program
from tests.bench.ranges import RANGES_FILE, Verdict, judge, load_ranges
from tests.bench.table import table

PROGRAMS: dict[str, Program] = {
    "gateway_overhead": gateway_overhead.measure,
    "streaming_chunks": streaming_chunks.measure,
    "scale_1000": scale_1000.measure,
    "quickstart_second_start": quickstart_second_start.measure,
    "placement": placement.measure,
    "autoscaler_capacity": autoscaler_capacity.measure,
    "autoscaler_cost": autoscaler_cost.measure,
    "autoscaler_decisions": autoscaler_decisions.measure,
    "operator_scale": operator_scale.measure,
    "policy_admission": policy_admission.measure,
    "policy_crowd": policy_crowd.measure,
    "operator_full": operator_full.measure,
    "gateway_endpoints": gateway_endpoints.measure,
    "simulator": simulator.measure,
}

LONG = {"autoscaler_cost"}
"""Two and a half hours of a core: only by name."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(PROGRAMS)))
@click.option("--quick", is_flag=True, help="Fewer rounds, to try a program out; nothing is judged.")
def main(names: tuple[str, ...], quick: bool) -> None:
    """Run the named benchmark programs; by default all but autoscaler_cost, which takes hours."""
    ranges = load_ranges(RANGES_FILE.read_text())
    click.echo(f"load generator: {generator_name()}")
    verdicts: list[Verdict] = []
    for name in names or [name for name in PROGRAMS if name not in LONG]:
        click.echo(f"{name} …")
        measurements = asyncio.run(PROGRAMS[name](Effort(quick=quick)))
        verdicts += judge(name, measurements, {} if quick else ranges)
        click.echo(table([verdict for verdict in verdicts if verdict.program == name]))
    broken = [verdict for verdict in verdicts if verdict.problem]
    for verdict in broken:
        click.echo(f"{verdict.program}: {verdict.measurement.name}: {verdict.problem}", err=True)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
