"""What is wanted of one model's replicas: the API's `scaling`, in plain numbers. Pure."""

from dataclasses import dataclass

from pointsman.placement.demand import Bound


@dataclass(frozen=True, slots=True)
class Minimum:
    """A schedule's entry: from `start` to `end` (cron, in `time_zone`) at least so many replicas."""

    name: str
    start: str
    end: str
    time_zone: str
    replicas: int


@dataclass(frozen=True, slots=True)
class ScalingSettings:
    """`attainment` is the share of 5-minute windows in which each bound holds."""

    bounds: tuple[Bound, ...]
    attainment: float = 0.99
    minimum: int = 1
    maximum: int = 10_000
    budget_per_hour: float | None = None
    idle_after_seconds: float | None = None
    """To zero after so long without a request; None: never below the minimum."""
    schedule: tuple[Minimum, ...] = ()
    hold_seconds: float | None = None
    """How long fewer must have been enough before any goes; None: as long as is usual."""
