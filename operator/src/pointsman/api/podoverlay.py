"""What a platform lays over the pods of a ModelDeployment; passed on to Kubernetes as it stands."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from pointsman.api.markers import ListMap, Opaque
from pointsman.api.names import AnnotationKey, Count, LabelKey, Labels, LabelValue, ObjectName, Text
from pointsman.api.record import Record
from pointsman.api.scalars import Quantity


class TolerationOperator(StrEnum):
    EXISTS = "Exists"
    EQUAL = "Equal"
    LESS_THAN = "Lt"
    GREATER_THAN = "Gt"


class TaintEffect(StrEnum):
    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Record):
    """Kubernetes' toleration."""

    key: LabelKey | None = None
    operator: TolerationOperator = TolerationOperator.EQUAL
    value: LabelValue | None = None
    effect: TaintEffect | None = None
    toleration_seconds: Count | None = None


class LocalObjectReference(Record):
    name: ObjectName


_Resources = Annotated[dict[LabelKey, Quantity], Field(max_length=32)]


class ResourceRequirements(Record):
    requests: _Resources = Field(default_factory=dict)
    limits: _Resources = Field(default_factory=dict)


class PodOverlay(Record):
    """Labels of other projects (Kueue) pass through; the engine container's own fields stay ours."""

    labels: Labels = Field(default_factory=dict)
    annotations: Annotated[dict[AnnotationKey, Text], Field(max_length=64)] = Field(default_factory=dict)
    node_selector: Labels = Field(default_factory=dict)
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    affinity: Annotated[dict[str, Any], Opaque()] | None = None
    priority_class_name: ObjectName | None = None
    service_account_name: ObjectName | None = None
    image_pull_secrets: Annotated[
        tuple[LocalObjectReference, ...], Field(max_length=16), ListMap("name")
    ] = ()
    runtime_class_name: ObjectName | None = None
    resources: ResourceRequirements | None = None
    volumes: Annotated[tuple[Annotated[dict[str, Any], Opaque()], ...], Field(max_length=32)] = ()
