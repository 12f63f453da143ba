"""What an operator is started with."""

from dataclasses import dataclass

from pointsman.kube.replica import ReplicaSettings
from pointsman.workloads import Images


@dataclass(frozen=True, kw_only=True)
class OperatorSettings(ReplicaSettings):
    """Of one replica, and what it makes pods of."""

    images: Images
    hub_url: str = "https://huggingface.co"
    """Where branches and tags of hf:// sources are looked up."""
    gateway_url: str = ""
    """Where clients in the cluster find the gateways, as routes' statuses show it."""

    @property
    def system_namespace(self) -> str:
        """Where the chart is installed: its gateways and this operator."""
        return self.gateways.namespace if self.gateways is not None else self.lease.namespace
