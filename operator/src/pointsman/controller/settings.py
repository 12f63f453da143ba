"""What an operator is started with."""

from dataclasses import dataclass, field

from pointsman.api import FleetSettings, ObjectKey
from pointsman.kube.ports import Selection
from pointsman.workloads import Images


@dataclass(frozen=True)
class OperatorSettings:
    """`identity` is this replica's own name; `namespaces` are those watched, all if there are none."""

    identity: str
    lease: ObjectKey
    images: Images
    fleet: FleetSettings = field(default_factory=FleetSettings)
    namespaces: tuple[str, ...] = ()
    address: str = ""
    """Where health and metrics are served; "" is every address."""
    port: int = 9090
    gateways: Selection | None = None
    """Where gateways are that say what they have in use; None: none is known."""
    hub_url: str = "https://huggingface.co"
    """Where branches and tags of hf:// sources are looked up."""
    gateway_url: str = ""
    """Where clients in the cluster find the gateways, as routes' statuses show it."""

    @property
    def system_namespace(self) -> str:
        """Where the chart is installed: its gateways and this operator."""
        return self.gateways.namespace if self.gateways is not None else self.lease.namespace
