"""What a GuardrailPolicy asks of the texts that pass through a route."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from pointsman.api.markers import ListMap
from pointsman.api.meta import LabelSelector
from pointsman.api.record import Record, Rule
from pointsman.api.scalars import Share


class Detector(StrEnum):
    PII = "pii"
    PROMPT_INJECTION = "promptInjection"
    SECRETS = "secrets"
    TOXICITY = "toxicity"


class GuardAction(StrEnum):
    REDACT = "redact"
    BLOCK = "block"
    FLAG = "flag"


class OnFailure(StrEnum):
    CLOSED = "closed"
    OPEN = "open"


class Guard(Record):
    detector: Detector
    action: GuardAction
    threshold: Share | None = None
    """How sure the detector must be."""


_Guards = Annotated[tuple[Guard, ...], Field(max_length=8), ListMap("detector")]


class RuntimeGuards(Record):
    route_selector: LabelSelector | None = None
    """Labels of the routes; without it, every route."""
    input: _Guards = ()
    output: _Guards = ()
    on_failure: OnFailure = OnFailure.CLOSED
    """What happens when a detector cannot answer: closed refuses the request, open lets it pass."""

    constraints = (
        Rule(
            cel="(has(self.input) && size(self.input) > 0) || (has(self.output) && size(self.output) > 0)",
            holds=lambda runtime: bool(runtime.input or runtime.output),
            what="no guard is given",
            todo="state input or output",
        ),
    )
