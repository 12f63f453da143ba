"""What Pointsman says about a ModelDeployment.

Conditions: Placed, WeightsAvailable, Progressing, Available, MetricsAvailable, ScalingActive, Compliant,
Ready.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from pointsman.api.markers import ListMap
from pointsman.api.meta import Condition
from pointsman.api.names import Count, Flag, Generation, Revision, ShortText, Text
from pointsman.api.record import Record
from pointsman.api.scalars import Money

Timestamp = Annotated[str, Field(max_length=64)]
"""RFC 3339; "" for none."""

Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), ListMap("type")]


class PlacementAlternative(Record):
    """A placement that was not chosen, and why."""

    accelerator: ShortText
    accelerators_per_replica: Count = 0
    reason: Text = ""


class PlacementStatus(Record):
    accelerator: ShortText = ""
    accelerators_per_replica: Count = 0
    tensor: Count = 0
    pipeline: Count = 0
    summary: ShortText = ""
    """Accelerators of one replica in a few characters, for the table: 2×H100-SXM."""
    reason: Text = ""
    alternatives: Annotated[tuple[PlacementAlternative, ...], Field(max_length=16)] = ()


class PoolStatus(Record):
    name: ShortText
    accelerator: ShortText = ""
    replicas: Count = 0
    ready: Count = 0
    price_per_hour: Money | None = None


class PoolReplicas(Record):
    name: ShortText
    replicas: Count


class ScalingState(StrEnum):
    """What the autoscaler does for a deployment; the words of status.scaling.state."""

    ACTIVE = "Active"
    ADVISING = "Advising"
    """It says what it would do."""
    PINNED = "Pinned"
    """Somebody else wrote spec.replicas, which stays for a while."""
    METRICS_BLIND = "MetricsBlind"
    """Nothing can be said of the load: what runs is held."""
    NOT_DECIDED = "NotDecided"
    """What is asked for cannot be followed: what runs is held."""
    OFF = "Off"
    """Somebody else scales; the rest is the last word of before."""


class PastDecision(Record):
    """What was decided before, and held from `since` until the next."""

    since: Timestamp = ""
    for_replicas: Count = 0
    state: ShortText = ""
    reason: Annotated[str, Field(max_length=1024)] = ""


class ScalingStatus(Record):
    """Written by the autoscaler alone."""

    observed_generation: Generation = 0
    for_replicas: Count = 0
    """spec.replicas, by the last decision; in mode advise what it would be."""
    pools: Annotated[tuple[PoolReplicas, ...], Field(max_length=16), ListMap("name")] = ()
    reason: Text = ""
    """Why so many, in a sentence."""
    since: Timestamp = ""
    """When pools or state changed last."""
    state: ShortText = ""
    message: Text = ""
    """What the state means here, as the condition ScalingActive says it."""
    pinned_until: Timestamp = ""
    history: Annotated[tuple[PastDecision, ...], Field(max_length=5)] = ()
    """What was decided before this, the newest first: what changed replicas, pools or the state."""


class MetricStatus(Record):
    """How a metric of ours is found at this engine version."""

    name: ShortText
    resolved_to: ShortText = ""
    available: Flag = False


class AdapterStatus(Record):
    """An adapter of spec.model.adapters, and which replicas answer as it."""

    name: ShortText
    revision: Revision | None = None
    path: ShortText = ""
    """Where it lies in pods that load it while they run; follows from source and revision."""
    loaded: Count = 0
    """Ready replicas that have it."""
    reason: Text = ""
    """Why not all ready replicas have it."""


class EngineStatus(Record):
    name: ShortText = ""
    """The engine, or the provider of a hosted model."""
    version: ShortText = ""
    metrics: Annotated[tuple[MetricStatus, ...], Field(max_length=64), ListMap("name")] = ()


class ModelDeploymentStatus(Record):
    observed_generation: Generation = 0
    replicas: Count = 0
    ready_replicas: Count = 0
    selector: Text = ""
    url: Annotated[str, Field(max_length=2048)] = ""
    model: ShortText = ""
    """The model and its revision in a few characters, for the table: Qwen/Qwen3-32B@9216."""
    weights_revision: Revision | None = None
    """The commit of the weights, where spec.model.revision names none: what it was when pods were made."""
    cost_per_hour: Money | None = None
    placement: PlacementStatus | None = None
    pools: Annotated[tuple[PoolStatus, ...], Field(max_length=16), ListMap("name")] = ()
    scaling: ScalingStatus | None = None
    engine: EngineStatus | None = None
    adapters: Annotated[tuple[AdapterStatus, ...], Field(max_length=64), ListMap("name")] = ()
    conditions: Conditions = ()
