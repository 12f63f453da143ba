"""What every object has whatever its kind: name, labels, conditions, selectors, references to Secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field

from pointsman.api.markers import Opaque
from pointsman.api.names import (
    AnnotationKey,
    DataKey,
    Generation,
    LabelKey,
    Labels,
    LabelValue,
    Namespace,
    ObjectName,
)
from pointsman.api.record import Record, Rule

GROUP: Final = "pointsman.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "pointsman.dev/v1alpha1"
DEFAULT_NAMESPACE = "default"
DEPLOYMENT_LABEL: Final = f"{GROUP}/deployment"
"""On every child of a ModelDeployment: its name."""
NAMESPACE_NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""Kubernetes gives each namespace this label itself."""


@dataclass(frozen=True, order=True)
class ObjectKey:
    """Where an object lives; `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class ObjectMeta(Record):
    """The part of Kubernetes' ObjectMeta that is read; what the API server writes is accepted and kept."""

    name: ObjectName
    namespace: Namespace = DEFAULT_NAMESPACE
    labels: Labels = Field(default_factory=dict)
    annotations: Annotated[
        dict[AnnotationKey, Annotated[str, Field(max_length=262144)]], Field(max_length=256)
    ] = Field(default_factory=dict)
    generation: Generation = 0
    uid: Annotated[str, Field(max_length=64)] = ""
    resource_version: Annotated[str, Field(max_length=64)] = ""
    creation_timestamp: Annotated[str, Field(max_length=64)] = ""
    deletion_timestamp: Annotated[str, Field(max_length=64)] = ""
    deletion_grace_period_seconds: Generation | None = None
    finalizers: Annotated[tuple[Annotated[str, Field(max_length=317)], ...], Field(max_length=64)] = ()
    owner_references: Annotated[tuple[Annotated[dict[str, Any], Opaque()], ...], Field(max_length=64)] = ()
    managed_fields: Annotated[tuple[Annotated[dict[str, Any], Opaque()], ...], Field(max_length=256)] = ()
    self_link: Annotated[str, Field(max_length=1024)] = ""
    generate_name: Annotated[str, Field(max_length=253)] = ""


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Record):
    """One concern's state; the reason is one word for programs, the message one line for people."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    status: ConditionStatus
    reason: Annotated[str, Field(max_length=1024)] = ""
    message: Annotated[str, Field(max_length=32768)] = ""
    observed_generation: Generation = 0
    last_transition_time: Annotated[str, Field(max_length=64)] = ""


class SelectorOperator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


_SET_OPERATORS = frozenset({SelectorOperator.IN, SelectorOperator.NOT_IN})


class SelectorRequirement(Record):
    """One term of a label selector."""

    key: LabelKey
    operator: SelectorOperator
    values: Annotated[tuple[LabelValue, ...], Field(max_length=64)] = ()

    constraints = (
        Rule(
            cel="(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            holds=lambda term: (term.operator in _SET_OPERATORS) == bool(term.values),
            what="In and NotIn need values, Exists and DoesNotExist take none",
            todo="give or remove values",
            field="values",
        ),
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case SelectorOperator.IN:
                return value in self.values
            case SelectorOperator.NOT_IN:
                return value not in self.values
            case SelectorOperator.EXISTS:
                return value is not None
            case SelectorOperator.DOES_NOT_EXIST:
                return value is None


class LabelSelector(Record):
    """Kubernetes' label selector; an empty one matches everything."""

    atomic = True

    match_labels: Labels = Field(default_factory=dict)
    match_expressions: Annotated[tuple[SelectorRequirement, ...], Field(max_length=32)] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            term.matches(labels) for term in self.match_expressions
        )


class SecretKeySelector(Record):
    """One key of a Secret in the object's own namespace."""

    atomic = True

    name: ObjectName
    key: DataKey


class Credentials(Record):
    """Where a credential is kept; the value itself never stands in an object."""

    secret_ref: SecretKeySelector
