"""What a policy says of its decision, for whoever writes and shows it."""

from collections.abc import Mapping

from pointsman_autoscaler.decision import Decision, Reason
from pointsman_autoscaler.loop.steps import Wish
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.signals.watched import Blind
from pointsman_autoscaler.view import View

_SEES_NOTHING = frozenset({Reason.BLIND, Reason.STALE})


def decision_of(policy: Policy) -> Decision | None:
    """The newest decision with its reasons; None of a policy that gives none."""
    return policy.last if isinstance(policy, Scaler) else None


def wish_of(policy: Policy, replicas: Mapping[str, int]) -> Wish | Blind:
    """What is to be done; Blind where the policy itself sees too little to decide."""
    decision = decision_of(policy)
    if decision is None:
        return Wish(replicas, f"{policy.name} asks for {sum(replicas.values())} replicas")
    if decision.reason in _SEES_NOTHING:
        return Blind(decision.sentence)
    # The sentence says what for, the detail by which numbers: it is kept as long as nothing else is decided.
    return Wish(replicas, f"{decision.sentence}. {decision.detail}")


def follows(policy: Policy, settings: ScalingSettings) -> bool:
    """Whether it goes on with other settings and what it has learned, rather than another in its place.
    Raises PointsmanError for settings that cannot be followed.
    """
    if not isinstance(policy, Scaler):
        return False
    policy.follow(settings)
    return True


def is_urgent(policy: Policy, view: View) -> bool:
    """Whether it should be asked before its time."""
    return isinstance(policy, Scaler) and policy.is_urgent(view)
