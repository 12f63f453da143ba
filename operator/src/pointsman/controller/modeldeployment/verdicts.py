"""What is true of a deployment in a cluster, concern by concern, and what that makes of Ready. Pure.

Every message is stable: the same state says the same, whatever passes in between.
"""

from collections.abc import Sequence
from dataclasses import replace

from pointsman.api import ModelDeployment
from pointsman.api.deployment_verdicts import (
    COMPLETE,
    HOSTED_IS_AVAILABLE,
    HOSTED_IS_COMPLETE,
    IDLE,
    STARTING,
    ready_like,
)
from pointsman.api.deployment_verdicts import available as whether_available
from pointsman.api.scaling_verdict import scaling_active
from pointsman.api.verdicts import FALSE, TRUE, UNKNOWN, Verdict
from pointsman.catalog.metric_report import NOT_KNOWN
from pointsman.controller.modeldeployment.frozen import Refusal
from pointsman.controller.modeldeployment.observed import Replicas
from pointsman.controller.modeldeployment.pinning import is_pinned, movable
from pointsman.controller.modeldeployment.pod_trouble import Concern, Trouble
from pointsman.controller.modeldeployment.snapshot import Contest, Obstacle
from pointsman.workloads.rendering import Rendering

NOT_LOADED = "AdapterNotLoaded"
FETCHING = "Fetching"
"""What is so on the way to Ready and no trouble."""


def hosted() -> tuple[Verdict, ...]:
    """A provider's model: nothing of it runs here."""
    return HOSTED_IS_COMPLETE, HOSTED_IS_AVAILABLE, ready_like(HOSTED_IS_AVAILABLE)


def own(
    deployment: ModelDeployment,
    rendering: Rendering | None,
    refusal: Refusal | None,
    replicas: Replicas,
    trouble: Trouble | None,
    contests: Sequence[Contest],
    obstacle: Obstacle | None = None,
    metrics: Verdict = NOT_KNOWN,
    *,
    one_by_one: bool,
    holds: bool = False,
    adapters: str = "",
) -> tuple[Verdict, ...]:
    """A model of our own. `one_by_one`: no accelerator is free for a rollout to start one more replica.
    `holds`: as many replicas are kept as ran before, for want of a number in the spec. `metrics`: whether the
    engines show what others decide by; requests are answered without. `adapters`: which of them cannot be
    loaded, and why; all else is served.
    """
    placed = _placed(rendering, refusal, trouble)
    weights = _weights(deployment, rendering, replicas, trouble)
    if adapters and weights.status is TRUE:
        weights = Verdict(weights.type, FALSE, NOT_LOADED, adapters)
    progressing = _progressing(refusal, obstacle, replicas, trouble, contests, one_by_one=one_by_one)
    available = whether_available(
        deployment, ready_of_version=replicas.ready_of_revision, ready=replicas.ready
    )
    if holds:
        kept = f"{deployment.spec.replicas} replicas are kept as they ran: nobody has written spec.replicas"
        available = replace(available, message=f"{available.message}; {kept}".removeprefix("; "))
    # Where nothing runs, whether a replica could be started is all that there is to say.
    at_zero = available.reason in ("ScaledToZero", IDLE)
    if (at_zero and refusal is None) or (not at_zero and available.status is TRUE):
        ready = ready_like(available)
    else:
        # That weights are on their way explains nothing where something else is wrong, nor does an adapter.
        is_aside = weights.reason in (FETCHING, NOT_LOADED)
        causes = (placed, progressing, weights) if is_aside else (placed, weights, progressing)
        cause = next((one for one in causes if one.status is FALSE), available)
        ready = Verdict("Ready", FALSE, cause.reason, cause.message)
    scaled = scaling_active(deployment)
    scales = () if scaled is None else (scaled,)
    return placed, weights, progressing, available, metrics, *scales, ready


def _placed(rendering: Rendering | None, refusal: Refusal | None, trouble: Trouble | None) -> Verdict:
    if refusal is not None and refusal.concern == "Placed":
        return Verdict("Placed", FALSE, refusal.reason, refusal.message)
    if trouble is not None and trouble.concern is Concern.PLACED:
        return Verdict("Placed", FALSE, trouble.reason, trouble.message)
    if rendering is None:
        return Verdict("Placed", UNKNOWN, "Waiting", "")
    return Verdict("Placed", TRUE, "Placed", rendering.placement.reason)


def _weights(
    deployment: ModelDeployment, rendering: Rendering | None, replicas: Replicas, trouble: Trouble | None
) -> Verdict:
    if trouble is not None and trouble.concern is Concern.WEIGHTS:
        return Verdict("WeightsAvailable", FALSE, trouble.reason, trouble.message)
    if replicas.have_weights:
        return _pinned(deployment, rendering)
    if rendering is None or deployment.spec.replicas == 0:
        return Verdict("WeightsAvailable", UNKNOWN, "NotFetched", "no replica has fetched them yet")
    assert deployment.spec.model is not None
    source = deployment.spec.model.source
    return Verdict("WeightsAvailable", FALSE, FETCHING, f"{source} is being fetched")


def _pinned(deployment: ModelDeployment, rendering: Rendering | None) -> Verdict:
    """The weights are there; whether all replicas have the same."""
    if rendering is None or is_pinned(deployment, rendering):
        return Verdict("WeightsAvailable", TRUE, "Available", "")
    later = rendering.weights_later
    todo = f"set spec.refresh to take {later}" if later else "state a commit in spec.model.revision"
    said = f"{movable(deployment)} is not pinned, so that replicas which start later may hold other weights"
    return Verdict("WeightsAvailable", TRUE, "NotPinned", f"{said}; {todo}")


def _progressing(
    refusal: Refusal | None,
    obstacle: Obstacle | None,
    replicas: Replicas,
    trouble: Trouble | None,
    contests: Sequence[Contest],
    *,
    one_by_one: bool,
) -> Verdict:
    if refusal is not None:
        return Verdict("Progressing", FALSE, refusal.reason, refusal.message)
    if obstacle is not None:
        return Verdict("Progressing", FALSE, obstacle.reason, obstacle.message)
    if trouble is not None:
        return Verdict("Progressing", FALSE, trouble.reason, trouble.message)
    if contests:
        said = "; ".join(f"{one.manager} sets {one.field} of {one.child}" for one in sorted(contests))
        return Verdict(
            "Progressing", FALSE, "FieldContested", f"{said}: end one of the two, it was put back once"
        )
    if replicas.refused:
        return Verdict("Progressing", FALSE, "PodsRefused", replicas.refused)
    if replicas.settled:
        return COMPLETE
    if replicas.stuck:
        return Verdict(
            "Progressing",
            FALSE,
            "DeadlineExceeded",
            "replicas take longer to be ready than they should",
        )
    if one_by_one and (replicas.ready > replicas.ready_of_revision or replicas.leaving):
        message = "replicas are replaced one after another: no accelerator is free to start one more first"
        return Verdict("Progressing", TRUE, "ReplacingOneByOne", message)
    return STARTING
