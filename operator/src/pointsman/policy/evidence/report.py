"""What the judged objects say about the controls of a framework. What nothing speaks of is never a pass."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pointsman.errors import PointsmanError
from pointsman.policy.background import LOOKS
from pointsman.policy.compiled import BoundRule, Compiled
from pointsman.policy.evidence.judged import Judged
from pointsman.policy.evidence.recorded import Gap
from pointsman.policy.exemptions import Exemption
from pointsman.policy.packs import Library
from pointsman.policy.source import FrameworkSource
from pointsman.policy.verdicts import Outcome


class State(StrEnum):
    """Of a rule and of a control. A control has the first of these that one of its rules has."""

    FAIL = "fail"
    EXEMPT = "exempt"
    NOT_ENFORCED = "not enforced"
    PASS = "pass"
    NO_EVIDENCE = "no evidence"


@dataclass(frozen=True)
class RuleFound:
    """A rule as one policy has it, and what it said."""

    policy: str
    rule: BoundRule
    judged: tuple[Judged, ...]
    """Of the objects that it is for."""
    others: int
    """How many of its kinds it is not for."""

    @property
    def why_not_enforced(self) -> str:
        if self.rule.waits_for:
            return f"nothing acts upon {self.rule.waits_for} yet"
        if self.rule.runtime:
            return f"its detector at run time, {self.rule.runtime}, is not there yet"
        if self.rule.unseen:
            return self.rule.unseen
        look = LOOKS.get(self.rule.background)  # a record may be of another version
        if look is not None and look.in_cluster and not self.judged and not self.others:
            return "it looks at what is beside the objects in a cluster, which was not known here"
        return ""

    @property
    def failed(self) -> tuple[Judged, ...]:
        return tuple(one for one in self.judged if one.verdict.is_violation)

    @property
    def exempt(self) -> tuple[Judged, ...]:
        return tuple(one for one in self.judged if one.verdict.outcome is Outcome.EXEMPT)

    @property
    def passed(self) -> int:
        return len(self.judged) - len(self.failed) - len(self.exempt)

    @property
    def state(self) -> State:
        if self.why_not_enforced:
            return State.NOT_ENFORCED
        if self.failed:
            return State.FAIL
        if self.exempt:
            return State.EXEMPT
        return State.PASS if self.judged else State.NO_EVIDENCE


@dataclass(frozen=True)
class Control:
    id: str
    title: str
    rules: tuple[RuleFound, ...]
    """Those that are turned on and speak to it."""
    off: tuple[str, ...]
    """Those of packs that speak to it and that no policy turns on."""

    @property
    def state(self) -> State:
        found = {rule.state for rule in self.rules}
        return next((state for state in State if state in found), State.NO_EVIDENCE)

    @property
    def why_no_evidence(self) -> str:
        if not self.rules:
            off = f" ({', '.join(self.off)} would)" if self.off else ""
            return f"no rule that is turned on speaks to it{off}"
        others = sum(rule.others for rule in self.rules)
        return "no object that its rules are for was judged" + (f"; {others} others were" if others else "")


@dataclass(frozen=True)
class Framework:
    name: str
    title: str
    version: str
    url: str
    controls: tuple[Control, ...]

    def count(self, state: State) -> int:
        return sum(control.state is state for control in self.controls)


@dataclass(frozen=True)
class LiveException:
    policy: str
    exemption: Exemption
    days: int
    """How many whole days it still counts."""


@dataclass(frozen=True)
class Recorded:
    """The record that a report refers to, which verifies."""

    entries: int
    head: str
    verdicts: Mapping[tuple[str, str], int]
    """How many it has, by policy and rule; without those about objects that the rule is not for."""
    gaps: tuple[Gap, ...] = ()
    unnamed: Mapping[str, int] = field(default_factory=dict)
    """Objects that stand for pods that differ, and how many there were."""
    is_all: bool = False
    """Whether the report says what the record shows, and nothing was judged anew."""
    last_at: str = ""


@dataclass(frozen=True)
class Report:
    at: datetime
    policies: tuple[str, ...]
    objects: int
    frameworks: tuple[Framework, ...]
    exceptions: tuple[LiveException, ...]
    """Those that count now for a rule of the report."""
    recorded: Recorded | None


def report(
    policies: Sequence[Compiled],
    judged: Sequence[Judged],
    library: Library,
    chosen: Sequence[str],
    now: datetime,
    recorded: Recorded | None = None,
) -> Report:
    """By the frameworks that were chosen, without a choice by all that a rule of the policies names.

    PointsmanError for a framework that nothing knows.
    """
    bound = [(policy.name, rule) for policy in policies for rule in policy.rules]
    named = {framework for _, rule in bound for framework in rule.controls}
    known = {*library.frameworks, *named}
    for name in chosen:
        if name not in known:
            raise PointsmanError(
                f"there is no framework {name}",
                where="policy report",
                todo=f"there are {', '.join(sorted(known))}",
            )
    found = _found(bound, judged)
    frameworks = tuple(
        _framework(name, library, [one for one in found if name in one.rule.controls])
        for name in (dict.fromkeys(chosen) or sorted(named))
    )
    rules = {rule.rule.id for one in frameworks for control in one.controls for rule in control.rules}
    exceptions = tuple(
        LiveException(policy.name, one, (one.until - now).days)
        for policy in policies
        for one in policy.exemptions
        if now < one.until and rules & one.rules
    )
    objects = len({one.object for one in judged})
    return Report(now, tuple(one.name for one in policies), objects, frameworks, exceptions, recorded)


def _found(bound: Iterable[tuple[str, BoundRule]], judged: Iterable[Judged]) -> list[RuleFound]:
    by_rule: dict[tuple[str, str], list[Judged]] = {}
    for one in judged:
        by_rule.setdefault((one.verdict.policy, one.verdict.rule.id), []).append(one)
    return [
        RuleFound(
            policy, rule, tuple(one for one in mine if one.applies), sum(not one.applies for one in mine)
        )
        for policy, rule in bound
        for mine in [by_rule.get((policy, rule.id), [])]
    ]


def _framework(name: str, library: Library, rules: Sequence[RuleFound]) -> Framework:
    source = library.frameworks.get(name) or FrameworkSource(
        title="Controls that policies name", version="-", url="-", controls={}
    )
    named = sorted({control for one in rules for control in one.rule.controls[name]})
    titles = {**source.controls, **{one: "" for one in named if one not in source.controls}}
    on = {one.rule.id for one in rules}
    return Framework(
        name,
        source.title,
        source.version,
        source.url,
        tuple(
            Control(
                control,
                title,
                tuple(one for one in rules if control in one.rule.controls[name]),
                tuple(
                    rule.id
                    for pack in library.packs.values()
                    for rule in pack.rules.values()
                    if control in rule.controls.get(name, ()) and rule.id not in on
                ),
            )
            for control, title in titles.items()
        ),
    )
