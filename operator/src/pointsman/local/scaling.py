"""The port of whoever scales what runs on this machine: what it sees here, and what it may do.

Files state the first number of replicas and are never written: numbers that were decided stand beside them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.modeldeployment_status import ScalingStatus
from pointsman.api.scaling import ScalingMode
from pointsman.engine_agent.engine_metrics import Readings
from pointsman.local.engines.plan import Phase, ReplicaView


@dataclass(frozen=True, slots=True)
class EngineSeen:
    """One replica. Times are Unix seconds; `ready_seconds` is when it was ready first."""

    name: str
    created_seconds: float
    ready_seconds: float | None = None
    is_ready: bool = False
    is_draining: bool = False


class Machine(Protocol):
    """What runs here. Deployments are told with the numbers that hold now, and with `status.scaling`."""

    @property
    def scaled(self) -> Sequence[ObjectKey]:
        """The deployments to scale, or to advise on."""
        ...

    def deployment(self, key: ObjectKey) -> ModelDeployment | None: ...

    def is_ours(self, key: ObjectKey) -> bool:
        """Whether `scale` wrote the number that holds now, and not a file."""
        ...

    def slots(self, key: ObjectKey) -> int | None:
        """How many requests one engine works on at once; None until that is known."""
        ...

    def replicas(self, key: ObjectKey) -> tuple[EngineSeen, ...]: ...

    async def readings(self, key: ObjectKey, replica: str) -> Readings | None:
        """What the engine of a replica says of itself; None where it says nothing."""
        ...

    async def gateway_page(self) -> str:
        """The gateway's metrics."""
        ...

    def scale(
        self, key: ObjectKey, scaling: ScalingStatus | None, replicas: int | None, told: Sequence[str]
    ) -> None:
        """Say what was decided, and do it; None changes nothing. `told` is for people."""


class Scaling(Protocol):
    """Scales until cancelled."""

    async def run(self, machine: Machine) -> None: ...


MakeScaling = Callable[[], Scaling]
"""Called once something is to be scaled, in a thread: what it needs is large."""


def is_scaled(deployment: ModelDeployment) -> bool:
    """Whether somebody here decides on its replicas, or says what they should be."""
    scaling = deployment.spec.scaling
    return scaling is not None and scaling.mode is not ScalingMode.OFF and deployment.spec.hosted is None


def most_replicas(deployment: ModelDeployment) -> int:
    """How many there may be without another edit: cores are shared by so many from the first one on."""
    scaling = deployment.spec.scaling
    if scaling is None or scaling.mode is not ScalingMode.ACTIVE:
        return deployment.spec.replicas
    return max(deployment.spec.replicas, scaling.max_replicas)


def engines_seen(views: Sequence[ReplicaView]) -> tuple[EngineSeen, ...]:
    """Replicas by names that none has had before: a slot is used again."""
    return tuple(
        EngineSeen(
            name=name_of(view),
            created_seconds=view.created_seconds,
            ready_seconds=view.ready_seconds,
            is_ready=view.phase is Phase.READY,
            is_draining=view.phase is Phase.DRAINING,
        )
        for view in views
    )


def name_of(view: ReplicaView) -> str:
    return f"{view.slot}-{view.created_seconds:.3f}"
