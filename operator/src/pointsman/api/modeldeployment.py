"""ModelDeployment: one model that can answer, served by engines of our own or hosted by a provider."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictInt

from pointsman.api.hardware import Hardware
from pointsman.api.hosted import Hosted
from pointsman.api.markers import Column, ListSet, Scale
from pointsman.api.meta import API_VERSION
from pointsman.api.modeldeployment_status import ModelDeploymentStatus
from pointsman.api.names import ShortText, Word
from pointsman.api.podoverlay import PodOverlay
from pointsman.api.record import Record, Rule
from pointsman.api.resource import Resource
from pointsman.api.scalars import PositiveDuration
from pointsman.api.scaling import Scaling, ScalingMode
from pointsman.api.serving import Engine, EngineName, Model


class Task(StrEnum):
    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    TRANSCRIPTION = "transcription"
    SPEECH = "speech"
    IMAGE = "image"


class Tier(StrEnum):
    BRAIN = "brain"
    CHALLENGER = "challenger"
    LONG_TAIL = "longTail"


class RouteNamespaces(StrEnum):
    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"


class Drain(Record):
    """How a replica leaves."""

    timeout: PositiveDuration = PositiveDuration("10m")
    """How long running requests may go on after the replica was asked to stop."""


class AllowedRoutes(Record):
    """Which namespaces' routes may send requests here."""

    namespaces: RouteNamespaces = RouteNamespaces.SAME


def _only_with_own_engine(attribute: str) -> Rule:
    def unstated(spec: Record) -> bool:
        return not spec.states("hosted") or not spec.states(attribute)

    return Rule(
        cel=f"!has(self.hosted) || !has(self.{attribute})",
        holds=unstated,
        what=f"{attribute} has no meaning for a hosted model",
        todo=f"remove {attribute}, or state model and engine instead of hosted",
        field=attribute,
    )


_SPELLED_OUT = "has(self.hardware) && has(self.hardware.pools) && size(self.hardware.pools) > 0"


def _beside_pools(
    cel: str, holds: Callable[[Scaling, int, int], bool], what: str, todo: str, field: str
) -> Rule:
    """What must hold of scaling beside pools that are spelled out, given the sums of their limits."""

    def holds_of(spec: Any) -> bool:
        pools = spec.hardware.pools if spec.hardware is not None else ()
        if spec.scaling is None or not pools:
            return True
        least, most = (
            sum(getattr(pool, name) for pool in pools) for name in ("min_replicas", "max_replicas")
        )
        return holds(spec.scaling, least, most)

    return Rule(f"!(has(self.scaling) && {_SPELLED_OUT}) || {cel}", holds_of, what, todo, f"scaling.{field}")


