"""What the autoscaler says that it does for a deployment, as a condition. Pure."""

from pointsman.api import ModelDeployment
from pointsman.api.modeldeployment_status import ScalingState
from pointsman.api.scaling import ScalingMode
from pointsman.api.verdicts import FALSE, TRUE, UNKNOWN, Verdict

_TYPE = "ScalingActive"
_STATUS = {
    ScalingState.ACTIVE: TRUE,
    ScalingState.ADVISING: FALSE,
    ScalingState.METRICS_BLIND: FALSE,
    ScalingState.NOT_DECIDED: FALSE,
    ScalingState.PINNED: UNKNOWN,
}


def scaling_active(deployment: ModelDeployment) -> Verdict | None:
    """None where somebody else scales."""
    scaling, said = deployment.spec.scaling, deployment.status.scaling
    if scaling is None or scaling.mode is ScalingMode.OFF:
        return None
    if said is None or said.state not in _STATUS:
        return Verdict(
            _TYPE, UNKNOWN, "NotHeard", "the autoscaler has not said anything yet; see that it runs"
        )
    state = ScalingState(said.state)
    return Verdict(_TYPE, _STATUS[state], state.value, said.message)
