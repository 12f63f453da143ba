"""What the rules say of one object, all of it: the API server names the first violation alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.api.meta import DEPLOYMENT_LABEL
from pointsman.policy.background import LOOKS, NAMESPACE, Beside, Judgement, Looked
from pointsman.policy.cel import EvaluationError, program
from pointsman.policy.compiled import BoundCheck, BoundRule, Compiled
from pointsman.policy.exemptions import Exemption, Subject

if TYPE_CHECKING:
    from pointsman.policy.cel.environment import Program


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
    applies: bool = True
    """False where a rule in the background is not for the object."""

    @property
    def is_violation(self) -> bool:
        return self.outcome in (Outcome.FAIL, Outcome.ERROR)


def verdicts(
    policies: Iterable[Compiled],
    kind: PolicyKind | None,
    obj: Mapping[str, Any],
    namespace: Mapping[str, Any],
    now: datetime,
    beside: Beside | None = None,
) -> list[Verdict]:
    """Every rule of the policies that are for this object, in their order.

    `obj` is the object as the API server holds it, with defaults; `namespace` the Namespace it is in. The
    kind of a Namespace itself, which rules in the background alone are for, is None. Without `beside` no rule
    in the background has a verdict.
    """
    labels: Mapping[str, str] = (namespace.get("metadata") or {}).get("labels") or {}
    subject = _subject(kind, obj, labels)
    found = []
    for policy in policies:
        if policy.namespaces is not None and not policy.namespaces.matches(labels):
            continue
        for rule in policy.rules:
            check = rule.checks.get(kind) if kind is not None else None
            if check is not None:
                found.append(_verdict(policy, rule, check, subject, obj, namespace, now))
            elif beside is not None and rule.is_looked_for:
                judge = LOOKS[rule.background].kinds.get(kind or NAMESPACE)
                judgement = judge and judge(Looked(obj, labels, beside, rule.values, now))
                if judgement is not None:
                    found.append(_looked(policy, rule, judgement, subject, now))
    return found


def _looked(
    policy: Compiled, rule: BoundRule, judgement: Judgement, subject: Subject, now: datetime
) -> Verdict:
    if not judgement.broken:
        return Verdict(policy.name, rule, Outcome.PASS, applies=judgement.applies)
    return _broken(policy, rule, Outcome.FAIL, f"{judgement.broken}: {rule.message}", subject, now)


def _subject(kind: PolicyKind | None, obj: Mapping[str, Any], labels: Mapping[str, str]) -> Subject:
    metadata = obj.get("metadata") or {}
    name = metadata.get("name", "")
    if kind is None:
        return Subject(None, name, "", labels)
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
    return _broken(policy, rule, outcome, message, subject, now)


def _broken(
    policy: Compiled, rule: BoundRule, outcome: Outcome, message: str, subject: Subject, now: datetime
) -> Verdict:
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