class ModelDeploymentSpec(Record):
    """A union: `hosted` alone, or `model` and `engine` with what belongs to running them."""

    tasks: Annotated[tuple[Task, ...], Field(min_length=1, max_length=7), ListSet(has_default=True)] = (
        Task.CHAT,
        Task.COMPLETION,
    )
    """What the model can be asked to do."""
    tier: Tier | None = None
    """How the platform ranks the model."""
    data_classes: Annotated[tuple[Word, ...], Field(max_length=16), ListSet()] = ()
    """What may be sent to the model; a route that carries another class may not use it."""
    license: ShortText = ""
    """The licence of the weights, as an SPDX identifier where there is one."""

    model: Model | None = None
    engine: Engine | None = None
    hardware: Hardware | None = None
    replicas: Annotated[StrictInt, Field(ge=0, le=10_000)] = 1
    """How many replicas run; written through the scale subresource by a person or an autoscaler."""
    scaling: Scaling | None = None
    drain: Drain = Field(default_factory=Drain)
    refresh: ShortText = ""
    """Any other value than before: take today's catalogue, prices and agent."""
    allowed_routes: AllowedRoutes | None = None
    template: PodOverlay | None = None

    hosted: Hosted | None = None

    constraints = (
        Rule(
            cel="has(self.hosted) != (has(self.model) || has(self.engine))",
            holds=lambda spec: (
                (spec.hosted is not None) != (spec.model is not None or spec.engine is not None)
            ),
            what="exactly one of hosted, or model with engine, must be given",
            todo="state hosted for a provider's model, or model and engine for weights of your own",
        ),
        Rule(
            cel="has(self.hosted) || has(self.model) == has(self.engine)",
            holds=lambda spec: spec.hosted is not None or (spec.model is None) == (spec.engine is None),
            what="model and engine belong together",
            todo="state both",
        ),
        _only_with_own_engine("hardware"),
        _only_with_own_engine("scaling"),
        _only_with_own_engine("drain"),
        _only_with_own_engine("template"),
        Rule(
            cel="!has(self.hosted) || self.replicas == 1",
            holds=lambda spec: spec.hosted is None or spec.replicas == 1,
            what="replicas has no meaning for a hosted model",
            todo="remove replicas",
            field="replicas",
        ),
        _beside_pools(
            cel="self.scaling.minReplicas <= self.hardware.pools.map(p, p.maxReplicas).sum()",
            holds=lambda scaling, least, most: scaling.min_replicas <= most,
            what="minReplicas is more than all pools together may have",
            todo="lower it, or raise a pool's maxReplicas",
            field="minReplicas",
        ),
        _beside_pools(
            cel="!has(self.scaling.schedule)"
            " || self.scaling.schedule.all(s,"
            " s.minReplicas <= self.hardware.pools.map(p, p.maxReplicas).sum())",
            holds=lambda scaling, least, most: all(s.min_replicas <= most for s in scaling.schedule),
            what="a scheduled minReplicas is more than all pools together may have",
            todo="lower it, or raise a pool's maxReplicas",
            field="schedule",
        ),
        _beside_pools(
            cel="self.hardware.pools.map(p, has(p.minReplicas) ? p.minReplicas : 0).sum()"
            " <= self.scaling.maxReplicas",
            holds=lambda scaling, least, most: least <= scaling.max_replicas,
            what="maxReplicas is less than the minReplicas of all pools together",
            todo="raise it, or lower a pool's minReplicas",
            field="maxReplicas",
        ),
        Rule(
            cel="!(has(self.scaling) && has(self.scaling.objectives) && has(self.scaling.objectives.itl))"
            " || !self.tasks.all(task, task in ['embedding', 'rerank'])",
            holds=lambda spec: (
                spec.scaling is None
                or spec.scaling.objectives is None
                or spec.scaling.objectives.itl is None
                or not set(spec.tasks) <= {Task.EMBEDDING, Task.RERANK}
            ),
            what="embeddings and ranks have no time between tokens",
            todo="state ttft alone, the time to the answer",
            field="scaling.objectives",
        ),
        Rule(
            cel="!(has(self.scaling) && has(self.engine)) || self.engine.name != 'custom'"
            " || has(self.scaling.mode) && self.scaling.mode == 'off'",
            holds=lambda spec: (
                spec.scaling is None
                or spec.engine is None
                or spec.engine.name is not EngineName.CUSTOM
                or spec.scaling.mode is ScalingMode.OFF
            ),
            what="nothing can be seen of the load of custom engines, so their number would stay",
            todo='write mode: "off", and scale it by what gateways see (operator/docs/scaling-by-others.md)',
            field="scaling.mode",
        ),
    )


class ModelDeployment(Resource):
    """One model that can answer: weights and an engine of our own, or a model that a provider hosts."""

    api_version: Literal["pointsman.dev/v1alpha1"] = API_VERSION
    kind: Literal["ModelDeployment"] = "ModelDeployment"
    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus = Field(default_factory=ModelDeploymentStatus)

    plural: ClassVar[str] = "modeldeployments"
    short_name: ClassVar[str] = "pmd"
    scale: ClassVar[Scale | None] = Scale(".spec.replicas", ".status.replicas", ".status.selector")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Model", ".status.model"),
        Column("Engine", ".status.engine.name"),
        Column("Accelerator", ".status.placement.summary"),
        Column("Replicas", ".status.readyReplicas", "integer"),
        Column("Desired", ".spec.replicas", "integer"),
        Column("Cost/h", ".status.costPerHour", wide=True),
        Column("Revision", ".spec.model.revision", wide=True),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )

    @property
    def served_names(self) -> tuple[str, ...]:
        """The names the engine answers to, the first being the one to send; empty for a hosted model."""
        if self.spec.model is None:
            return ()
        return self.spec.model.served_names or (self.metadata.name,)

    @property
    def may_rest(self) -> bool:
        """Whether an autoscaler may take its last replica away while nothing is asked. Requests that come
        then are held until one is back.
        """
        scaling = self.spec.scaling
        if scaling is None or scaling.mode is ScalingMode.OFF:
            return False
        return scaling.idle is not None or scaling.min_replicas == 0

    @property
    def adapter_names(self) -> tuple[str, ...]:
        """The adapters that are loaded beside its weights."""
        return () if self.spec.model is None else tuple(one.name for one in self.spec.model.adapters)
