"""How many replicas Kubernetes' horizontal autoscaler wants for a metric. Pure.

kubernetes/kubernetes, pkg/controller/podautoscaler/replica_calculator.go.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tolerance:
    """No change while the ratio of metric and target is within 1 - down and 1 + up."""

    up: float = 0.1
    down: float = 0.1

    def holds(self, ratio: float) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


DEFAULT_TOLERANCE = Tolerance()


def by_pods(
    current: int,
    values: Sequence[float],
    target: float,
    *,
    missing: int = 0,
    unready: int = 0,
    tolerance: Tolerance = DEFAULT_TOLERANCE,
) -> int | None:
    """For a metric of each pod: `values` of those that have one, and how many have none or are not ready.

    Those without a metric count as at the target on the way down and as idle on the way up; those that are
    not ready count as idle on the way up alone. None: no pod has a value.
    """
    if not values or target <= 0:
        return None
    ratio = sum(values) / len(values) / target
    starting = unready if ratio > 1 else 0
    if not starting and not missing:
        return current if tolerance.holds(ratio) else math.ceil(ratio * len(values))
    counted = len(values) + starting + (missing if ratio != 1 else 0)
    filled = sum(values) + (missing * target if ratio < 1 else 0.0)
    again = filled / counted / target
    if tolerance.holds(again) or (again - 1) * (ratio - 1) < 0:
        return current
    wanted = math.ceil(again * counted)
    if (again < 1 and wanted > current) or (again > 1 and wanted < current):
        return current
    return wanted


def by_total(current: int, total: float, target: float, tolerance: Tolerance = DEFAULT_TOLERANCE) -> int:
    """For a metric of all pods together, shared by the replicas that exist (type AverageValue)."""
    if current <= 0 or target <= 0 or tolerance.holds(total / (target * current)):
        return current
    return math.ceil(total / target)
