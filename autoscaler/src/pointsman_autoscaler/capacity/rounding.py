"""Workloads that are near each other are worked out as one: a measured mean is no more exact. Pure."""

import math

from pointsman_autoscaler.capacity.workload import Workload

# Tokens within 2 % are the same.
_STEPS_PER_E = 50
# The rate counts only for how bursts spread over replicas: within 10 %.
_RATE_STEPS_PER_E = 10
_MOST_HIT = 0.99


def rounded(workload: Workload) -> Workload:
    """The workload as it is worked out. What is no number is the usual."""
    hit = workload.prefix_hit
    return Workload(
        _near(workload.requests_per_second, _RATE_STEPS_PER_E),
        _near(workload.input_tokens, _STEPS_PER_E),
        _near(workload.output_tokens, _STEPS_PER_E),
        _tenths(workload.interarrival_cv),
        _tenths(workload.input_cv),
        _tenths(workload.output_cv),
        min(round(hit, 2), _MOST_HIT) if 0 < hit < math.inf else 0.0,
    )


def _near(value: float, steps: int) -> float:
    if not 0 < value < math.inf:
        return 0.0
    return math.exp(round(math.log(value) * steps) / steps)


def _tenths(variation: float) -> float:
    return round(variation, 1) if 0 <= variation < math.inf else 1.0
