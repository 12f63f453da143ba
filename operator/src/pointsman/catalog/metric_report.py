"""Which of our metrics an engine's own page has: what an agent tells, and what a status says of it. Pure.

Whoever reads a name that is gone reads nothing and thinks it is zero: autoscalers and canaries are told.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pointsman.api.modeldeployment_status import MetricStatus
from pointsman.api.verdicts import FALSE, TRUE, UNKNOWN, Verdict
from pointsman.errors import PointsmanError

PATH: Final = "/metrics/names"
"""Where an agent tells it."""

_TYPE = "MetricsAvailable"
NOT_KNOWN = Verdict(_TYPE, UNKNOWN, "NotKnown", "no replica has told yet which metrics its engine has")


class Presence(StrEnum):
    FOUND = "found"
    UNSEEN = "unseen"
    """The engine shows it only once it has had more to do."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ReportedMetric:
    """One of our names, what the engine's version calls it, and whether its page has that."""

    name: str
    engine_name: str
    presence: Presence


@dataclass(frozen=True, slots=True)
class MetricReport:
    """What one engine was seen to have. `page_answers`: it has a page, whatever is on it."""

    page_answers: bool
    metrics: tuple[ReportedMetric, ...] = ()

    @property
    def missing(self) -> tuple[ReportedMetric, ...]:
        return tuple(one for one in self.metrics if one.presence is Presence.MISSING)

    def to_json(self) -> str:
        stated = [
            {"name": one.name, "engineName": one.engine_name, "presence": str(one.presence)}
            for one in self.metrics
        ]
        return json.dumps({"pageAnswers": self.page_answers, "metrics": stated})


def read_report(text: str) -> MetricReport:
    """What an agent told. Raises PointsmanError for anything else."""
    try:
        stated: Any = json.loads(text)
        return MetricReport(
            bool(stated["pageAnswers"]),
            tuple(
                ReportedMetric(str(one["name"]), str(one["engineName"]), Presence(one["presence"]))
                for one in stated["metrics"]
            ),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PointsmanError("this is no report of an engine's metrics") from error


def metrics_available(engine: str, version: str, reports: Iterable[MetricReport]) -> Verdict:
    """What the engines of one version are seen to have, as a condition."""
    found = tuple(reports)
    if not found:
        return NOT_KNOWN
    if not any(report.metrics for report in found):
        message = f"the catalogue names no metrics of {engine}: nothing can be scaled or judged by them"
        return Verdict(_TYPE, UNKNOWN, "NoneNamed", message)
    called = f"{engine} {version}".rstrip()
    if not all(report.page_answers for report in found):
        return Verdict(_TYPE, FALSE, "NoMetricsPage", f"the metrics page of {called} does not answer")
    missing = sorted({(one.engine_name, one.name) for report in found for one in report.missing})
    if missing:
        said = ", ".join(f"{engine_name} ({name})" for engine_name, name in missing)
        message = f"the metrics page of {called} does not have {said}; what is read from it is not known"
        return Verdict(_TYPE, FALSE, "NamesMissing", message)
    return Verdict(_TYPE, TRUE, "Available", "")


def metric_statuses(reports: Sequence[MetricReport]) -> tuple[MetricStatus, ...]:
    """Each of our names once: available where every engine that was seen has it."""
    by_name: dict[str, MetricStatus] = {}
    for one in (one for report in reports for one in report.metrics):
        former = by_name.get(one.name)
        by_name[one.name] = MetricStatus(
            name=one.name,
            resolved_to=one.engine_name,
            available=one.presence is Presence.FOUND and (former is None or former.available),
        )
    return tuple(by_name[name] for name in sorted(by_name))
