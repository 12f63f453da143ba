"""Which replicas of each deployment can answer, kept one EndpointSlice (or pod) at a time. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from pointsman.api import ObjectKey
from pointsman.kube.objects import KubeObject, is_being_deleted, is_ready, key_of, labels_of, uid_of
from pointsman.routing import Endpoint
from pointsman.workloads.naming import DEPLOYMENT, LEADER, ROLE, base_name

_PORT_NAME = "http"
_SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True, order=True)
class Replica:
    """One that can answer. Where a pod has addresses of two families it is one replica all the same."""

    identity: str
    is_ipv6: bool
    endpoint: Endpoint


Read = Callable[[KubeObject], tuple[Replica, ...]]


class ReadyEndpoints:
    """Hears of objects of one kind; `read` finds the replicas in one."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._found: dict[ObjectKey, dict[ObjectKey, tuple[Replica, ...]]] = {}
        self._now: dict[ObjectKey, tuple[Endpoint, ...]] = {}
        self._snapshot: Mapping[ObjectKey, tuple[Endpoint, ...]] = {}
        self._is_stale = False

    @property
    def by_deployment(self) -> Mapping[ObjectKey, tuple[Endpoint, ...]]:
        """The same mapping while nothing changes."""
        if self._is_stale:
            self._snapshot = dict(self._now)
            self._is_stale = False
        return self._snapshot

    def hear(self, before: KubeObject | None, now: KubeObject | None) -> bool:
        """An object came, changed or went; gives whether other replicas can answer than before."""
        changed = False
        former = None if before is None else _deployment(before)
        current = None if now is None else _deployment(now)
        if before is not None and former is not None and former != current:
            changed |= self._put(former, key_of(before), ())
        if now is not None and current is not None:
            changed |= self._put(current, key_of(now), self._read(now))
        return changed

    def _put(self, deployment: ObjectKey, source: ObjectKey, replicas: tuple[Replica, ...]) -> bool:
        sources = self._found.setdefault(deployment, {})
        if replicas:
            sources[source] = replicas
        else:
            sources.pop(source, None)
        if not sources:
            del self._found[deployment]
        endpoints = _one_each(replica for found in sources.values() for replica in found)
        if self._now.get(deployment, ()) == endpoints:
            return False
        self._is_stale = True
        if endpoints:
            self._now[deployment] = endpoints
        else:
            del self._now[deployment]
        return True


def in_slice(obj: KubeObject) -> tuple[Replica, ...]:
    """The ready replicas of an EndpointSlice. What it does not say of an endpoint means ready (its API).

    A slice has its Service's labels, which whoever makes one chooses, and any pods: the deployment's own
    Service counts alone.
    """
    labels = labels_of(obj)
    if labels.get(_SERVICE_NAME) != base_name(labels[DEPLOYMENT]):
        return ()
    port = next((one.get("port") for one in obj.get("ports") or () if one.get("name") == _PORT_NAME), None)
    if not port or obj.get("addressType") not in ("IPv4", "IPv6"):
        return ()
    found = []
    for endpoint in obj.get("endpoints") or ():
        said = endpoint.get("conditions") or {}
        if said.get("ready") is False or said.get("terminating") is True:
            continue
        # All addresses of an endpoint are one and the same; the API asks consumers to take the first.
        address = str(endpoint["addresses"][0])
        identity = str((endpoint.get("targetRef") or {}).get("uid") or address)
        found.append(Replica(identity, obj["addressType"] == "IPv6", Endpoint(address, int(port))))
    return tuple(found)


def in_pod(obj: KubeObject) -> tuple[Replica, ...]:
    """The pod as one replica, if it is ready, stays, and takes requests."""
    status: Mapping[str, Any] = obj.get("status") or {}
    address = str(status.get("podIP") or "")
    port = next((one["containerPort"] for one in _ports(obj) if one.get("name") == _PORT_NAME), None)
    if is_being_deleted(obj) or labels_of(obj).get(ROLE) != LEADER:
        return ()
    if not address or not port or not is_ready(obj):
        return ()
    return (Replica(uid_of(obj), ip_address(address).version == 6, Endpoint(address, int(port))),)


def kept_of_pod(obj: KubeObject) -> KubeObject:
    """A pod without what nobody asks: its environment may hold what is nobody's business."""
    meta = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    status = obj.get("status") or {}
    return {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": meta,
        "spec": {"containers": [{"ports": _ports(obj)}]},
        "status": {"podIP": status.get("podIP"), "conditions": status.get("conditions")},
    }


def _ports(pod: KubeObject) -> list[Mapping[str, Any]]:
    spec = pod.get("spec") or {}
    # The engine may stand among the init containers, as a sidecar that outlives others does.
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    return [port for container in containers for port in container.get("ports") or ()]


def _deployment(obj: KubeObject) -> ObjectKey | None:
    name = labels_of(obj).get(DEPLOYMENT)
    return ObjectKey(key_of(obj).namespace, name) if name else None


def _one_each(replicas: Any) -> tuple[Endpoint, ...]:
    """One endpoint a replica, IPv4 before IPv6, in a stable order."""
    first: dict[str, Endpoint] = {}
    for replica in sorted(replicas):
        first.setdefault(replica.identity, replica.endpoint)
    return tuple(sorted(set(first.values())))
