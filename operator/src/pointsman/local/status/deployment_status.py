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
from pointsman.api.deployment_verdicts import (
    COMPLETE,
    HOSTED_IS_AVAILABLE,
    HOSTED_IS_COMPLETE,
    STARTING,
    available,
    model_summary,
    ready_like,
)
from pointsman.api.scaling_verdict import scaling_active
from pointsman.api.verdicts import FALSE, TRUE, UNKNOWN, Verdict, conditions
from pointsman.catalog.metric_report import MetricReport, metric_statuses, metrics_available
from pointsman.local.engines.plan import Phase, ReplicaView
from pointsman.local.placement import ACCELERATOR
from pointsman.local.status.observed import DeploymentObserved, Stage, Step

_STAGES = {Stage.UNKNOWN: UNKNOWN, Stage.WORKING: FALSE, Stage.DONE: TRUE, Stage.FAILED: FALSE}


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
    version = engine_versions.get(engine, "")
    reports = _reports(observed)
    shown = metrics_available(engine, version, reports)
    return ModelDeploymentStatus(
        observed_generation=generation,
        replicas=sum(replica.phase is not Phase.DRAINING for replica in observed.replicas),
        ready_replicas=_ready(observed.replicas),
        model=model_summary(deployment),
        engine=EngineStatus(name=engine, version=version, metrics=metric_statuses(reports)),
        placement=_placement(observed.placed),
        scaling=deployment.status.scaling if scaling_active(deployment) is not None else None,
        conditions=conditions(_own(deployment, observed, shown), former.conditions, generation, now),
    )


def _placement(placed: Step) -> PlacementStatus | None:
    if placed.stage is not Stage.DONE:
        return None
    return PlacementStatus(accelerator=ACCELERATOR, summary=ACCELERATOR, reason=placed.message)


def _ready(replicas: tuple[ReplicaView, ...]) -> int:
    return sum(replica.phase is Phase.READY for replica in replicas)


def _hosted(deployment: ModelDeployment, observed: DeploymentObserved) -> tuple[Verdict, ...]:
    progressing = HOSTED_IS_COMPLETE if observed.refused is None else _refused("Progressing", observed)
    if observed.hosted_trouble:
        trouble = observed.hosted_trouble
        usable = Verdict("Available", FALSE, "CredentialsNotUsable", trouble)
    else:
        usable = HOSTED_IS_AVAILABLE
    return progressing, usable, ready_like(usable)


def _reports(observed: DeploymentObserved) -> tuple[MetricReport, ...]:
    """What engines of the stated version show."""
    current = (one for one in observed.replicas if one.spec_hash == observed.wanted_hash)
    return tuple(one.metrics for one in current if one.metrics is not None)


def _own(deployment: ModelDeployment, observed: DeploymentObserved, shown: Verdict) -> tuple[Verdict, ...]:
    placed = Verdict(
        "Placed", _STAGES[observed.placed.stage], observed.placed.reason, observed.placed.message
    )
    weights = Verdict(
        "WeightsAvailable", _STAGES[observed.weights.stage], observed.weights.reason, observed.weights.message
    )
    progressing = _progressing(deployment, observed)
    answers = _available(deployment, observed)
    scaled = scaling_active(deployment)
    scales = () if scaled is None else (scaled,)
    if answers.status is TRUE:
        return placed, weights, progressing, answers, shown, *scales, ready_like(answers)
    cause = next((v for v in (weights, placed, progressing) if v.status is FALSE), answers)
    ready = Verdict("Ready", FALSE, cause.reason, cause.message)
    return placed, weights, progressing, answers, shown, *scales, ready


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
        return COMPLETE
    return STARTING


def _available(deployment: ModelDeployment, observed: DeploymentObserved) -> Verdict:
    ready = [replica for replica in observed.replicas if replica.phase is Phase.READY]
    of_version = sum(replica.spec_hash == observed.wanted_hash for replica in ready)
    return available(deployment, ready_of_version=of_version, ready=len(ready))


def _refused(type_: str, observed: DeploymentObserved) -> Verdict:
    assert observed.refused is not None
    finding = observed.refused
    message = f"the former version stays, the file has a mistake: {finding.text()}"
    return Verdict(type_, FALSE, "InvalidEdit", message)
