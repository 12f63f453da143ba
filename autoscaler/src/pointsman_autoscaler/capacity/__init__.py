"""What one replica can serve within its bounds: its law, its tails, and what was learned of both."""

from pointsman_autoscaler.capacity.learner import Learner
from pointsman_autoscaler.capacity.workload import Capacity, Workload

__all__ = ["Capacity", "Learner", "Workload"]
