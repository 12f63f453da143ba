"""`pointsman simulate PATH… --trace FILE`: what these settings would have cost, beside those of others."""

import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from pydantic import ValidationError

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.api.examination import examine
from pointsman.api.fleet import PrometheusSettings
from pointsman.catalog import shipped_catalog
from pointsman.cli.reading import read_texts
from pointsman.errors import PointsmanError
from pointsman_autoscaler.signals.history import arrivals, recorded_rates
from pointsman_autoscaler.simulator.contenders import OURS, Contender, parse, settings_of_knob
from pointsman_autoscaler.simulator.reach import nearest_miss
from pointsman_autoscaler.simulator.report.comparison import Comparison, Tried
from pointsman_autoscaler.simulator.report.document import document
from pointsman_autoscaler.simulator.report.page import page
from pointsman_autoscaler.simulator.report.table import outcome
from pointsman_autoscaler.simulator.scenario import Scenario
from pointsman_autoscaler.simulator.side_by_side import side_by_side
from pointsman_autoscaler.simulator.study import LENGTHS, arrivals_of, study
from pointsman_autoscaler.simulator.traces import LARGEST_BYTES, read_trace

_FOUND_ERRORS = 1
_DAY = 86_400.0
_GZIP = b"\x1f\x8b"
_USUAL_PEERS = "hpa,keda,wva"

_EXAMPLES = """\b
Examples:
  pointsman simulate examples/autoscaling --trace week.csv
  pointsman simulate scaling.yaml fleet.yaml --trace week.csv --against hpa=0.6,wva --tune
"""


@click.command(name="simulate", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="PATH...")
@click.option(
    "--trace",
    "trace_file",
    default="",
    type=click.Path(dir_okay=False),
    help="CSV: TIMESTAMP,ContextTokens,GeneratedTokens a request, or "
    "t_seconds,arrivals_per_second[,interarrival_cv] an interval.",
)
@click.option(
    "--prometheus", default="", help="Instead: the URL of a Prometheus that recorded the load.", metavar="URL"
)
@click.option(
    "--query",
    default="",
    help="What to ask it, as one rate in requests a second. [default: what gateways sent to the deployment]",
)
@click.option("--days", type=click.FloatRange(0.01, 60), default=7, show_default=True, help="How far back.")
@click.option("--deployment", default="", help="Its name, where the files have several with scaling.")
@click.option(
    "--against",
    default=_USUAL_PEERS,
    show_default=True,
    help="Peers to compare with, each as shipped or with a value of its knob: hpa=0.6. An unknown name lists "
    "them all; empty: none.",
)
@click.option("--tune", is_flag=True, help="Try every setting of the peers' knobs, and show what each buys.")
@click.option(
    "--load",
    type=click.FloatRange(min=0, min_open=True),
    help="The share of the recorded requests that comes to this deployment; above 1 several copies. "
    "[default: all, or as many as a minute's simulation takes]",
)
@click.option(
    "--requests",
    "kind",
    type=click.Choice(["conversation", "code"]),
    default="conversation",
    show_default=True,
    help="What is asked, where the trace has rates alone.",
)
@click.option("--startup", type=click.Choice(["cached", "warm", "cold"]), default="warm", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(1, 50),
    default=1,
    show_default=True,
    help="How many, from --seed on: of starts, losses and choices, and so how far outcomes differ by luck.",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--report", type=click.Path(dir_okay=False), default="out/simulation.html", show_default=True,
    help='An HTML page with plots; "": none.',
)  # fmt: skip
def command(
    paths: tuple[str, ...],
    trace_file: str,
    prometheus: str,
    query: str,
    days: float,
    deployment: str,
    against: str,
    tune: bool,
    load: float | None,
    kind: str,
    startup: str,
    seed: int,
    seeds: int,
    output: str,
    report: str,
) -> int:
    """Play a recorded load to a deployment's scaling settings, without a cluster and without an accelerator.

    Engines are simulated step by step, with start-up times, scrapes, failed starts and bills; a fleet.yaml
    among the paths says prices and quotas. A simulation is as good as its laws: autoscaler/README.md says how
    far they are off.

    \b
    attainment         the share of 5-minute windows in which every objective held
    worst 5 min        of the requests of the worst window, how many were within every bound
    requests met       of all requests, how many were
    against the bound  the bill, divided by the least at which somebody who knows the future
                       serves every window; -: nobody can, or no whole window
    reversals/day      how often replicas of a pool went the other way than before

    Exits with 1 if a file has an error.
    """
    examination = examine(read_texts(paths), "any")
    for finding in examination.findings:
        click.echo(finding.text(), err=True)
    if examination.has_errors:
        return _FOUND_ERRORS
    peers = parse(against, "--against")
    if report:
        _refuse_unless_writable(Path(report))
    resources = [located.resource for located in examination.objects]
    chosen = _chosen([one for one in resources if isinstance(one, ModelDeployment)], deployment)
    fleet = next((one for one in resources if isinstance(one, FleetSettings)), FleetSettings())
    name, text = _recorded(chosen, trace_file, prometheus, query, days)
    trace = read_trace(text, name)
    context = (chosen.spec.model.context_length if chosen.spec.model is not None else None) or 0
    load_there = arrivals_of(trace, load, LENGTHS[kind](), context, seed)
    made = study(chosen, fleet, shipped_catalog(), load_there, trace_name=name, startup=startup)
    comparison = _compared(made.scenario, peers, tune, range(seed, seed + seeds), fleet.currency)
    if output == "json":
        click.echo(json.dumps(document(comparison), indent=2))
    else:
        click.echo(_title(made.scenario, comparison.seeds))
        click.echo(outcome(comparison).text())
        for note in comparison.notes:
            click.echo(note)
    # Last, as a disk that is full by now need not take the rest with it.
    if report:
        _write(Path(report), page(comparison, made.facts))
        if output == "table":
            click.echo(f"report: {report}")
    return 0


