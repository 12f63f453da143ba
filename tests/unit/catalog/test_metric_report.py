"""What is said of engines whose metrics pages have, or lack, the names that others decide by."""

from __future__ import annotations

import pytest

from pointsman.catalog.metric_report import (
    MetricReport,
    Presence,
    ReportedMetric,
    metric_statuses,
    metrics_available,
    read_report,
)
from pointsman.errors import PointsmanError


def report(*, page: bool = True, **presences: str) -> MetricReport:
    return MetricReport(
        page,
        tuple(
            ReportedMetric(name, f"vllm:{name}", Presence(presence)) for name, presence in presences.items()
        ),
    )


GOOD = report(steps_total="found", queue_seconds="found")
CASES = {
    "nobody has told": ((), "Unknown NotKnown no replica has told yet which metrics its engine has"),
    "all are there": ((GOOD,), "True Available "),
    "one is shown later": ((report(steps_total="found", queue_seconds="unseen"),), "True Available "),
    "one is missing": (
        (report(steps_total="found", queue_seconds="missing"),),
        "False NamesMissing the metrics page of vllm 0.33.0 does not have vllm:queue_seconds (queue_seconds);"
        " what is read from it is not known",
    ),
    "one of two pools lacks one": (
        (GOOD, report(steps_total="missing", queue_seconds="found")),
        "False NamesMissing the metrics page of vllm 0.33.0 does not have vllm:steps_total (steps_total);"
        " what is read from it is not known",
    ),
    "there is no page": (
        (report(page=False, steps_total="missing"),),
        "False NoMetricsPage the metrics page of vllm 0.33.0 does not answer",
    ),
    "the catalogue names none": (
        (report(),),
        "Unknown NoneNamed the catalogue names no metrics of vllm: nothing can be scaled or judged by them",
    ),
}


@pytest.mark.parametrize(("reports", "want"), CASES.values(), ids=CASES)
def test_the_condition(reports: tuple[MetricReport, ...], want: str) -> None:
    said = metrics_available("vllm", "0.33.0", reports)
    assert f"{said.status} {said.reason} {said.message}" == want


def test_each_name_once_and_available_where_all_have_it() -> None:
    said = metric_statuses((GOOD, report(steps_total="found", queue_seconds="missing")))
    assert [(one.name, one.resolved_to, one.available) for one in said] == [
        ("queue_seconds", "vllm:queue_seconds", False),
        ("steps_total", "vllm:steps_total", True),
    ]


def test_it_survives_the_way_from_an_agent() -> None:
    assert read_report(GOOD.to_json()) == GOOD


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"pageAnswers": true, "metrics": [{"name": "a"}]}', "null"]
)
def test_anything_else_is_no_report(text: str) -> None:
    with pytest.raises(PointsmanError, match="no report"):
        read_report(text)
