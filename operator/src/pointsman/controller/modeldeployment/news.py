"""Which changes of what belongs to a deployment a look at it would see: counts, addresses and times that pass
are read by nobody, and are most of what a watch tells while pods start. Pure.
"""

from collections.abc import Mapping
from typing import Any

from pointsman.controller.modeldeployment.observed import said_by_workload
from pointsman.kube.objects import (
    DEPLOYMENT,
    LEADER_WORKER_SET,
    POD,
    Kind,
    KubeObject,
    labels_of,
    metadata,
)
from pointsman.kube.packed import same_member

_PASSING = frozenset({"resourceVersion", "generation"})
_OF_THE_CLUSTER = "deployment.kubernetes.io/"
"""Annotations in which the Deployment controller counts for itself."""
_READINESS = frozenset({"Ready", "ContainersReady", "DisruptionTarget"})


def is_news(kind: Kind, before: KubeObject | None, now: KubeObject | None) -> bool:
    """Whether a look may decide or say something else than before the change. One that came or went is."""
    if before is None or now is None:
        return True
    if kind == POD:
        return _of_pod(before) != _of_pod(now)
    if _identity(before) != _identity(now):
        return True
    if kind in (DEPLOYMENT, LEADER_WORKER_SET) and said_by_workload(before) != said_by_workload(now):
        return True
    names = (set(before) | set(now)) - {"metadata", "status"}
    return not all(same_member(before, now, name) for name in names)


def _identity(child: KubeObject) -> Mapping[str, Any]:
    """What the metadata tells. Which fields are ours is a part of it."""
    meta = {name: value for name, value in metadata(child).items() if name not in _PASSING}
    annotations = meta.pop("annotations", None) or {}
    kept = {name: text for name, text in annotations.items() if not name.startswith(_OF_THE_CLUSTER)}
    return {**meta, "annotations": kept}


def _of_pod(pod: KubeObject) -> tuple[Any, ...]:
    """What a pod's trouble and readiness are read from."""
    status = pod.get("status") or {}
    conditions = [
        tuple(one.get(name) for name in ("type", "status", "reason", "message"))
        for one in status.get("conditions") or ()
        if one.get("type") in _READINESS
        or (one.get("type") == "PodScheduled" and one.get("status") != "True")
    ]
    containers = [
        [tuple(one.get(name) for name in ("name", "image", "ready", "state", "lastState")) for one in found]
        for found in (status.get("initContainerStatuses") or (), status.get("containerStatuses") or ())
    ]
    said = tuple(status.get(name) for name in ("phase", "reason", "message"))
    return labels_of(pod), metadata(pod).get("deletionTimestamp"), said, conditions, containers
