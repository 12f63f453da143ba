"""ModelRoute: a public model name, and which deployments answer to it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt

from pointsman.api.authentication import Authentication
from pointsman.api.canary import Canary
from pointsman.api.markers import Column, ListSet
from pointsman.api.meta import API_VERSION
from pointsman.api.modelroute_status import ModelRouteStatus
from pointsman.api.names import Flag, ModelName, PositiveCount, Word
from pointsman.api.record import Record
from pointsman.api.resource import Resource
from pointsman.api.routerule import Answering, RouteRule
from pointsman.api.scalars import Money, Share


class Mirror(Answering):
    """A copy of some requests goes to another deployment or adapter; its answers are thrown away."""

    percent: Annotated[StrictInt, Field(ge=1, le=100)]


class ClientLimits(Record):
    requests_per_minute: PositiveCount | None = None
    tokens_per_minute: PositiveCount | None = None


class RouteBudget(Record):
    per_day: Money | None = None
    per_month: Money | None = None


class RouteLimits(Record):
    per_client: ClientLimits | None = None
    budget: RouteBudget | None = None
    max_output_tokens: PositiveCount | None = None


class Archive(Record):
    """What is kept of requests and answers."""

    sample: Share
    redact: Flag = True


class ModelRouteSpec(Record):
    models: Annotated[tuple[ModelName, ...], Field(min_length=1, max_length=32), ListSet()]
    """The public names: what clients write as "model"."""
    rules: Annotated[tuple[RouteRule, ...], Field(min_length=1, max_length=16)]
    canary: Canary | None = None
    mirror: Mirror | None = None
    authentication: Authentication | None = None
    """Who may call; without it, nobody."""
    limits: RouteLimits | None = None
    data_class: Word | None = None
    """What the requests carry; every target must be allowed to receive it."""
    archive: Archive | None = None


class ModelRoute(Resource):
    """A public model name: which deployments answer to it, and who answers when they cannot."""

    api_version: Literal["pointsman.dev/v1alpha1"] = API_VERSION
    kind: Literal["ModelRoute"] = "ModelRoute"
    spec: ModelRouteSpec
    status: ModelRouteStatus = Field(default_factory=ModelRouteStatus)

    plural: ClassVar[str] = "modelroutes"
    short_name: ClassVar[str] = "pmr"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Models", ".status.models"),
        Column("Targets", ".status.summary"),
        Column("Canary", ".status.rollout.summary"),
        Column("Phase", ".status.rollout.phase"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
