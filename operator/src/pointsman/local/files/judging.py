"""What the guardrail policies among the files say of the other objects there.

As an API server judges: what is new or was changed is refused where a rule of a policy that enforces does not
hold; what is there already is only told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pointsman.api import GuardrailPolicy, ObjectKey
from pointsman.api.findings import Finding
from pointsman.api.guardrailpolicy import (
    LONGEST_VIOLATION,
    MOST_VIOLATIONS,
    ExceptionsStatus,
    Violation,
    Violations,
)
from pointsman.api.located import Located, Stated
from pointsman.api.verdicts import TRUE, Verdict

if TYPE_CHECKING:
    from pointsman.policy.compiled import Compiled

_NOT_BROKEN = Verdict("Compiled", TRUE, "Compiled", "")


@dataclass(frozen=True)
class Judged:
    """What became of one policy."""

    rules: int = 0
    compiled: Verdict = _NOT_BROKEN
    unheld: tuple[str, ...] = ()
    """Rules that nothing here holds, and those that would set defaults."""
    violations: Violations = field(default_factory=Violations)
    exceptions: ExceptionsStatus = field(default_factory=ExceptionsStatus)


@dataclass(frozen=True)
class Judgement:
    """Findings with their objects, and what became of each policy."""

    findings: tuple[tuple[Located[Stated], Finding], ...] = ()
    policies: Mapping[ObjectKey, Judged] = field(default_factory=dict)


def _now() -> datetime:
    return datetime.now(UTC)


class Judge:
    """Keeps policies compiled. Not thread-safe."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._compiled: dict[ObjectKey, tuple[GuardrailPolicy, Compiled]] = {}
        self._ends: datetime | None = None

    @property
    def is_due(self) -> bool:
        """Whether an exception has ended since the last judgement."""
        return self._ends is not None and self._ends <= self._now()

    def judge(self, objects: Sequence[Located[Stated]]) -> Judgement:
        """Every violation, whether or not the object was there before."""
        stated = [one for one in objects if isinstance(one.resource, GuardrailPolicy)]
        policies = [one.resource for one in stated if isinstance(one.resource, GuardrailPolicy)]
        self._compiled = {one.key: (one, self._compile(one)) for one in policies}
        self._ends = None
        if not policies:
            return Judgement()
        # What evaluates expressions takes a moment to load, which those without policies need not wait for.
        from pointsman.policy.in_files import broken_in, contradictions_in, finding_of

        now = self._now()
        compiled = [found for _, found in self._compiled.values()]
        self._ends = min(
            (one.until for policy in compiled for one in policy.exemptions if one.until > now), default=None
        )
        findings: list[tuple[Located[Stated], Finding]] = []
        broken: dict[str, list[Violation]] = {policy.name: [] for policy in compiled}
        for located, verdict in broken_in(objects, compiled, now):
            finding = finding_of(located, verdict)
            findings.append((located, finding))
            broken[verdict.policy].append(
                Violation(
                    kind=finding.kind,
                    namespace=finding.namespace,
                    name=finding.name,
                    rule=verdict.rule.id,
                    message=verdict.message[:LONGEST_VIOLATION],
                )
            )
        for one in stated:
            findings += [(one, said) for said in contradictions_in([one], compiled, now)]
            findings += [
                (
                    one,
                    one.finding((), f"{problem.where}: {problem.what}", problem.todo, severity="warning"),
                )
                for problem in self._compiled[_key(one)][1].problems
            ]
        return Judgement(
            tuple(findings),
            {key: _judged(found, broken[found.name], now) for key, (_, found) in self._compiled.items()},
        )

    def _compile(self, policy: GuardrailPolicy) -> Compiled:
        known = self._compiled.get(policy.key)
        if known is not None and known[0] == policy:
            return known[1]
        from pointsman.policy.compiled import compile_policy
        from pointsman.policy.packs import shipped_library

        return compile_policy(policy, shipped_library())


def _key(located: Located[Stated]) -> ObjectKey:
    assert isinstance(located.resource, GuardrailPolicy)
    return located.resource.key


def _judged(compiled: Compiled, broken: Iterable[Violation], now: datetime) -> Judged:
    from pointsman.policy.exemptions import exceptions_status

    violations = tuple(broken)
    return Judged(
        rules=len(compiled.rules),
        compiled=compiled.verdict,
        unheld=compiled.unheld,
        violations=Violations(total=len(violations), objects=violations[:MOST_VIOLATIONS]),
        exceptions=exceptions_status(compiled.exemptions, now),
    )
