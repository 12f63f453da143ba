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


def page(comparison: Comparison, facts: Sequence[tuple[str, str]], notes: Sequence[str] = ()) -> str:
    """HTML. `facts` are lines of settings beside what the scenario says itself."""
    sections = [_load(comparison), _replicas(comparison), _attainment(comparison), _cost(comparison)]
    if comparison.sweeps:
        sections.append(_front(comparison))
    return _template().render(
        title="How the replicas would have followed the load",
        subtitle=_subtitle(comparison),
        facts=facts,
        table=outcome(comparison),
        notes=notes,
        sections=sections,
    )


@cache
def _template() -> Template:
    loader = PackageLoader("pointsman_autoscaler.simulator.report", "templates")
    return Environment(loader=loader, undefined=StrictUndefined, autoescape=True).get_template("page.html.j2")


def _subtitle(comparison: Comparison) -> str:
    arrivals = comparison.scenario.arrivals
    return (
        f"{comparison.scenario.name}: {comparison.span_name}, {len(arrivals):,} requests "
        f"({arrivals.description}), seed {comparison.results[0].seed}. A simulation, not a measurement."
    )


def _hours(result: Result) -> Floats:
    return np.arange(len(result.timeline.requests_per_second)) / 60


def _load(comparison: Comparison) -> Section:
    first = comparison.results[0]
    load = Series("requests", first.timeline.requests_per_second, 0)
    return Section("Load", "", (), (Plot("", lines(_hours(first), [load], "requests/s")),))


def _replicas(comparison: Comparison) -> Section:
    names = [each.flavour.name for each in comparison.scenario.flavours]
    most = max(float(_sum(result.timeline.billed).max(initial=0)) for result in comparison.results)
    plots = []
    for result in comparison.results:
        areas = [
            Series(name, result.timeline.billed[name], place % _COLOURS) for place, name in enumerate(names)
        ]
        plots.append(Plot(result.policy, stacked(_hours(result), areas, "replicas", most=most)))
    keys = tuple((name, place % _COLOURS) for place, name in enumerate(names)) if len(names) > 1 else ()
    return Section("Replicas that are paid for", "Starting, serving or draining.", keys, tuple(plots))


def _attainment(comparison: Comparison) -> Section:
    plots = []
    for result in comparison.results:
        share = Series(result.policy, _windows(result.timeline.attained) * 100, 0)
        hours = np.arange(len(share.values)) * _WINDOW / 60
        plots.append(Plot(result.policy, lines(hours, [share], "%", height=90, most=100.0)))
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
        text += f" Nobody can serve every window for less than {comparison.least_dollars:,.0f}."
    return Section("Cost", text, keys, (Plot("", lines(hours, series, comparison.currency, height=260)),))


def _front(comparison: Comparison) -> Section:
    points, keys = [], []
    for place, (name, sweep) in enumerate((comparison.sweeps or {}).items()):
        colour = place % _COLOURS
        keys.append((name, colour))
        points += [
            Point(name, tried.result.dollars, tried.result.attained_windows * 100, colour, tried.is_default)
            for tried in sweep
        ]
    text = (
        "Each policy with its knob at several settings; the filled dot is its default. Up and left is better."
    )
    svg = scatter(points, comparison.currency, "% of windows attained")
    return Section("What each setting buys", text, tuple(keys), (Plot("", svg),))


def _sum(by_flavour: Mapping[str, Floats]) -> Floats:
    return np.sum(list(by_flavour.values()), axis=0) if by_flavour else np.zeros(1)


def _windows(attained: Floats) -> Floats:
    """The mean of each window's minutes; NaN where none had arrivals."""
    padded = np.concatenate([attained, np.full(-len(attained) % _WINDOW, np.nan)]).reshape(-1, _WINDOW)
    seen = ~np.isnan(padded)
    counts = seen.sum(axis=1)
    return np.where(counts > 0, np.nansum(padded, axis=1) / np.maximum(counts, 1), np.nan)