def _chosen(deployments: Sequence[ModelDeployment], name: str) -> ModelDeployment:
    """The one that is named, or the only one that is scaled."""
    scaled = [one for one in deployments if one.spec.scaling is not None and one.spec.hosted is None]
    named = [one for one in scaled if name in ("", one.metadata.name, str(one.key))]
    if len(named) == 1:
        return named[0]
    names = ", ".join(one.metadata.name for one in scaled)
    if not scaled:
        raise PointsmanError(
            "no ModelDeployment with spec.scaling", where="PATH", todo="state maxReplicas and objectives"
        )
    what = f"no scaled ModelDeployment {name!r}" if name else f"{len(scaled)} scaled ModelDeployments"
    raise PointsmanError(what, where="--deployment", todo=f"name one of {names}")


def _recorded(
    deployment: ModelDeployment, trace_file: str, prometheus: str, query: str, days: float
) -> tuple[str, str]:
    """A name and the text of a trace."""
    if bool(trace_file) == bool(prometheus):
        raise PointsmanError(
            "a recorded load is needed, and one alone",
            where="--trace, --prometheus",
            todo="give a CSV file or the URL of a Prometheus",
        )
    if trace_file:
        return Path(trace_file).name, _text(Path(trace_file))
    try:
        settings = PrometheusSettings(url=prometheus)
    except ValidationError:
        raise PointsmanError(
            f"{prometheus!r} is no URL", where="--prometheus", todo="write one such as http://localhost:9090"
        ) from None
    asked = query or arrivals(deployment.key)
    return "Prometheus", recorded_rates(settings, asked, days * _DAY, time.time())


def _compared(
    scenario: Scenario, peers: Sequence[Contender], tune: bool, seeds: Sequence[int], currency: str
) -> Comparison:
    ours = Contender(OURS)
    tried = {peer.name: settings_of_knob(peer.name) for peer in peers} if tune else {}
    everyone = list(dict.fromkeys((ours, *peers, *(one for sweep in tried.values() for one in sweep))))
    with _progress() as told:
        results, least = side_by_side(scenario, everyone, seeds, told)
    found = {
        one: results[place * len(seeds) : (place + 1) * len(seeds)] for place, one in enumerate(everyone)
    }
    sweeps = {
        name: [Tried(one.title, found[one], one.value is None) for one in sweep]
        for name, sweep in {OURS: (ours,), **tried}.items()
    }
    shown = tuple(found[one] for one in dict.fromkeys((ours, *peers)))
    return Comparison(scenario, shown, least, sweeps if tune else None, currency, nearest_miss(scenario))


def _title(scenario: Scenario, seeds: Sequence[int]) -> str:
    load = scenario.arrivals
    p90 = scenario.flavours[0].startup.quantiles.p90_seconds
    drawn = f"seed {seeds[0]}" if len(seeds) == 1 else f"least - most of seeds {seeds[0]} to {seeds[-1]}"
    return (
        f"{_span(load.span_seconds)}, {len(load):,} requests ({load.description}), "
        f"start-up p90 {p90:.0f} s, {drawn}"
    )


def _span(seconds: float) -> str:
    days = seconds / _DAY
    if abs(days - 1) < 0.01:
        return "1 day"
    if days > 1:
        return f"{days:.3g} days"
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"


@contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """A bar on a terminal; nothing elsewhere."""
    shown = click.progressbar(
        length=1000, label="simulating", file=sys.stderr, hidden=not sys.stderr.isatty()
    )
    with shown as bar:

        def told(share: float) -> None:
            bar.update(round(share * 1000) - bar.pos)

        yield told


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise PointsmanError(
                f"it is larger than {LARGEST_BYTES >> 20} MiB",
                where=str(path),
                todo="keep a random share of its rows, or give rates of intervals",
            )
        return content.decode("utf-8")
    except OSError as error:
        raise PointsmanError(f"it cannot be read ({error.strerror})", where=str(path)) from error
    except UnicodeDecodeError as error:
        todo = "unpack it first" if content.startswith(_GZIP) else "save it as CSV in UTF-8"
        raise PointsmanError("it is no UTF-8 text", where=str(path), todo=todo) from error


def _refuse_unless_writable(path: Path) -> None:
    """What can be told of a report's place before hours of simulation."""
    wrong: int | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        wrong = errno.ENOTDIR
    except OSError as error:
        wrong = error.errno
    else:
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            wrong = errno.EACCES
    if wrong is not None:
        raise _unwritable(path, wrong)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error.errno) from error


def _unwritable(path: Path, code: int | None) -> PointsmanError:
    return PointsmanError(f"the report cannot be written ({os.strerror(code or 0)})", where=str(path))
