"""How many replicas there should be, and what for."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from pointsman.api.calendar import CronExpression, TimeZone
from pointsman.api.markers import ListMap
from pointsman.api.names import Word
from pointsman.api.record import Record, Rule
from pointsman.api.scalars import PositiveDuration, PositiveMoney, PositiveShare

_Replicas = Annotated[StrictInt, Field(ge=0, le=10_000)]


class ScalingMode(StrEnum):
    ACTIVE = "active"
    ADVISE = "advise"
    OFF = "off"


class Quantiles(Record):
    """Upper bounds of a latency, by quantile."""

    p50: PositiveDuration | None = None
    p90: PositiveDuration | None = None
    p95: PositiveDuration | None = None
    p99: PositiveDuration | None = None

    constraints = (
        Rule(
            cel="has(self.p50) || has(self.p90) || has(self.p95) || has(self.p99)",
            holds=lambda quantiles: any((quantiles.p50, quantiles.p90, quantiles.p95, quantiles.p99)),
            what="no quantile is given",
            todo="state p50, p90, p95 or p99",
        ),
    )


class Objectives(Record):
    """What the replicas must reach."""

    ttft: Quantiles | None = None
    """Time to first token."""
    itl: Quantiles | None = None
    """Time between tokens."""
    attainment: PositiveShare = PositiveShare("0.99")
    """The share of 5-minute windows in which every listed quantile holds."""


class ScalingBudget(Record):
    per_hour: PositiveMoney


class Idle(Record):
    after: PositiveDuration
    """How long nothing must have been asked before the last replica goes; then requests are held."""


class ScaleDown(Record):
    after: PositiveDuration
    """How long fewer replicas must have been enough before any goes, 5m where it is not stated; never shorter
    than a start takes."""


class ScheduledMinimum(Record):
    """A minimum of replicas between two points of a calendar."""

    name: Word
    start: CronExpression
    end: CronExpression
    time_zone: TimeZone = TimeZone("Etc/UTC")
    min_replicas: Annotated[StrictInt, Field(ge=1, le=10_000)]

    constraints = (
        Rule(
            cel="self.start != self.end",
            holds=lambda entry: entry.start != entry.end,
            what="ends when it starts, so it never holds",
            todo="let it end later",
            field="end",
        ),
    )


class Scaling(Record):
    mode: ScalingMode = ScalingMode.ACTIVE
    """active: ours; advise: ours says what it would do; off: someone else scales."""
    min_replicas: _Replicas = 1
    max_replicas: Annotated[StrictInt, Field(ge=1, le=10_000)]
    objectives: Objectives | None = None
    budget: ScalingBudget | None = None
    idle: Idle | None = None
    scale_down: ScaleDown | None = None
    schedule: Annotated[tuple[ScheduledMinimum, ...], Field(max_length=32), ListMap("name")] = ()

    constraints = (
        Rule(
            cel="self.minReplicas <= self.maxReplicas",
            holds=lambda scaling: scaling.min_replicas <= scaling.max_replicas,
            what="minReplicas is above maxReplicas",
            todo="lower one or raise the other",
            field="minReplicas",
        ),
        Rule(
            cel="!has(self.schedule) || self.schedule.all(s, s.minReplicas <= self.maxReplicas)",
            holds=lambda scaling: all(
                entry.min_replicas <= scaling.max_replicas for entry in scaling.schedule
            ),
            what="a scheduled minReplicas is above maxReplicas",
            todo="lower it or raise maxReplicas",
            field="schedule",
        ),
    )
