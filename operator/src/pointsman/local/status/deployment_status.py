"""The status of objects in local mode, from what is observed. Pure: the same observation gives the same
status.
"""

from collections.abc import Mapping

from pointsman.api import (
    EngineStatus,
    ModelDeployment,
    ModelDeploymentStatus,
    PlacementStatus,
)
from pointsman.api.verdicts import FALSE, TRUE, UNKNOWN, Verdict, conditions
from pointsman.local.engines.plan import Phase, ReplicaView
from pointsman.local.placement import ACCELERATOR
from pointsman.local.status.observed import DeploymentObserved, Stage, Step

_STAGES = {Stage.UNKNOWN: UNKNOWN, Stage.WORKING: FALSE, Stage.DONE: TRUE, Stage.FAILED: FALSE}

# The bound of `status.model`; a file's name may have more.
_LONGEST_NAME = 253

FORMER_VERSION_SERVES = "FormerVersionServes"
"""Why a deployment is available when no replica of its stated version is ready."""


def deployment_status(
    deployment: ModelDeployment,
    observed: DeploymentObserved,
    former: ModelDeploymentStatus,
    *,
    engine_versions: Mapping[str, str],
    now: str,
) -> ModelDeploymentStatus:
    """Status and conditions of a deployment; `engine_versions` says which versions are installed here."""
    generation = deployment.metadata.generation
    if deployment.spec.hosted is not None:
        provider = str(deployment.spec.hosted.provider)
        return ModelDeploymentStatus(
            observed_generation=generation,
            model=model_summary(deployment),
            engine=EngineStatus(name=provider),
            conditions=conditions(_hosted(deployment, observed), former.conditions, generation, now),
        )
    assert deployment.spec.engine is not None
    engine = str(deployment.spec.engine.name)
    return ModelDeploymentStatus(
        observed_generation=generation,
        replicas=sum(replica.phase is not Phase.DRAINING for replica in observed.replicas),
        ready_replicas=_ready(observed.replicas),
        model=model_summary(deployment),
        engine=EngineStatus(name=engine, version=engine_versions.get(engine, "")),
        placement=_placement(observed.placed),
        conditions=conditions(_own(deployment, observed), former.conditions, generation, now),
    )


def model_summary(deployment: ModelDeployment) -> str:
    """The model in a few characters: `Qwen/Qwen3-32B@9216`, a package, a file, or the provider's name of
    it.
    """
    return _model(deployment)[:_LONGEST_NAME]


def _model(deployment: ModelDeployment) -> str:
    if deployment.spec.hosted is not None:
        return deployment.spec.hosted.model
    assert deployment.spec.model is not None
    scheme, _, rest = deployment.spec.model.source.partition("://")
    if scheme == "file":
        return rest.rpartition("/")[2]
    name = "/".join(rest.split("/")[:2])
    revision = deployment.spec.model.revision
    return f"{name}@{revision[:4]}" if scheme == "hf" and revision else name


def _placement(placed: Step) -> PlacementStatus | None:
    if placed.stage is not Stage.DONE:
        return None
    return PlacementStatus(accelerator=ACCELERATOR, summary=ACCELERATOR, reason=placed.message)


def _ready(replicas: tuple[ReplicaView, ...]) -> int:
    return sum(replica.phase is Phase.READY for replica in replicas)


def _hosted(deployment: ModelDeployment, observed: DeploymentObserved) -> tuple[Verdict, ...]:
    if observed.refused is not None:
        progressing = _refused("Progressing", observed)
    else:
        progressing = Verdict("Progressing", TRUE, "Complete", "nothing runs here: the provider hosts it")
    if observed.hosted_trouble:
        trouble = observed.hosted_trouble
        available = Verdict("Available", FALSE, "CredentialsNotUsable", trouble)
    else:
        available = Verdict("Available", TRUE, "Hosted", "")
    return progressing, available, _ready_like(available)


def _own(deployment: ModelDeployment, observed: DeploymentObserved) -> tuple[Verdict, ...]:
    placed = Verdict(
        "Placed", _STAGES[observed.placed.stage], observed.placed.reason, observed.placed.message
    )
    weights = Verdict(
        "WeightsAvailable", _STAGES[observed.weights.stage], observed.weights.reason, observed.weights.message
    )
    progressing = _progressing(deployment, observed)
    available = _available(deployment, observed)
    if available.status is TRUE:
        return placed, weights, progressing, available, _ready_like(available)
    cause = next((v for v in (weights, placed, progressing) if v.status is FALSE), available)
    ready = Verdict("Ready", FALSE, cause.reason, cause.message)
    return placed, weights, progressing, available, ready


def _progressing(deployment: ModelDeployment, observed: DeploymentObserved) -> Verdict:
    if observed.refused is not None:
        return _refused("Progressing", observed)
    for step in (observed.weights, observed.placed):
        if step.stage is Stage.FAILED:
            return Verdict("Progressing", FALSE, step.reason, step.message)
    current = [replica for replica in observed.replicas if replica.spec_hash == observed.wanted_hash]
    trouble = next((replica.trouble for replica in current if replica.trouble is not None), None)
    if trouble is not None:
        return Verdict("Progressing", FALSE, trouble.reason, trouble.message)
    staying = [replica for replica in observed.replicas if replica.phase is not Phase.DRAINING]
    done = len(staying) == _ready(observed.replicas) == deployment.spec.replicas
    if done and not observed.is_preparing and len(current) == len(staying) and observed.wanted_hash:
        return Verdict("Progressing", TRUE, "Complete", "every replica runs this version")
    return Verdict("Progressing", TRUE, "Starting", "replicas of this version are being started")


def _available(deployment: ModelDeployment, observed: DeploymentObserved) -> Verdict:
    ready = [replica for replica in observed.replicas if replica.phase is Phase.READY]
    if any(replica.spec_hash == observed.wanted_hash for replica in ready):
        return Verdict("Available", TRUE, "ReplicasReady", "")
    if ready:
        return Verdict("Available", TRUE, FORMER_VERSION_SERVES, "replicas of the former version serve")
    if deployment.spec.replicas == 0:
        return Verdict("Available", FALSE, "ScaledToZero", "spec.replicas is 0")
    return Verdict("Available", FALSE, "NoReplicaReady", "no replica can answer yet")


def _refused(type_: str, observed: DeploymentObserved) -> Verdict:
    assert observed.refused is not None
    finding = observed.refused
    message = f"the former version stays, the file has a mistake: {finding.text()}"
    return Verdict(type_, FALSE, "InvalidEdit", message)


def _ready_like(available: Verdict) -> Verdict:
    return Verdict("Ready", available.status, available.reason, available.message)
