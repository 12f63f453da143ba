"""What the rules say of one object, all of it: the API server names the first violation alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.api.meta import GROUP
from pointsman.policy.cel import EvaluationError, program
from pointsman.policy.compiled import BoundCheck, BoundRule, Compiled
from pointsman.policy.exemptions import Exemption, Subject

if TYPE_CHECKING:
    from pointsman.policy.cel.environment import Program

DEPLOYMENT_LABEL = f"{GROUP}/deployment"
"""The label that says which ModelDeployment a pod belongs to."""


class Outcome(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    EXEMPT = "exempt"
    ERROR = "error"
    """The rule could not be evaluated, which the API server takes for a violation."""


@dataclass(frozen=True)
class Verdict:
    """One rule over one object."""

    policy: str
    rule: BoundRule
    outcome: Outcome
    message: str = ""
    exemption: Exemption | None = None

    @property
    def is_violation(self) -> bool:
        return self.outcome in (Outcome.FAIL, Outcome.ERROR)


def verdicts(
    policies: Iterable[Compiled],
    kind: PolicyKind,
    obj: Mapping[str, Any],
    namespace: Mapping[str, Any],
    now: datetime,
) -> list[Verdict]:
    """Every rule of the policies that are for this object, in their order.

    `obj` is the object as the API server holds it, with defaults; `namespace` the Namespace it is in.
    """
    labels: Mapping[str, str] = (namespace.get("metadata") or {}).get("labels") or {}
    subject = _subject(kind, obj, labels)
    found = []
    for policy in policies:
        if policy.namespaces is not None and not policy.namespaces.matches(labels):
            continue
        for rule in policy.rules:
            check = rule.checks.get(kind)
            if check is not None:
                found.append(_verdict(policy, rule, check, subject, obj, namespace, now))
    return found


def _subject(kind: PolicyKind, obj: Mapping[str, Any], labels: Mapping[str, str]) -> Subject:
    metadata = obj.get("metadata") or {}
    name = metadata.get("name", "")
    if kind is PolicyKind.POD:
        name = (metadata.get("labels") or {}).get(DEPLOYMENT_LABEL, "")
    return Subject(kind, metadata.get("namespace", ""), name, labels)


def _verdict(
    policy: Compiled,
    rule: BoundRule,
    check: BoundCheck,
    subject: Subject,
    obj: Mapping[str, Any],
    namespace: Mapping[str, Any],
    now: datetime,
) -> Verdict:
    variables = tuple(check.variables.items())
    try:
        if _program(check.holds, variables).value(obj, namespace):
            return Verdict(policy.name, rule, Outcome.PASS)
        outcome, message = Outcome.FAIL, _message(rule, check, variables, obj, namespace)
    except EvaluationError as error:
        outcome, message = Outcome.ERROR, f"the rule could not be evaluated: {error}"
    for exemption in policy.exemptions:
        if exemption.counts(rule.id, subject, now):
            return Verdict(policy.name, rule, Outcome.EXEMPT, message, exemption)
    return Verdict(policy.name, rule, outcome, message)


def _message(
    rule: BoundRule,
    check: BoundCheck,
    variables: tuple[tuple[str, str], ...],
    obj: Mapping[str, Any],
    namespace: Mapping[str, Any],
) -> str:
    """What was found, where that can be said, and what the rule says of it: the API server's words."""
    if not check.found:
        return rule.message
    try:
        return f"{_program(check.found, variables).value(obj, namespace)}: {rule.message}"
    except EvaluationError:
        return rule.message


@lru_cache(maxsize=4096)
def _program(expression: str, variables: tuple[tuple[str, str], ...]) -> "Program":
    return program(expression, dict(variables))
