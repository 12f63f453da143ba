"""What routing decides on: one frozen picture of the objects and of the replicas that can answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman.api import FleetSettings, ModelDeployment, ModelRoute, ObjectKey, Secret


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A replica that can answer: an IP address and a port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class RoutingInput:
    """Everything a gateway needs to know. Unchanged objects should be the same Python objects as before:
    what is identical is not compiled again."""

    deployments: Mapping[ObjectKey, ModelDeployment] = field(default_factory=dict)
    routes: Mapping[ObjectKey, ModelRoute] = field(default_factory=dict)
    endpoints: Mapping[ObjectKey, tuple[Endpoint, ...]] = field(default_factory=dict)
    secrets: Mapping[ObjectKey, Secret] = field(default_factory=dict, repr=False)
    fleet: FleetSettings = field(default_factory=FleetSettings)
