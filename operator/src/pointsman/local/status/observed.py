"""What local mode sees of its deployments and routes: the input of `status`."""

from dataclasses import dataclass
from enum import StrEnum

from pointsman.api.findings import Finding
from pointsman.local.engines.plan import ReplicaView


class Stage(StrEnum):
    """How far a deployment of our own has come with what must be there before engines start."""

    UNKNOWN = "Unknown"
    WORKING = "Working"
    DONE = "Done"
    FAILED = "Failed"


@dataclass(frozen=True)
class Step:
    """One of these: a stage, a reason for programs, a line for people."""

    stage: Stage = Stage.UNKNOWN
    reason: str = "Waiting"
    message: str = ""


@dataclass(frozen=True)
class DeploymentObserved:
    """A deployment now. `wanted_hash` is empty until the spec of its engines is known; while
    `is_preparing`, it is that of the former version.

    `refused` is why the newest version in the files was not admitted. `hosted_trouble` is why a hosted
    model cannot be used: its Secret, or what that allows.
    """

    weights: Step = Step()
    placed: Step = Step()
    wanted_hash: str = ""
    is_preparing: bool = False
    replicas: tuple[ReplicaView, ...] = ()
    refused: Finding | None = None
    hosted_trouble: str = ""
