"""What a gateway of a cluster is started with."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pointsman.api import FleetSettings
from pointsman.routing import ProxySettings


class EndpointsFrom(StrEnum):
    """Where replicas are found. Pods are seconds faster where EndpointSlices lag behind, and a right more."""

    SLICES = "slices"
    PODS = "pods"


@dataclass(frozen=True)
class ClusterGatewaySettings:
    """`namespaces` are those whose objects are served, all if there are none; `secret_namespaces` those whose
    Secrets are read. `folder` is for this gateway alone.
    """

    proxy: ProxySettings
    folder: Path
    metrics_address: str
    metrics_port: int
    drain_seconds: float
    fleet: FleetSettings = field(default_factory=FleetSettings)
    namespaces: tuple[str, ...] = ()
    secret_namespaces: tuple[str, ...] = ()
    endpoints_from: EndpointsFrom = EndpointsFrom.SLICES
