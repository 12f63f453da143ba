"""What Pointsman says about a ModelRoute.

Conditions: Accepted, ResolvedRefs, Programmed, CanaryHealthy, Compliant, Ready.
"""

from typing import Annotated

from pydantic import Field

from pointsman.api.markers import ListMap
from pointsman.api.meta import Condition
from pointsman.api.names import Count, Flag, Generation, Percent, ShortText, Text
from pointsman.api.record import Record
from pointsman.api.routerule import target_label


class TargetStatus(Record):
    deployment: ShortText
    adapter: ShortText = ""
    weight: Count = 0
    ready: Flag = False
    reason: Text = ""

    @property
    def label(self) -> str:
        """What its deployment and adapter are called in one word."""
        return target_label(self.deployment, self.adapter)


class Verdict(Record):
    """What one metric says about the canary."""

    metric: ShortText
    evidence: ShortText = ""
    decision: ShortText = ""
    samples: Generation = 0


class RolloutStatus(Record):
    phase: ShortText = ""
    step: Count = 0
    weight: Percent = 0
    since: Annotated[str, Field(max_length=64)] = ""
    summary: ShortText = ""
    """The canary and its share in a few characters, for the table: qwen3-32b-v2@5%."""
    verdicts: Annotated[tuple[Verdict, ...], Field(max_length=8), ListMap("metric")] = ()


class ModelRouteStatus(Record):
    observed_generation: Generation = 0
    url: Annotated[str, Field(max_length=2048)] = ""
    models: ShortText = ""
    """The public names in a few characters, for the table: chat,chat-large."""
    summary: ShortText = ""
    """The default rule's targets and fallbacks in a few characters, for the table: qwen3-32b→gpt-5-mini."""
    targets: Annotated[tuple[TargetStatus, ...], Field(max_length=256)] = ()
    rollout: RolloutStatus | None = None
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), ListMap("type")] = ()
