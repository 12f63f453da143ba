"""Which of its adapters a deployment answers as, in how many replicas, and why not. Pure."""

from collections.abc import Mapping, Sequence

from pointsman.api import Adapter, ModelDeployment
from pointsman.api.modeldeployment_status import AdapterStatus
from pointsman.catalog.adapter_report import AdapterReport
from pointsman.kube.objects import KubeObject, is_being_deleted, is_ready, key_of, labels_of
from pointsman.workloads import naming
from pointsman.workloads.adapters import path_of
from pointsman.workloads.rendering import Rendering

LOADING = "is being loaded"
NO_REPLICA = "no replica is ready"
SILENT = "the agent does not say which adapters its engine has"


def seen(
    deployment: ModelDeployment,
    rendering: Rendering,
    pods: Sequence[KubeObject],
    reports: Mapping[str, AdapterReport],
) -> tuple[AdapterStatus, ...]:
    """Each adapter that is listed. What was said before of the same adapter stays until all ready replicas
    were asked: an operator that has just begun knows nothing, and that is no news.
    """
    model = deployment.spec.model
    if model is None or not model.adapters:
        return ()
    ready = [
        pod
        for pod in pods
        if is_ready(pod)
        and not is_being_deleted(pod)
        and labels_of(pod).get(naming.ROLE) == naming.LEADER
        and labels_of(pod).get(naming.REVISION) in rendering.revisions
    ]
    if not rendering.adapters:
        return tuple(_of_pods(one, len(ready)) for one in model.adapters)
    told = [reports[key_of(pod).name] for pod in ready if key_of(pod).name in reports]
    former = (
        {} if len(told) == len(ready) else {(one.name, one.path): one for one in deployment.status.adapters}
    )
    return tuple(
        former.get((one.name, path_of(one))) or _loaded_live(one, told, len(ready)) for one in model.adapters
    )


def trouble(adapters: Sequence[AdapterStatus]) -> str:
    """Which adapters cannot be loaded, and why; "" where all are, or are on their way."""
    passing = ("", LOADING, NO_REPLICA)
    return "; ".join(f"{one.name}: {one.reason}" for one in adapters if one.reason not in passing)


def _of_pods(adapter: Adapter, ready: int) -> AdapterStatus:
    """Pods that name their adapters at the start of the engine have them once they are ready."""
    reason = "" if ready else NO_REPLICA
    return AdapterStatus(name=adapter.name, revision=adapter.revision, loaded=ready, reason=reason)


def _loaded_live(adapter: Adapter, told: Sequence[AdapterReport], ready: int) -> AdapterStatus:
    path = path_of(adapter)
    found = [
        one for report in told for one in report.adapters if (one.name, one.path) == (adapter.name, path)
    ]
    loaded = sum(one.loaded for one in found)
    troubles = sorted(one.trouble for one in found if not one.loaded and one.trouble)
    if not ready:
        reason = NO_REPLICA
    elif troubles:
        reason = troubles[0]
    elif any(not report.list_digest for report in told):
        reason = SILENT
    else:
        reason = "" if loaded == ready else LOADING
    return AdapterStatus(
        name=adapter.name, revision=adapter.revision, path=path, loaded=loaded, reason=reason
    )
