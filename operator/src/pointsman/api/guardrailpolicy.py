"""GuardrailPolicy: what must hold for the other kinds, and for what passes through a route."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pointsman.api.markers import Column, ListMap, ListSet
from pointsman.api.meta import API_VERSION, Condition, LabelSelector
from pointsman.api.names import Count, Generation, Namespace, ObjectName, ShortText, Text, Word
from pointsman.api.policyruntime import RuntimeGuards
from pointsman.api.record import Record, Rule
from pointsman.api.resource import Resource
from pointsman.api.scalars import IntOrText, Timestamp

MOST_VIOLATIONS = 50
"""So many are in a status, and all are counted: reports of every verdict have filled etcd elsewhere."""
LONGEST_VIOLATION = 512
"""Of a rule's message, in characters, in a status or a report."""


class PolicyMode(StrEnum):
    ENFORCE = "enforce"
    WARN = "warn"
    AUDIT = "audit"


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class PolicyKind(StrEnum):
    MODEL_DEPLOYMENT = "ModelDeployment"
    MODEL_ROUTE = "ModelRoute"
    POD = "Pod"


class AppliesTo(Record):
    """Labels of namespaces only: owners label their own objects."""

    namespace_selector: LabelSelector


class Pack(Record):
    """A set of rules that comes with Pointsman."""

    name: Word
    exclude: Annotated[tuple[Word, ...], Field(max_length=64), ListSet()] = ()
    parameters: Annotated[dict[Word, IntOrText], Field(max_length=32)] = Field(default_factory=dict)


class PolicyRule(Record):
    """A rule of one's own, in CEL."""

    id: Word
    mode: PolicyMode | None = None
    kinds: Annotated[tuple[PolicyKind, ...], Field(min_length=1, max_length=3), ListSet()]
    expression: Annotated[str, Field(min_length=1, max_length=8192)]
    scale: Annotated[str, Field(max_length=8192)] = ""
    """The same of `kubectl scale` and autoscalers, for an expression that reads more of the object than its
    replicas, name and namespace: CEL over those of `object` alone. Others are asked there by themselves.
    """
    message: Annotated[str, Field(min_length=1, max_length=1024)]
    severity: Severity = Severity.MEDIUM
    controls: Annotated[tuple[ShortText, ...], Field(max_length=32), ListSet()] = ()

    constraints = (
        Rule(
            cel="!has(self.scale) || self.scale == '' || 'ModelDeployment' in self.kinds",
            holds=lambda rule: not rule.scale or PolicyKind.MODEL_DEPLOYMENT in rule.kinds,
            what="only a ModelDeployment can be scaled",
            todo="add ModelDeployment to kinds or remove scale",
            field="scale",
        ),
    )


def _chooses(selector: LabelSelector | None) -> bool:
    """Whether it is not for every namespace."""
    return selector is not None and bool(selector.match_labels or selector.match_expressions)


class ExceptionMatch(Record):
    namespaces: Annotated[tuple[Namespace, ...], Field(max_length=64), ListSet()] = ()
    namespace_selector: LabelSelector | None = None
    """Labels of namespaces, in place of their names."""
    names: Annotated[tuple[ObjectName, ...], Field(max_length=64), ListSet()] = ()
    """Names of deployments and routes; a deployment's is for its pods too."""

    constraints = (
        Rule(
            cel="(has(self.namespaces) && size(self.namespaces) > 0)"
            " || (has(self.names) && size(self.names) > 0) || (has(self.namespaceSelector) &&"
            " ((has(self.namespaceSelector.matchLabels) && size(self.namespaceSelector.matchLabels) > 0)"
            " || (has(self.namespaceSelector.matchExpressions)"
            " && size(self.namespaceSelector.matchExpressions) > 0)))",
            holds=lambda match: bool(match.namespaces or match.names or _chooses(match.namespace_selector)),
            what="an exception for everything is no exception",
            todo="state namespaces, namespaceSelector or names",
        ),
    )


class PolicyException(Record):
    """A rule does not hold for some objects until a date."""

    id: Word
    rules: Annotated[tuple[Word, ...], Field(min_length=1, max_length=64), ListSet()]
    match: ExceptionMatch
    until: Timestamp
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    ticket: ShortText = ""
    approved_by: Annotated[str, Field(min_length=1, max_length=253)]


class GuardrailPolicySpec(Record):
    mode: PolicyMode = PolicyMode.WARN
    applies_to: AppliesTo | None = None
    packs: Annotated[tuple[Pack, ...], Field(max_length=32), ListMap("name")] = ()
    rules: Annotated[tuple[PolicyRule, ...], Field(max_length=64), ListMap("id")] = ()
    exceptions: Annotated[tuple[PolicyException, ...], Field(max_length=128), ListMap("id")] = ()
    runtime: RuntimeGuards | None = None

    constraints = (
        Rule(
            cel="(has(self.packs) && size(self.packs) > 0) || (has(self.rules) && size(self.rules) > 0)"
            " || has(self.runtime)",
            holds=lambda spec: bool(spec.packs or spec.rules) or spec.runtime is not None,
            what="says nothing that must hold",
            todo="state packs, rules or runtime",
        ),
    )


class Violation(Record):
    kind: ShortText
    namespace: ShortText = ""
    name: ShortText
    rule: ShortText
    message: Text = ""


class Violations(Record):
    total: Count = 0
    objects: Annotated[tuple[Violation, ...], Field(max_length=MOST_VIOLATIONS)] = ()


class ExceptionsStatus(Record):
    active: Count = 0
    expired: Count = 0
    next_expiry: Annotated[str, Field(max_length=64)] = ""
    ending_soon: Annotated[tuple[Word, ...], Field(max_length=128), ListSet()] = ()
    """By id, the first to end first. Of each an event told once."""


class EvidenceStatus(Record):
    """How the operator's record ended when it last wrote of this policy. Who keeps it elsewhere finds a cut
    end.
    """

    entries: Count = 0
    head: Annotated[str, Field(max_length=64)] = ""


class GuardrailPolicyStatus(Record):
    """Conditions: Compiled, Enforced, Recorded, RuntimeProgrammed, Ready."""

    observed_generation: Generation = 0
    rules: Count = 0
    violations: Violations | None = None
    exceptions: ExceptionsStatus | None = None
    evidence: EvidenceStatus | None = None
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), ListMap("type")] = ()


class GuardrailPolicy(Resource):
    """What must hold for deployments, routes and their pods, with exceptions that end by themselves."""

    api_version: Literal["pointsman.dev/v1alpha1"] = API_VERSION
    kind: Literal["GuardrailPolicy"] = "GuardrailPolicy"
    spec: GuardrailPolicySpec
    status: GuardrailPolicyStatus = Field(default_factory=GuardrailPolicyStatus)

    plural: ClassVar[str] = "guardrailpolicies"
    short_name: ClassVar[str] = "pgp"
    namespaced: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Mode", ".spec.mode"),
        Column("Rules", ".status.rules", "integer"),
        Column("Violations", ".status.violations.total", "integer"),
        Column("Exceptions", ".status.exceptions.active", "integer"),
        Column("Next-Expiry", ".status.exceptions.nextExpiry"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
