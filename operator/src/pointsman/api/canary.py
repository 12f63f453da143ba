"""A new deployment takes over a route step by step, while what it does is compared."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from pointsman.api.markers import ListMap
from pointsman.api.names import Flag, Generation, ObjectName, ShortObjectName
from pointsman.api.record import Record, Rule
from pointsman.api.scalars import PositiveDuration, Share


class MetricName(StrEnum):
    ERROR_RATE = "errorRate"
    TTFT = "ttft"
    ITL = "itl"
    FEEDBACK = "feedback"


class DeadlineAction(StrEnum):
    HOLD = "hold"
    ROLLBACK = "rollback"
    PROMOTE = "promote"


class Promotion(StrEnum):
    MANUAL = "manual"
    AUTOMATIC = "automatic"


class ActionKind(StrEnum):
    PROMOTE = "promote"
    ABORT = "abort"


class CanaryMetric(Record):
    """How much worse the canary may be: an absolute margin, or one relative to the present deployment."""

    name: MetricName
    quantile: Share | None = None
    absolute: Share | None = None
    relative: Share | None = None

    constraints = (
        Rule(
            cel="has(self.absolute) != has(self.relative)",
            holds=lambda metric: (metric.absolute is None) != (metric.relative is None),
            what="exactly one of absolute and relative must be given",
            todo="state one margin",
        ),
        Rule(
            cel="(self.name in ['ttft', 'itl']) == has(self.quantile)",
            holds=lambda metric: (
                (metric.name in {MetricName.TTFT, MetricName.ITL}) == (metric.quantile is not None)
            ),
            what="ttft and itl need a quantile, the others have none",
            todo="state or remove quantile",
            field="quantile",
        ),
    )


class Deadline(Record):
    after: PositiveDuration
    do: DeadlineAction = DeadlineAction.HOLD


class Analysis(Record):
    metrics: Annotated[tuple[CanaryMetric, ...], Field(min_length=1, max_length=8), ListMap("name")]
    on_deadline: Deadline | None = None


class SuiteReference(Record):
    name: ObjectName


class Evaluation(Record):
    """A set of questions with known answers that the canary must pass before the first step."""

    suite_ref: SuiteReference
    absolute: Share


class CanaryAction(Record):
    """A person's word, written by the command line."""

    kind: ActionKind
    for_attempt: Generation


class Canary(Record):
    deployment: ShortObjectName
    """The deployment that comes; it is compared with the default rule's first target."""
    steps: Annotated[
        tuple[Annotated[StrictInt, Field(ge=1, le=100)], ...], Field(min_length=1, max_length=20)
    ] = (
        1,
        5,
        25,
        50,
    )
    """Percent of the requests, step by step."""
    step_minimum: PositiveDuration = PositiveDuration("5m")
    analysis: Analysis | None = None
    evaluation: Evaluation | None = None
    promotion: Promotion = Promotion.MANUAL
    paused: Flag = False
    attempt: Generation = 1
    """Any other value than before starts anew."""
    action: CanaryAction | None = None

    constraints = (
        Rule(
            cel="self.steps.isSorted() && self.steps.all(step, self.steps.exists_one(other, other == step))",
            holds=lambda canary: all(a < b for a, b in zip(canary.steps, canary.steps[1:], strict=False)),
            what="steps do not rise",
            todo="order them from the smallest to the largest",
            field="steps",
        ),
    )
