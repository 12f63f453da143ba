"""What is known of a model before its metrics are read: its flavours and its replicas. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pointsman.addresses import Address
from pointsman.api import ObjectKey
from pointsman.api.modeldeployment_status import ScalingState
from pointsman_autoscaler.view import Flavour, View


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica. `metrics` is where its agent says them, None while it has no address."""

    name: str
    flavour: str
    metrics: Address | None
    created_seconds: float
    ready_seconds: float | None = None
    """When it was ready first."""
    is_ready: bool = False
    is_draining: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """One model at one moment. `asked` is what its pools are told to have."""

    key: ObjectKey
    flavours: Mapping[str, Flavour]
    replicas: tuple[Replica, ...]
    asked: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Blind:
    """Why nothing can be decided, in a line that stays the same while it lasts."""

    reason: str
    state: ScalingState = ScalingState.METRICS_BLIND


class Source(Protocol):
    """Where metrics come from."""

    @property
    def look_seconds(self) -> float:
        """How often to look: so often there may be something else to see."""
        ...

    async def view(self, watched: Watched) -> View | Blind:
        """Look now. Never raises for what others answer, or do not."""

    def forget(self, key: ObjectKey) -> None:
        """The model is gone, and what is remembered of it."""
