"""What was decided, and why, in numbers and in a sentence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


class Reason(StrEnum):
    """Why the replicas are what they are; names are stable, they become reasons of a condition."""

    LOAD = "Load"
    """What the load needs."""
    BURST = "Burst"
    """Requests wait longer than is allowed."""
    SATURATION = "Saturation"
    """Caches and queues fill up, whatever the model of capacity says."""
    SPOT_HEDGE = "SpotHedge"
    """What is left must do when the worst domain is lost."""
    HELD = "Held"
    """Fewer would do, but not for long enough yet."""
    MINIMUM = "Minimum"
    SCHEDULE = "Schedule"
    PREWARMED = "Prewarmed"
    """Former days were busy at this time."""
    MAXIMUM = "Maximum"
    QUOTA = "Quota"
    """No flavour may have more."""
    BUDGET = "Budget"
    UNREACHABLE = "TargetUnreachable"
    """No number of replicas keeps the bounds."""
    IDLE = "Idle"
    BLIND = "MetricsBlind"
    STALE = "MetricsStale"
    PARTLY_BLIND = "MetricsPartial"


@dataclass(frozen=True, slots=True)
class Alternative:
    """What was not chosen; `attainment` is the predicted share of time in which every bound holds."""

    name: str
    replicas: Mapping[str, int]
    attainment: float
    cost_per_hour: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """`sentence` changes only with what is decided; `detail` has the numbers of this moment."""

    sentence: str
    detail: str
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What is decided. It is explained when somebody asks: simulations decide a million times for nobody."""

    at_seconds: float
    replicas: Mapping[str, int]
    reason: Reason
    binding: str
    """What keeps one replica from serving more: `ttft p95`, `slots` or `cache`."""
    attainment: float
    cost_per_hour: float
    need: float
    """Requests a second that replicas are sized for."""
    need_tokens: float
    holds: frozenset[Reason]
    """What else kept the replicas from being fewer, or more."""
    explain: Callable[["Decision"], Explanation] = field(compare=False, repr=False)

    @property
    def sentence(self) -> str:
        return self._explanation.sentence

    @property
    def detail(self) -> str:
        return self._explanation.detail

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        return self._explanation.alternatives

    @cached_property
    def _explanation(self) -> Explanation:
        return self.explain(self)

    @property
    def total(self) -> int:
        return sum(self.replicas.values())
