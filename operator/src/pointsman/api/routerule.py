"""One rule of a ModelRoute: its targets, who answers when they cannot, and how long to wait."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from pointsman.api.markers import DistinctPairs, ListSet
from pointsman.api.names import Flag, HeaderName, ModelName, Namespace, ShortObjectName
from pointsman.api.record import Record, Rule
from pointsman.api.routematch import Match
from pointsman.api.scalars import PositiveDuration


def target_label(deployment: str, adapter: str | None) -> str:
    """`deployment` or `deployment/adapter`: the name of a deployment has no slash."""
    return f"{deployment}/{adapter}" if adapter else deployment


class Answering(Record):
    """Who is asked: a deployment's model, or one of the adapters that it has beside it."""

    deployment: ShortObjectName
    adapter: ModelName | None = None
    """A name of the deployment's spec.model.adapters; default: the model itself."""

    @property
    def label(self) -> str:
        """What the two are called in one word."""
        return target_label(self.deployment, self.adapter)


class Target(Answering):
    """A deployment, or an adapter of it, and its share of the rule's requests."""

    namespace: Namespace | None = None
    """Reserved."""
    weight: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 1


class FallbackTarget(Answering):
    """A deployment, or an adapter of it."""

    namespace: Namespace | None = None
    """Reserved."""


class FallbackReason(StrEnum):
    CONNECT_FAILURE = "connectFailure"
    SERVER_ERROR = "serverError"
    RATE_LIMITED = "rateLimited"
    TIMEOUT = "timeout"
    FIRST_TOKEN_TIMEOUT = "firstTokenTimeout"
    CONTEXT_OVERFLOW = "contextOverflow"
    REFUSAL = "refusal"
    NO_CAPACITY = "noCapacity"


DEFAULT_FALLBACK_REASONS = tuple(reason for reason in FallbackReason if reason is not FallbackReason.REFUSAL)


class Cooldown(Record):
    """When a failing replica is left alone for a while."""

    failures: Annotated[StrictInt, Field(ge=1, le=10_000)] = 5
    """Failures in a row."""
    for_: PositiveDuration = PositiveDuration("30s")


class Fallback(Record):
    """Who answers when the rule's own targets cannot, in this order."""

    when: Annotated[tuple[FallbackReason, ...], Field(min_length=1, max_length=8), ListSet()] = (
        DEFAULT_FALLBACK_REASONS
    )
    """What counts as failure; everything but refusal unless said otherwise."""
    targets: Annotated[tuple[FallbackTarget, ...], Field(min_length=1, max_length=8)]
    cooldown: Cooldown = Field(default_factory=Cooldown)


class Timeouts(Record):
    request: PositiveDuration = PositiveDuration("10m")
    """The whole request, with every attempt."""
    first_token: PositiveDuration | None = None
    """From the request's end to an answer's first byte, for one attempt; then the next target is tried."""
    idle: PositiveDuration = PositiveDuration("5m")
    """Of a stream, without a byte in either direction; an answer in one piece has its bytes at the end."""


class Affinity(Record):
    """Requests that belong together go to the same replica, so that its prompt cache is of use."""

    header: HeaderName | None = None
    prompt_cache_key: Flag | None = None

    constraints = (
        Rule(
            cel="has(self.header) != (has(self.promptCacheKey) && self.promptCacheKey)",
            holds=lambda affinity: (affinity.header is not None) != bool(affinity.prompt_cache_key),
            what="exactly one of header and promptCacheKey: true must be given",
            todo="state one of them",
        ),
    )


class RouteRule(Record):
    match: Match | None = None
    """Which requests; without it, this is the default rule."""
    targets: Annotated[
        tuple[Target, ...], Field(min_length=1, max_length=16), DistinctPairs(("deployment", "adapter"))
    ]
    fallback: Fallback | None = None
    timeouts: Timeouts = Field(default_factory=Timeouts)
    affinity: Affinity | None = None

    constraints = (
        Rule(
            cel="self.targets.exists(t, !has(t.weight) || t.weight > 0)",
            holds=lambda rule: any(target.weight > 0 for target in rule.targets),
            what="every weight is 0, so nothing would answer",
            todo="give at least one target a weight above 0",
            field="targets",
        ),
    )
