"""The outcome as one HTML page that needs no network: the table, and what happened when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from pointsman_autoscaler.simulator.report.comparison import Comparison
from pointsman_autoscaler.simulator.report.plot import Point, Series, lines, scatter, stacked
from pointsman_autoscaler.simulator.report.table import outcome
from pointsman_autoscaler.simulator.result import Floats, Result

_WINDOW = 5
"""Minutes, as attainment is counted in."""
_COLOURS = 10


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    text: str
    keys: tuple[tuple[str, int], ...]
    plots: tuple[Plot, ...]
    has_lines: bool = False
    """Whether the keys name lines, and not areas."""


def page(comparison: Comparison, facts: Sequence[tuple[str, str]]) -> str:
    """HTML. `facts` are lines of settings beside what the scenario says itself."""
    sections = [_load(comparison), _replicas(comparison), _attainment(comparison), _cost(comparison)]
    if comparison.sweeps:
        sections.append(_front(comparison))
    return _template().render(
        title="How the replicas would have followed the load",
        subtitle=_subtitle(comparison),
        facts=facts,
        table=outcome(comparison),
        notes=comparison.notes,
        sections=sections,
    )


@cache
def _template() -> Template:
    loader = PackageLoader("pointsman_autoscaler.simulator.report", "templates")
    return Environment(loader=loader, undefined=StrictUndefined, autoescape=True).get_template("page.html.j2")


def _subtitle(comparison: Comparison) -> str:
    arrivals = comparison.scenario.arrivals
    seeds, span = comparison.seeds, comparison.span_name
    if not span[0].isdigit():
        span = f"a {span}"
    drawn = (
        f"seed {seeds[0]}"
        if len(seeds) == 1
        else f"seeds {seeds[0]} to {seeds[-1]}, of which the first is drawn"
    )
    return (
        f"{comparison.scenario.name}: {span}, {len(arrivals):,} requests "
        f"({arrivals.description}), {drawn}. A simulation, not a measurement."
    )


def _hours(result: Result) -> Floats:
    return np.arange(len(result.timeline.requests_per_second)) / 60


def _load(comparison: Comparison) -> Section:
    first = comparison.results[0]
    load = Series("requests", first.timeline.requests_per_second, 0)
    return Section(
        "Load", "", (), (Plot("", lines("The load over time", _hours(first), [load], "requests a second")),)
    )


def _replicas(comparison: Comparison) -> Section:
    names = [each.flavour.name for each in comparison.scenario.flavours]
    most = max(float(_sum(result.timeline.billed).max(initial=0)) for result in comparison.results)
    plots = []
    for result in comparison.results:
        areas = [
            Series(name, result.timeline.billed[name], place % _COLOURS) for place, name in enumerate(names)
        ]
        plots.append(
            Plot(
                result.policy,
                stacked(f"{result.policy}: replicas over time", _hours(result), areas, "replicas", most=most),
            )
        )
    keys = tuple((name, place % _COLOURS) for place, name in enumerate(names)) if len(names) > 1 else ()
    return Section("Replicas that are paid for", "Starting, serving or draining.", keys, tuple(plots))


def _attainment(comparison: Comparison) -> Section:
    plots = []
    for result in comparison.results:
        hours = _hours(result)
        share = Series(
            result.policy, np.repeat(_windows(result.timeline.attained), _WINDOW)[: len(hours)] * 100, 0
        )
        said = f"{result.policy}: requests within the bounds over time"
        plots.append(
            Plot(
                result.policy,
                lines(said, hours, [share], "% of requests", height=110, most=100.0, shows=np.fmin),
            )
        )
    text = "The share of the requests of 5 minutes that met every bound."
    return Section("Requests within the bounds", text, (), tuple(plots))


def _cost(comparison: Comparison) -> Section:
    hours = _hours(comparison.results[0])
    series = [
        Series(result.policy, np.cumsum(result.timeline.dollars), place % _COLOURS)
        for place, result in enumerate(comparison.results)
    ]
    keys = tuple((one.name, one.colour) for one in series)
    text = f"{comparison.currency}, added up."
    if comparison.least_dollars is not None:
        text += f" Nobody can serve every window for less than {comparison.least_dollars:,.2f}."
    drawn = lines("The cost of each policy over time", hours, series, comparison.currency, height=280)
    return Section("Cost", text, keys, (Plot("", drawn),), has_lines=True)


def _front(comparison: Comparison) -> Section:
    points, keys = [], []
    for place, (name, sweep) in enumerate((comparison.sweeps or {}).items()):
        colour = place % _COLOURS
        keys.append((name, colour))
        points += [
            Point(name, tried.setting, tried.dollars, tried.attained_windows * 100, colour, tried.is_default)
            for tried in sweep
        ]
    promised = comparison.scenario.settings.attainment * 100
    text = (
        "Each policy with its knob at several settings, its default filled. Up and left is better; "
        f"none is beyond the grey steps. Dashed: the promised {promised:g} %."
    )
    svg = scatter(
        "Cost and attainment of each setting", points, comparison.currency, "% of windows attained", promised
    )
    return Section("What each setting buys", text, tuple(keys), (Plot("", svg),), has_lines=True)


def _sum(by_flavour: Mapping[str, Floats]) -> Floats:
    return np.sum(list(by_flavour.values()), axis=0) if by_flavour else np.zeros(1)


def _windows(attained: Floats) -> Floats:
    """The mean of each window's minutes; NaN where none had arrivals."""
    padded = np.concatenate([attained, np.full(-len(attained) % _WINDOW, np.nan)]).reshape(-1, _WINDOW)
    seen = ~np.isnan(padded)
    counts = seen.sum(axis=1)
    return np.where(counts > 0, np.nansum(padded, axis=1) / np.maximum(counts, 1), np.nan)
