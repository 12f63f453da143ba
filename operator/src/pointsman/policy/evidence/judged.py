"""Objects that were judged, each verdict with whether its rule is for the object at all.

A rule that is not for an object holds for it. That admits the object and is no evidence of anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.errors import PointsmanError
from pointsman.json_text import dumped
from pointsman.policy.background import NAMESPACE, Beside
from pointsman.policy.cel import EvaluationError, program
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence.canonical import digest
from pointsman.policy.verdicts import Outcome, Verdict, verdicts

if TYPE_CHECKING:
    from pointsman.policy.cel.environment import Program


@dataclass(frozen=True, order=True)
class Object:
    """Which object it was, and by its digest what it said."""

    kind: str
    namespace: str
    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Judged:
    """One rule over one object."""

    object: Object
    verdict: Verdict
    applies: bool
    """False where the rule holds because it is not for this object."""


def judged(
    policies: Sequence[Compiled],
    kind: PolicyKind | None,
    obj: Mapping[str, Any],
    namespace: Mapping[str, Any],
    now: datetime,
    beside: Beside | None = None,
) -> list[Judged]:
    """What every rule says of an object, as `verdicts` does: without `beside` none in the background."""
    seen = seen_object(kind, obj)
    return [
        Judged(seen, one, applies(one, kind, obj, namespace))
        for one in verdicts(policies, kind, obj, namespace, now, beside)
    ]


def seen_object(kind: PolicyKind | None, obj: Mapping[str, Any]) -> Object:
    """Which object it is, with the digest of what rules read of it."""
    metadata, said = obj.get("metadata") or {}, _said(obj)
    try:
        told = digest(said)
    except PointsmanError:
        # A number that JSON of other readers does not keep: it must not hold up the judging.
        told = sha256(dumped(said, is_sorted=True)).hexdigest()
    return Object(kind_name(kind), metadata.get("namespace", ""), metadata.get("name", ""), told)


def kind_name(kind: PolicyKind | None) -> str:
    """As an entry of a record has it; None is a Namespace itself."""
    return kind.value if kind is not None else NAMESPACE


def _said(obj: Mapping[str, Any]) -> dict[str, Any]:
    """What rules read of an object, without what changes by itself."""
    metadata = obj.get("metadata") or {}
    told = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if metadata.get(key)}
    return {"metadata": told, "spec": obj.get("spec")}


def applies(
    verdict: Verdict, kind: PolicyKind | None, obj: Mapping[str, Any], namespace: Mapping[str, Any]
) -> bool:
    """False where the rule holds because it is not for this object; a rule that a policy states itself has
    one expression for both.
    """
    if kind is None or kind not in verdict.rule.checks:
        return verdict.applies
    check = verdict.rule.checks[kind]
    if verdict.outcome is not Outcome.PASS or not check.when:
        return True
    try:
        return bool(_program(check.when, tuple(check.variables.items())).value(obj, namespace))
    except EvaluationError:
        return True  # it held all the same


@lru_cache(maxsize=4096)
def _program(expression: str, variables: tuple[tuple[str, str], ...]) -> "Program":
    return program(expression, dict(variables))
