"""Where the gateways of a cluster say how they are: by the EndpointSlices of their headless Service, or by
their Pods where slices cannot carry the addresses. Pure.
"""

from typing import Final

from pointsman.addresses import Address
from pointsman.api.meta import ObjectKey
from pointsman.errors import PointsmanError
from pointsman.kube.objects import (
    ENDPOINT_SLICE,
    POD,
    Kind,
    KubeObject,
    is_being_deleted,
    is_ready,
    label_selector,
)
from pointsman.kube.ports import Selection

_PORT_NAME: Final = "metrics"


def gateways_at(service: str, pods: str) -> Selection | None:
    """What the options `--gateways` (NAMESPACE/SERVICE) and `--gateway-pods` (NAMESPACE/LABELS) name; the
    latter wins, and None is neither. Raises PointsmanError for what names nothing.
    """
    if pods:
        namespace, labels = _split(pods, "--gateway-pods", "NAMESPACE/LABELS")
        return in_pods(namespace, labels)
    if service:
        namespace, name = _split(service, "--gateways", "NAMESPACE/SERVICE")
        return behind_service(ObjectKey(namespace, name))
    return None


def _split(text: str, option: str, form: str) -> tuple[str, str]:
    """A namespace and what is in it; the label keys of the latter may have a slash of their own."""
    namespace, _, rest = text.partition("/")
    if not namespace or not rest:
        raise PointsmanError(f"{text!r} names no place", where=option, todo=f"write {form}")
    return namespace, rest


def behind_service(service: ObjectKey) -> Selection:
    """Gateways by the EndpointSlices of their headless Service."""
    labels = label_selector({"kubernetes.io/service-name": service.name})
    return Selection(ENDPOINT_SLICE, service.namespace, labels=labels)


def in_pods(namespace: str, labels: str) -> Selection:
    """Gateways by their Pods, where slices cannot carry the addresses."""
    return Selection(POD, namespace, labels=labels)


def addresses_in(found: KubeObject, kind: Kind) -> frozenset[Address]:
    """Where the ready gateways of an EndpointSlice or a Pod say how they are."""
    return pod_addresses(found) if kind == POD else ready_addresses(found)


def ready_addresses(found: KubeObject) -> frozenset[Address]:
    """Those of an EndpointSlice."""
    port = next((one.get("port") for one in found.get("ports") or () if one.get("name") == _PORT_NAME), None)
    if not port or found.get("addressType") == "FQDN":
        return frozenset()
    return frozenset(
        Address(str(one["addresses"][0]), int(port))
        for one in found.get("endpoints") or ()
        if (one.get("conditions") or {}).get("ready") is not False
    )


def pod_addresses(pod: KubeObject) -> frozenset[Address]:
    """That of the gateway in a Pod; none while it is not ready."""
    status = pod.get("status", {})
    ports = (
        port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
        if port.get("name") == _PORT_NAME
    )
    port = next(ports, None)
    if port is None or not is_ready(pod) or is_being_deleted(pod) or not status.get("podIP"):
        return frozenset()
    return frozenset((Address(str(status["podIP"]), int(port)),))
