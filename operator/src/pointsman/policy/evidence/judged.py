"""Objects that were judged, each verdict with whether its rule is for the object at all.

A rule that is not for an object holds for it. That admits the object and is no evidence of anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pointsman.api import GuardrailPolicy
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.background import NAMESPACE, Beside
from pointsman.policy.cel import EvaluationError, program
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence.record import digest
from pointsman.policy.packs import Library
from pointsman.policy.parameters import bound, inlined
from pointsman.policy.verdicts import Outcome, Verdict, verdicts

if TYPE_CHECKING:
    from pointsman.policy.cel.environment import Program

Conditions = Mapping[tuple[str, str, PolicyKind], str]
"""Policy, rule and kind -> the expression that says to which objects of the kind the rule applies."""


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


def conditions(policies: Iterable[GuardrailPolicy], library: Library) -> Conditions:
    """Of the rules of packs; one that a policy states itself has one expression for both."""
    return {
        (policy.metadata.name, rule.id, kind): inlined(
            check.when, bound(pack.source.parameters, stated.parameters, "")[0]
        )
        for policy in policies
        for stated in policy.spec.packs
        if (pack := library.packs.get(stated.name)) is not None
        for rule in pack.rules.values()
        for kind, check in rule.checks.items()
        if check.when
    }


def judged(
    policies: Sequence[Compiled],
    applying: Conditions,
    kind: PolicyKind | None,
    obj: Mapping[str, Any],
    namespace: Mapping[str, Any],
    now: datetime,
    beside: Beside | None = None,
) -> list[Judged]:
    """What every rule says of an object, as `verdicts` does: without `beside` none in the background."""
    metadata = obj.get("metadata") or {}
    seen = Object(
        kind.value if kind is not None else NAMESPACE,
        metadata.get("namespace", ""),
        metadata.get("name", ""),
        digest(_said(obj)),
    )
    return [
        Judged(seen, one, one.outcome is not Outcome.PASS or _applies(one, applying, kind, obj, namespace))
        for one in verdicts(policies, kind, obj, namespace, now, beside)
    ]


def _said(obj: Mapping[str, Any]) -> dict[str, Any]:
    """What rules read of an object, without what changes by itself."""
    metadata = obj.get("metadata") or {}
    told = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if metadata.get(key)}
    return {"metadata": told, "spec": obj.get("spec")}


def _applies(
    verdict: Verdict,
    applying: Conditions,
    kind: PolicyKind | None,
    obj: Mapping[str, Any],
    namespace: Mapping[str, Any],
) -> bool:
    if kind is None or kind not in verdict.rule.checks:
        return verdict.applies
    when = applying.get((verdict.policy, verdict.rule.id, kind))
    if when is None:
        return True
    try:
        return bool(_program(when, tuple(verdict.rule.checks[kind].variables.items())).value(obj, namespace))
    except EvaluationError:
        return True  # it held all the same


@lru_cache(maxsize=4096)
def _program(expression: str, variables: tuple[tuple[str, str], ...]) -> "Program":
    return program(expression, dict(variables))
