"""What is said of the metrics that engines show, as they are asked, fall silent, and run another version."""

from __future__ import annotations

from pointsman.catalog.metric_report import MetricReport, Presence, ReportedMetric
from pointsman.controller.modeldeployment.snapshot import Reports
from pointsman.kube.objects import labels_of
from pointsman.workloads import naming
from tests.support.decided_cluster import Cluster, own_model

ALL = MetricReport(True, (ReportedMetric("steps_total", "llamacpp:n_decode_total", Presence.FOUND),))
LACKING = MetricReport(True, (ReportedMetric("steps_total", "llamacpp:n_decode_total", Presence.MISSING),))


def running() -> Cluster:
    cluster = Cluster(own_model())
    cluster.settle()
    cluster.run_pods()
    return cluster


def revision(cluster: Cluster) -> str:
    return labels_of(cluster.pods[0])[naming.REVISION]


def told(cluster: Cluster, report: MetricReport) -> None:
    cluster.reports = Reports({revision(cluster): report})
    cluster.settle()


def test_what_nobody_has_told_is_not_known_and_serves() -> None:
    cluster = running()
    cluster.settle()
    assert cluster.condition("MetricsAvailable") == ("Unknown", "NotKnown")
    assert cluster.condition("Ready") == ("True", "ReplicasReady")


def test_a_missing_name_is_named_announced_once_and_takes_no_requests_away() -> None:
    cluster = running()
    cluster.settle()
    cluster.reports = Reports({revision(cluster): LACKING})
    [event] = cluster.plan().announcements
    assert (event.reason, event.is_warning) == ("NamesMissing", True)
    cluster.settle()
    assert cluster.condition("MetricsAvailable") == ("False", "NamesMissing")
    assert "llamacpp:n_decode_total (steps_total)" in cluster.message("MetricsAvailable")
    assert cluster.condition("Ready") == ("True", "ReplicasReady")
    assert cluster.plan().announcements == ()
    [metric] = cluster.deployment["status"]["engine"]["metrics"]
    assert metric == {"name": "steps_total", "resolvedTo": "llamacpp:n_decode_total", "available": False}
    told(cluster, ALL)
    assert cluster.condition("MetricsAvailable") == ("True", "Available")


def test_an_operator_that_begins_says_what_was_said_until_it_has_asked() -> None:
    cluster = running()
    told(cluster, ALL)
    before = cluster.deployment["status"]
    cluster.reports = Reports(awaited=frozenset({revision(cluster)}))
    assert cluster.step() == []
    assert cluster.deployment["status"] == before


def test_engines_that_stay_silent_are_not_known() -> None:
    cluster = running()
    told(cluster, ALL)
    cluster.reports = Reports()
    cluster.settle()
    assert cluster.condition("MetricsAvailable") == ("Unknown", "NotKnown")
    assert (
        "metrics" not in cluster.deployment["status"]["engine"]
        or not (cluster.deployment["status"]["engine"]["metrics"])
    )


def test_another_version_is_told_of_by_its_own_engines() -> None:
    cluster = running()
    told(cluster, LACKING)
    cluster.change(own_model(model={"contextLength": 4096}))
    cluster.settle()
    cluster.run_pods()
    told(cluster, ALL)
    assert cluster.condition("MetricsAvailable") == ("True", "Available")
