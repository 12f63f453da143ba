"""Whether the metrics that others decide by are there, as engines of the version that holds show. Pure."""

from pointsman.api import ModelDeployment
from pointsman.api.modeldeployment_status import MetricStatus
from pointsman.api.verdicts import Verdict
from pointsman.catalog.metric_report import NOT_KNOWN, metric_statuses, metrics_available
from pointsman.controller.modeldeployment.snapshot import Reports
from pointsman.workloads.rendering import Rendering

Seen = tuple[Verdict, tuple[MetricStatus, ...]]
"""The condition, and each name."""


def seen(deployment: ModelDeployment, rendering: Rendering | None, reports: Reports) -> Seen:
    """What was said before stays until the engines of this version were asked: an operator that has just
    begun knows nothing, and that is no news.
    """
    if rendering is None:
        return NOT_KNOWN, ()
    found = [reports.known[one] for one in sorted(rendering.revisions & reports.known.keys())]
    if not found and rendering.revisions & reports.awaited:
        return _former(deployment)
    assert deployment.spec.engine is not None
    verdict = metrics_available(str(deployment.spec.engine.name), rendering.version, found)
    return verdict, metric_statuses(found)


def _former(deployment: ModelDeployment) -> Seen:
    former = next((one for one in deployment.status.conditions if one.type == NOT_KNOWN.type), None)
    if former is None or deployment.status.engine is None:
        return NOT_KNOWN, ()
    said = Verdict(former.type, former.status, former.reason, former.message)
    return said, deployment.status.engine.metrics
