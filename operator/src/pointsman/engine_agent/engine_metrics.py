"""An engine's own metrics page in the one set of names that every engine has here. Pure.

Engines rename metrics between versions, and whoever reads a name that is gone reads nothing and thinks it is
zero. So each of our names is told apart from those that the engine does not have.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from pointsman.catalog import EngineFacts, EngineMetric, MetricName
from pointsman.catalog.metric_report import MetricReport, Presence, ReportedMetric

PREFIX = "pointsman_engine_"

_ENOUGH_TOKENS = 1000
"""An engine that has made so many has answered more than readiness asks of it, which is one token, and has
shown whatever it shows at all."""


@dataclass(frozen=True)
class Readings:
    """What a page says. `values` are sums over the engine's own labels, by our name (and bucket edge);
    `missing` are our names that the version should have and its page does not, whether or not it would show
    them by now.
    """

    families: tuple[Metric, ...]
    values: Mapping[str, float]
    missing: tuple[str, ...]


def read(page: str, facts: EngineFacts, version: str | None) -> Readings:
    """The page of an engine of this version. Raises ValueError for what is no metrics page."""
    sums: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            edges = sums.setdefault(sample.name, {})
            edge = sample.labels.get("le", "")
            edges[edge] = edges.get(edge, 0.0) + sample.value
    families: list[Metric] = []
    values: dict[str, float] = {}
    missing: list[str] = []
    for name, metric in sorted(facts.metric_names(version).items()):
        ours = _family(name, metric, sums)
        if ours is None:
            missing.append(name)
            continue
        families.append(ours)
        if metric.kind != "histogram":
            values[name] = ours.samples[0].value
    return Readings(tuple(families), values, tuple(missing))


def _family(name: str, metric: EngineMetric, sums: Mapping[str, Mapping[str, float]]) -> Metric | None:
    help_text = f"{metric.engine_name} of the engine."
    family = Metric(PREFIX + name.removesuffix("_total"), help_text, metric.kind)
    if metric.kind != "histogram":
        found = sums.get(metric.engine_name)
        if found is None:
            return None
        family.add_sample(PREFIX + name, {}, sum(found.values()) * metric.scale)
        return family
    buckets = sums.get(f"{metric.engine_name}_bucket")
    if buckets is None:
        return None
    for edge, count in _by_edge(buckets):
        family.add_sample(f"{PREFIX}{name}_bucket", {"le": _scaled(edge, metric.scale)}, count)
    for part, scale in (("_sum", metric.scale), ("_count", 1.0)):
        family.add_sample(
            f"{PREFIX}{name}{part}", {}, sum(sums.get(metric.engine_name + part, {}).values()) * scale
        )
    return family


def _by_edge(buckets: Mapping[str, float]) -> Iterable[tuple[str, float]]:
    return sorted(buckets.items(), key=lambda bucket: float(bucket[0]))


def _scaled(edge: str, scale: float) -> str:
    return edge if scale == 1.0 or edge == "+Inf" else f"{float(edge) * scale:g}"


def report(readings: Readings | None, facts: EngineFacts, version: str | None) -> MetricReport:
    """Which of the names that the version should have its page has; None in `readings`: there is no page."""
    names = facts.metric_names(version)
    if readings is None:
        return MetricReport(
            False,
            tuple(
                ReportedMetric(name, metric.engine_name, Presence.MISSING)
                for name, metric in sorted(names.items())
            ),
        )
    is_used = readings.values.get(MetricName.GENERATION_TOKENS, 0.0) >= _ENOUGH_TOKENS
    return MetricReport(
        True,
        tuple(
            ReportedMetric(name, metric.engine_name, _presence(name, metric, readings, is_used=is_used))
            for name, metric in sorted(names.items())
        ),
    )


def _presence(name: str, metric: EngineMetric, readings: Readings, *, is_used: bool) -> Presence:
    if name not in readings.missing:
        return Presence.FOUND
    return Presence.UNSEEN if metric.shown == "onceObserved" and not is_used else Presence.MISSING
