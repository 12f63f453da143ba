"""What one replica of a controller of a cluster is started with, whatever it controls."""

from dataclasses import dataclass, field

from pointsman.api import FleetSettings, ObjectKey
from pointsman.kube.ports import Selection


@dataclass(frozen=True, kw_only=True)
class ReplicaSettings:
    """`identity` is this replica's own name; `namespaces` are those watched, all if there are none."""

    identity: str
    lease: ObjectKey
    """Replicas share it: whoever has it writes."""
    fleet: FleetSettings = field(default_factory=FleetSettings)
    namespaces: tuple[str, ...] = ()
    address: str = ""
    """Where health and metrics are served; "" is every address."""
    port: int = 9090
    gateways: Selection | None = None
    """Where gateways are, which say what they have in use and what arrives; None: none is known."""
