"""Workloads that are near each other are worked out as one: a measured mean is no more exact. Pure."""

import math
from functools import lru_cache

from pointsman_autoscaler.capacity.workload import Workload

# Tokens within 2 % are the same.
_STEPS_PER_E = 50
# The rate counts only for how bursts spread over replicas: within 10 %.
_RATE_STEPS_PER_E = 10
_MOST_HIT = 0.99
# Nothing that is served is beyond these; what is measured to be has been read wrong.
_MOST_RATE = 1e6
_MOST_TOKENS = 1e7
_MOST_VARIED_SIZES = 4.0
_MOST_VARIED_ARRIVALS = 100.0


@lru_cache(maxsize=1024)
def rounded(workload: Workload) -> Workload:
    """The workload as it is worked out. What is no number is the usual. Flavours ask for the same."""
    hit = workload.prefix_hit
    arrivals = _tenths(workload.interarrival_cv, _MOST_VARIED_ARRIVALS)
    return Workload(
        # Where arrivals do not come in bursts, it does not matter how they are spread.
        _near(workload.requests_per_second, 0.0, _MOST_RATE, _RATE_STEPS_PER_E) if arrivals > 1 else 0.0,
        # Prompts have a token; no answer is a way to work of its own.
        _near(workload.input_tokens, 1.0, _MOST_TOKENS, _STEPS_PER_E) or 1.0,
        _near(workload.output_tokens, 1.0, _MOST_TOKENS, _STEPS_PER_E),
        arrivals,
        _tenths(workload.input_cv, _MOST_VARIED_SIZES),
        _tenths(workload.output_cv, _MOST_VARIED_SIZES),
        min(round(hit, 2), _MOST_HIT) if 0 < hit < math.inf else 0.0,
    )


def _near(value: float, least: float, most: float, steps: int) -> float:
    if not 0 < value < math.inf:
        return 0.0
    return math.exp(round(math.log(min(max(value, least), most)) * steps) / steps)


def _tenths(variation: float, most: float) -> float:
    return round(min(variation, most), 1) if 0 <= variation < math.inf else 1.0
