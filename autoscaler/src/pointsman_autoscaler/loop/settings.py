"""What an autoscaler is started with."""

from collections.abc import Callable
from dataclasses import dataclass

from pointsman.kube.replica import ReplicaSettings
from pointsman_autoscaler.loop.rounds import SETTLING_SECONDS
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.signals.memory import PATIENCE, Patience


@dataclass(frozen=True, kw_only=True)
class AutoscalerSettings(ReplicaSettings):
    """Of one replica, and how it decides."""

    policy_of: Callable[[ScalingSettings], Policy] = Scaler
    """What decides for one deployment. Raises PointsmanError for what it cannot follow."""
    look_seconds: float | None = None
    """How often it looks; None: as often as its source has something else to say."""
    patience: Patience = PATIENCE
    settling_seconds: float = SETTLING_SECONDS
    """How long a policy that was begun anew, as at a restart, takes no replica away."""
