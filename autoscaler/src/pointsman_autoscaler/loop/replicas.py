"""Pods of engines as replicas. Pure."""

from datetime import datetime

from pointsman.addresses import Address
from pointsman.api import ObjectKey
from pointsman.kube.objects import KubeObject, is_being_deleted, is_ready, key_of, labels_of, metadata
from pointsman.workloads import AGENT_PORT, naming
from pointsman_autoscaler.signals.watched import Replica


def deployment_of(pod: KubeObject) -> ObjectKey | None:
    """Whose replica a pod is; None for those that take no requests: workers of a group of nodes."""
    labels = labels_of(pod)
    name = labels.get(naming.DEPLOYMENT)
    if not name or labels.get(naming.ROLE) != naming.LEADER:
        return None
    return ObjectKey(key_of(pod).namespace, name)


def replica_of(pod: KubeObject, former: Replica | None = None, port: int = AGENT_PORT) -> Replica | None:
    """None for one that has ended. `former` is what it was: when it was ready first does not change, but for
    another of its name, as groups of nodes make them.
    """
    status = pod.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return None
    ready = is_ready(pod)
    created_seconds = _seconds(metadata(pod).get("creationTimestamp")) or 0.0
    is_same = former is not None and former.created_seconds == created_seconds
    first = former.ready_seconds if former is not None and is_same else None
    host = str(status.get("podIP") or "")
    return Replica(
        name=key_of(pod).name,
        flavour=labels_of(pod).get(naming.POOL, ""),
        metrics=Address(host, port) if host else None,
        created_seconds=created_seconds,
        ready_seconds=first if first is not None else (_ready_since(status) if ready else None),
        is_ready=ready,
        is_draining=is_being_deleted(pod),
    )


def _ready_since(status: KubeObject) -> float | None:
    for one in status.get("conditions") or ():
        if one.get("type") == "Ready":
            return _seconds(one.get("lastTransitionTime"))
    return None


def _seconds(text: object) -> float | None:
    """Unix time of what the API server wrote, None for what is no time."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
