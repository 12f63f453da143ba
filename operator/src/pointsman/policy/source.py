"""What the files of a pack say. `policies/PACK/pack.yaml` describes the pack, each other file one rule."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from pointsman.api.guardrailpolicy import PolicyKind, Severity
from pointsman.api.record import Record, Rule
from pointsman.api.scalars import Timestamp

RuleId = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$", max_length=32)]
Expression = Annotated[str, Field(min_length=1, max_length=8192)]
OneLine = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\r\n]+$")]
Name = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]*$", max_length=64)]


class ParameterType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    LIST = "list"
    """Texts with commas between them."""


class Parameter(Record):
    """A value that a policy may set for a pack; rules write it as `params.NAME`."""

    type: ParameterType
    default: str | int | bool | tuple[str, ...]
    minimum: int | None = None
    maximum: int | None = None
    pattern: str = ""
    """What each text must match, as a whole."""
    description: OneLine


class Check(Record):
    """What must hold of one kind of object: CEL over `object`, `namespaceObject`, `params`, `variables`."""

    variables: Mapping[Name, Expression] = Field(default_factory=dict)
    """Each may use those before it."""
    when: Expression | None = None
    """To which objects the rule applies; to all without it."""
    holds: Expression
    found: Expression | None = None
    """A text that says what was found, after the rule's message."""
    scale: Expression | None = None
    """The same of `object.spec.replicas` of a scale subresource, where replicas alone are concerned."""


class Mutation(Record):
    """A default that is set where it is safe and visible: JSON patches as a CEL list."""

    when: Expression
    patch: Expression


class StatedBeside(Record):
    """What is there beside an object, for a rule that looks at it; what is left out is not known."""

    network_policies: tuple[Mapping[str, Any], ...] | None = None
    disruption_budgets: tuple[Mapping[str, Any], ...] | None = None
    deployments: tuple[Mapping[str, Any], ...] | None = None


class Example(Record):
    """An object that keeps or breaks the rule, the namespace it is in, and for a rule in the background what
    is beside it and when that is.
    """

    why: OneLine
    object: Mapping[str, Any]
    namespace_labels: Mapping[str, str] = Field(default_factory=dict)
    beside: StatedBeside = Field(default_factory=StatedBeside)
    at: Timestamp | None = None


class RuleSource(Record):
    """One rule. Exactly one of checks, background and runtime says where it is held."""

    id: RuleId
    title: OneLine
    severity: Severity
    message: OneLine
    """What is wrong."""
    todo: OneLine
    """What to do about it."""
    why: Annotated[str, Field(min_length=1, max_length=2048)]
    controls: Mapping[str, tuple[str, ...]]
    """Framework -> its controls that the rule speaks to."""
    source: tuple[OneLine, ...]
    checks: Mapping[PolicyKind, Check] = Field(default_factory=dict)
    mutations: Mapping[PolicyKind, Mutation] = Field(default_factory=dict)
    origin: OneLine | None = None
    """What is said to who writes, in Pointsman's stead, what the pods of a deployment come of; held for Pods
    by native policies alone, as it asks who writes.
    """
    background: OneLine | None = None
    """The name of a look beside the object or at the date, where the object does not say enough."""
    unseen: OneLine | None = None
    """What would have to be known for that and is not, for which the rule is shown and not held."""
    runtime: OneLine | None = None
    """The detector that would hold it in the gateway."""
    waits_for: OneLine | None = None
    """A field of ours that nothing acts upon yet: until then the rule is shown and not held."""
    example_parameters: Mapping[Name, str | int] = Field(default_factory=dict)
    """The pack's parameters that the examples are judged with."""
    passes: tuple[Example, ...] = ()
    fails: tuple[Example, ...] = ()

    constraints = (
        Rule(
            cel="",
            holds=lambda rule: (
                [bool(rule.checks), rule.background is not None, rule.runtime is not None].count(True) == 1
            ),
            what="exactly one of checks, background and runtime must be given",
            todo="state where the rule is held",
        ),
        Rule(
            cel="",
            holds=lambda rule: rule.origin is None or PolicyKind.POD in rule.checks,
            what="origin is of pods",
            todo="add a check of Pod, or remove it",
        ),
        Rule(
            cel="",
            holds=lambda rule: rule.unseen is None or rule.background is not None,
            what="unseen says why a rule in the background is not held",
            todo="remove it",
        ),
        Rule(
            cel="",
            holds=lambda rule: (
                bool(rule.passes and rule.fails)
                or not (rule.checks or (rule.background is not None and rule.unseen is None))
            ),
            what="a rule without an object that passes and one that fails cannot be believed",
            todo="add both",
        ),
    )


class PackSource(Record):
    """`pack.yaml`."""

    title: OneLine
    description: Annotated[str, Field(min_length=1, max_length=2048)]
    parameters: Mapping[Name, Parameter] = Field(default_factory=dict)


class FrameworkSource(Record):
    """An entry of `policies/frameworks.yaml`."""

    title: OneLine
    version: OneLine
    url: OneLine
    controls: Mapping[str, OneLine]
