"""A team's own tests of its policies: objects, and the rules that each should break."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, ValidationError

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.api.explanations import explain, location
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.api.meta import NAMESPACE_NAME_LABEL
from pointsman.api.nodes import path_text
from pointsman.api.record import Record
from pointsman.api.scalars import Timestamp
from pointsman.policy.admitted import as_admitted
from pointsman.policy.background import NAMESPACE, as_stated
from pointsman.policy.compiled import Compiled
from pointsman.policy.source import StatedBeside
from pointsman.policy.verdicts import verdicts

_DEFAULT_NAMESPACE = "default"
_ROOTS: Mapping[PolicyKind, type[ModelDeployment] | type[ModelRoute]] = {
    PolicyKind.MODEL_DEPLOYMENT: ModelDeployment,
    PolicyKind.MODEL_ROUTE: ModelRoute,
}
"""Kinds whose fields we know."""


class InNamespace(Record):
    name: str = _DEFAULT_NAMESPACE
    labels: Mapping[str, str] = Field(default_factory=dict)


class PolicyTest(Record):
    """One object, and exactly the rules that it should break at a time."""

    name: Annotated[str, Field(min_length=1)]
    object: Mapping[str, Any]
    namespace: InNamespace = Field(default_factory=InNamespace)
    at: Timestamp | None = None
    """When; now without it. Exceptions end."""
    beside: StatedBeside = Field(default_factory=StatedBeside)
    """For rules in the background; what is left out is not known."""
    violates: tuple[str, ...] = ()


class PolicyTests(Record):
    """A file of tests; `policies` are files or folders, from where the file is."""

    policies: Annotated[tuple[str, ...], Field(min_length=1)]
    tests: Annotated[tuple[PolicyTest, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Tested:
    """`why` is empty where the test passed."""

    name: str
    why: str


def run_tests(tests: Sequence[PolicyTest], policies: Sequence[Compiled], now: datetime) -> list[Tested]:
    """What each says; an object of a kind that no rule is for breaks none."""
    return [Tested(test.name, _why(test, policies, now)) for test in tests]


def _why(test: PolicyTest, policies: Sequence[Compiled], now: datetime) -> str:
    kind = str(test.object.get("kind", ""))
    if kind not in (*PolicyKind, NAMESPACE):
        known = ", ".join((*PolicyKind, NAMESPACE))
        return f"kind {kind or '(none)'} is none that rules are for; write {known}"
    stated = test.object.get("metadata") or {}
    for name, value in (("metadata", stated), ("spec", test.object.get("spec") or {})):
        if not isinstance(value, Mapping):
            return f"{name} is no mapping"
    for name in ("labels", "annotations"):
        if not isinstance(stated.get(name) or {}, Mapping):
            return f"metadata.{name} is no mapping"
    if kind == NAMESPACE:
        judged, obj = None, dict(test.object)
    else:
        judged = PolicyKind(kind)
        metadata = {**stated, "namespace": test.namespace.name}
        if unknown := _unknown_field(judged, test.object):
            return unknown
        obj = as_admitted(judged, {**test.object, "metadata": metadata})
    labels = {NAMESPACE_NAME_LABEL: test.namespace.name, **test.namespace.labels}
    namespace = {"metadata": {"name": test.namespace.name, "labels": labels}}
    at = test.at.instant.astimezone(UTC) if test.at is not None else now
    found = {
        one.rule.id: one.message
        for one in verdicts(policies, judged, obj, namespace, at, as_stated(test.beside))
        if one.is_violation
    }
    expected = set(test.violates)
    said = [f"breaks {rule}: {message}" for rule, message in sorted(found.items()) if rule not in expected]
    said += [f"does not break {rule}" for rule in sorted(expected - set(found))]
    return "; ".join(said)


def _unknown_field(kind: PolicyKind, written: Mapping[str, Any]) -> str:
    """The first field of its spec that no object of this kind has: a rule over what was meant is not tried
    by it. What else is wrong with the object, or left out, is no matter here.
    """
    root = _ROOTS.get(kind)
    if root is None:
        return ""
    try:
        root.model_validate(dict(written))
    except ValidationError as error:
        for details in error.errors(include_url=False):
            path = location(details)
            if details["type"] == "extra_forbidden" and path[0] == "spec":
                return f"{path_text(path)}: {'; '.join(filter(None, explain(details, root, path)))}"
    return ""
