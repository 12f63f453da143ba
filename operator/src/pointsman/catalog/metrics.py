"""What an engine's own metrics are called, and the one set of names that Pointsman gives them."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pointsman.api.record import Record
from pointsman.catalog.versions import EngineVersion, in_range


class MetricName(StrEnum):
    """The names that dashboards, scaling and canaries read, whatever the engine (as `pointsman_engine_*`)."""

    REQUESTS_RUNNING = "requests_running"
    REQUESTS_WAITING = "requests_waiting"
    REQUESTS_FINISHED = "requests_finished_total"
    CACHE_USAGE = "cache_usage_ratio"
    PROMPT_TOKENS = "prompt_tokens_total"
    CACHED_PROMPT_TOKENS = "cached_prompt_tokens_total"
    GENERATION_TOKENS = "generation_tokens_total"
    PROMPT_TIME = "prompt_seconds_total"
    GENERATION_TIME = "generation_seconds_total"
    FIRST_TOKEN_TIME = "first_token_seconds"
    INTER_TOKEN_TIME = "inter_token_seconds"
    REQUEST_TIME = "request_seconds"
    QUEUE_TIME = "queue_seconds"
    STEPS = "steps_total"


class EngineMetric(Record):
    """One metric of an engine, and in which versions it has this name."""

    name: MetricName
    engine_name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
    """As it stands in the engine's Prometheus text (histograms without their suffix)."""
    kind: Literal["counter", "gauge", "histogram"]
    since: EngineVersion | None = None
    before: EngineVersion | None = None
    """The first version that no longer has it under this name."""
    shown: Literal["atOnce", "onceObserved"] = "atOnce"
    """Whether the page has it once one token was answered, or only after more than that."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """What one unit of the engine's value is in ours: 0.000001 for microseconds."""

    def exists_in(self, version: str | None) -> bool:
        """Whether a version has the metric; without a version, whether the newest has it."""
        return self.before is None if version is None else in_range(version, self.since, self.before)
