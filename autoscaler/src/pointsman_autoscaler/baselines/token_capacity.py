"""How many tokens of requests one replica takes, as llm-d's second saturation analyzer learns it. Pure.

llm-d/llm-d-workload-variant-autoscaler, internal/engines/analyzers/saturation_v2/analyzer.go.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

from pointsman_autoscaler.baselines.variants import Replica

# Observations of a saturated replica that are averaged.
_REMEMBERED = 10
# Answers shorter than these (tokens) share what was observed.
_BUCKETS = (100, 500)


@dataclass(frozen=True, slots=True)
class Shape:
    """The mean request, in tokens; zero where it is not known."""

    input_tokens: float = 0.0
    output_tokens: float = 0.0

    @property
    def total(self) -> float:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine was started with."""

    cache_tokens: float
    slots: int
    batched_tokens: int


def derived(limits: Limits, shape: Shape) -> float | None:
    """Tokens that requests hold where a step's budget of tokens limits how many run; None: not known."""
    if shape.output_tokens <= 0 or limits.batched_tokens <= 0:
        return None
    running = min(limits.batched_tokens * shape.output_tokens / shape.total, float(limits.slots))
    held = running * (shape.input_tokens + shape.output_tokens / 2)
    return held if held > 0 else None


@dataclass
class TokenCapacity:
    """For each flavour: what was in use when requests waited; else what its limits say; else memory."""

    cache_threshold: float = 0.80
    queue_threshold: float = 5.0
    _observed: dict[tuple[str, int], deque[float]] = field(default_factory=dict)
    _live: dict[str, float] = field(default_factory=dict)

    def of_replica(self, flavour: str, replica: Replica, limits: Limits, shape: Shape) -> float:
        in_use = replica.cache_usage * limits.cache_tokens
        by_memory = self.cache_threshold * limits.cache_tokens
        key = (flavour, sum(shape.output_tokens >= bound for bound in _BUCKETS))
        by_compute: float | None
        if replica.waiting >= self.queue_threshold and in_use > 0:
            self._observed.setdefault(key, deque(maxlen=_REMEMBERED)).append(in_use)
            by_compute = in_use
        elif key in self._observed:
            by_compute = sum(self._observed[key]) / len(self._observed[key])
        else:
            by_compute = derived(limits, shape)
        return by_memory if by_compute is None else min(by_memory, by_compute)

    def of_flavour(self, flavour: str, replicas: tuple[Replica, ...], limits: Limits, shape: Shape) -> float:
        """The median of its replicas; without any, what it was last, or what its limits say."""
        if replicas:
            each = [self.of_replica(flavour, replica, limits, shape) for replica in replicas]
            self._live[flavour] = median(each)
            return self._live[flavour]
        if flavour in self._live:
            return self._live[flavour]
        by_limits = derived(limits, shape)
        by_memory = self.cache_threshold * limits.cache_tokens
        return float(limits.batched_tokens) if by_limits is None else min(by_limits, by_memory)
