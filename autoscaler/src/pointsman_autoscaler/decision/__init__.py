"""From what is known at one moment to how many replicas of which flavour, and why. Pure."""

from pointsman_autoscaler.decision.decide import decide
from pointsman_autoscaler.decision.decision import Alternative, Decision, Reason
from pointsman_autoscaler.decision.observation import Load, Observation, Past, Pool, Seen, Tuning

__all__ = [
    "Alternative",
    "Decision",
    "Load",
    "Observation",
    "Past",
    "Pool",
    "Reason",
    "Seen",
    "Tuning",
    "decide",
]
