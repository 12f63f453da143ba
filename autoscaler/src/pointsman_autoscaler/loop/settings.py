"""What an autoscaler is started with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pointsman.api import FleetSettings, ObjectKey
from pointsman.kube.ports import Selection
from pointsman_autoscaler.loop.rounds import SETTLING_SECONDS
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.signals.memory import PATIENCE, Patience


@dataclass(frozen=True)
class AutoscalerSettings:
    """`identity` is this replica's own name; `namespaces` are those watched, all if there are none."""

    identity: str
    lease: ObjectKey
    fleet: FleetSettings = field(default_factory=FleetSettings)
    namespaces: tuple[str, ...] = ()
    address: str = ""
    """Where health and metrics are served; "" is every address."""
    port: int = 9090
    gateways: Selection | None = None
    """Where gateways are, whose metrics tell of arrivals; None: none is known."""
    policy_of: Callable[[ScalingSettings], Policy] = Scaler
    """What decides for one deployment. Raises PointsmanError for what it cannot follow."""
    look_seconds: float | None = None
    """How often it looks; None: as often as its source has something else to say."""
    patience: Patience = PATIENCE
    settling_seconds: float = SETTLING_SECONDS
    """How long a policy that was begun anew, as at a restart, takes no replica away."""
