"""A GuardrailPolicy with its packs, as rules that can be evaluated or rendered; what is wrong is listed.

A rule that does not compile is left out and said: the others hold all the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from pointsman.api import GuardrailPolicy
from pointsman.api.guardrailpolicy import PolicyKind, PolicyMode, PolicyRule, Severity
from pointsman.api.meta import LabelSelector
from pointsman.api.verdicts import FALSE, TRUE, Verdict
from pointsman.errors import PointsmanError
from pointsman.policy.background import LOOKS, Look
from pointsman.policy.cel import checked
from pointsman.policy.exemptions import Exemption, exemptions
from pointsman.policy.packs import Library, Pack
from pointsman.policy.parameters import Value, bound, inlined, names_in
from pointsman.policy.scales import reads_replicas, scale_form, stated_scale_form
from pointsman.policy.source import Check, Mutation, RuleSource

_LONGEST = 1024

OWN = ""
"""The pack of rules that a policy states itself."""

_SCALABLE = (OWN, PolicyKind.MODEL_DEPLOYMENT)


@dataclass(frozen=True)
class BoundCheck:
    """One rule over one kind, its parameters inlined. `holds` is true where the rule does not apply, which
    `when` says alone; "" where that is not told apart.
    """

    holds: str
    variables: Mapping[str, str]
    found: str = ""
    scale: str = ""
    """The same of a scale; "" where it is not asked there."""
    when: str = ""
    misses_scales: bool = False
    """It reads the number of replicas and is not asked where that is scaled."""


@dataclass(frozen=True)
class BoundMutation:
    when: str
    patch: str


@dataclass(frozen=True)
class BoundRule:
    """A rule as one policy has it."""

    id: str
    pack: str
    title: str
    severity: Severity
    mode: PolicyMode
    message: str
    """One line: what is wrong and what to do."""
    controls: Mapping[str, tuple[str, ...]]
    checks: Mapping[PolicyKind, BoundCheck]
    mutations: Mapping[PolicyKind, BoundMutation]
    background: str = ""
    unseen: str = ""
    """Why it is not held, of a rule in the background for which something would have to be known."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """The pack's parameters, of a rule in the background."""
    runtime: str = ""
    waits_for: str = ""
    """What we cannot do yet, for which the rule is not held; "" for one that is."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    """Those of its pack that it reads, with their values."""
    link: str = ""
    """Where it is read up; "" for one of a policy's own, whose message may say so."""

    origin: str = ""
    """What is said to who writes what pods come of and may not; "" where that is not asked."""

    @property
    def is_looked_for(self) -> bool:
        """Whether it is held in the background."""
        return bool(self.background and not self.unseen)


@dataclass(frozen=True)
class Compiled:
    """A policy that is ready to be held, as far as it could be compiled."""

    name: str
    namespaces: LabelSelector | None
    """Labels of the namespaces that it is for; None: all."""
    rules: tuple[BoundRule, ...]
    exemptions: tuple[Exemption, ...]
    problems: tuple[PointsmanError, ...]

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """Those in the background that its rules take."""
        return tuple(LOOKS[one.background] for one in self.rules if one.is_looked_for)

    @property
    def unheld(self) -> tuple[str, ...]:
        """Rules that neither an admission nor a look in the background holds."""
        return tuple(one.id for one in self.rules if one.waits_for or not (one.checks or one.is_looked_for))

    @property
    def verdict(self) -> Verdict:
        """The condition Compiled."""
        if not self.problems:
            return Verdict("Compiled", TRUE, "Compiled", "")
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        return Verdict("Compiled", FALSE, "BrokenRule", f"{self.problems[0]}{more}"[:_LONGEST])


def compile_policy(policy: GuardrailPolicy, library: Library) -> Compiled:
    """What a policy means. Never raises: problems are listed, each with the field that it is about."""
    rules: list[BoundRule] = []
    problems: list[PointsmanError] = []
    for rule, trouble in (*_of_packs(policy, library), *_own(policy)):
        problems += trouble
        if rule is not None:
            rules.append(rule)
    twins = _twins(rules)
    problems += twins
    known = {rule.id for rule in rules}
    for index, exception in enumerate(policy.spec.exceptions):
        problems += [
            PointsmanError(
                f"rule {name} is not one of this policy",
                where=f"spec.exceptions[{index}].rules",
                todo="name a rule that its packs or rules hold",
            )
            for name in exception.rules
            if name not in known
        ]
    selector = policy.spec.applies_to.namespace_selector if policy.spec.applies_to is not None else None
    return Compiled(
        policy.metadata.name,
        selector,
        tuple(rules),
        exemptions(policy.spec.exceptions),
        tuple(problems),
    )


_Compiled = tuple[BoundRule | None, list[PointsmanError]]


def _of_packs(policy: GuardrailPolicy, library: Library) -> Iterator[_Compiled]:
    for index, stated in enumerate(policy.spec.packs):
        where = f"spec.packs[{index}]"
        pack = library.packs.get(stated.name)
        if pack is None:
            known = ", ".join(sorted(library.packs))
            yield (
                None,
                [PointsmanError(f"there is no pack {stated.name}", where=where, todo=f"there are {known}")],
            )
            continue
        values, problems = bound(pack.source.parameters, stated.parameters, where)
        problems += [
            PointsmanError(f"{one} is no rule of the pack", where=f"{where}.exclude", todo="remove it")
            for one in stated.exclude
            if one not in pack.rules
        ]
        yield None, problems
        for rule in pack.rules.values():
            if rule.id not in stated.exclude:
                yield _bound(rule, pack, values, policy.spec.mode)


def _bound(rule: RuleSource, pack: Pack, values: Mapping[str, Value], mode: PolicyMode) -> _Compiled:
    where = f"{pack.name}/{rule.id}"
    try:
        made = BoundRule(
            rule.id,
            pack.name,
            rule.title,
            rule.severity,
            mode,
            f"{rule.message}; {rule.todo}",
            rule.controls,
            {kind: _check(check, values) for kind, check in rule.checks.items()},
            {kind: _mutation(one, values) for kind, one in rule.mutations.items()},
            rule.background or "",
            rule.unseen or "",
            values if rule.background else {},
            rule.runtime or "",
            rule.waits_for or "",
            {name: values[name] for name in _parameters_of(rule)},
            rule.source[0] if rule.source else "",
            rule.origin or "",
        )
    except KeyError as error:
        return None, [PointsmanError(f"params.{error.args[0]} is no parameter of the pack", where=where)]
    return _sound(made, where)


def _parameters_of(rule: RuleSource) -> Iterator[str]:
    for check in rule.checks.values():
        for text in (check.when, check.holds, check.found, check.scale, *check.variables.values()):
            yield from names_in(text or "")
    for mutation in rule.mutations.values():
        yield from names_in(mutation.when)
        yield from names_in(mutation.patch)


def _check(check: Check, values: Mapping[str, Value]) -> BoundCheck:
    holds = inlined(check.holds, values)
    when = inlined(check.when, values) if check.when else ""
    return BoundCheck(
        f"!({when}) || ({holds})" if when else holds,
        {name: inlined(text, values) for name, text in check.variables.items()},
        inlined(check.found, values) if check.found else "",
        inlined(check.scale, values) if check.scale else "",
        when,
    )


def _mutation(mutation: Mutation, values: Mapping[str, Value]) -> BoundMutation:
    return BoundMutation(inlined(mutation.when, values), inlined(mutation.patch, values))


def _own(policy: GuardrailPolicy) -> Iterator[_Compiled]:
    for index, rule in enumerate(policy.spec.rules):
        yield _sound(_stated(rule, policy.spec.mode), f"spec.rules[{index}] ({rule.id})")


def _stated(rule: PolicyRule, mode: PolicyMode) -> BoundRule:
    check = BoundCheck(rule.expression, {}, scale=rule.scale)
    controls: dict[str, tuple[str, ...]] = {}
    for control in rule.controls:
        framework, _, name = control.rpartition(":")
        controls[framework or "own"] = (*controls.get(framework or "own", ()), name)
    message = " ".join(rule.message.split())
    return BoundRule(
        rule.id,
        OWN,
        message,
        rule.severity,
        rule.mode or mode,
        message,
        controls,
        dict.fromkeys(rule.kinds, check),
        {},
    )


def _sound(rule: BoundRule, where: str) -> _Compiled:
    """The rule without what does not compile; None where nothing is left."""
    problems: list[PointsmanError] = []
    checks: dict[PolicyKind, BoundCheck] = {}
    for kind, check in rule.checks.items():
        try:
            checked(kind, check.holds, check.variables, "BOOL", where)
            if check.found:
                checked(kind, check.found, check.variables, "STRING", where)
            checks[kind] = _scaled(check, where) if (rule.pack, kind) == _SCALABLE else check
        except PointsmanError as error:
            problems.append(error)
    mutations: dict[PolicyKind, BoundMutation] = {}
    for kind, mutation in rule.mutations.items():
        try:
            checked(kind, mutation.when, {}, "BOOL", where)
            checked(kind, mutation.patch, {}, "LIST", where)
            mutations[kind] = mutation
        except PointsmanError as error:
            problems.append(error)
    if rule.checks and not checks:
        return None, problems
    return replace(rule, checks=checks, mutations=mutations), problems


def _scaled(check: BoundCheck, where: str) -> BoundCheck:
    """A rule of one's own as it is asked of `kubectl scale` too, where that can be."""
    if check.scale:
        checked(PolicyKind.MODEL_DEPLOYMENT, check.scale, {}, "BOOL", f"{where}.scale")
        return replace(check, scale=stated_scale_form(check.scale, f"{where}.scale"))
    if not reads_replicas(check.holds):
        return check
    form = scale_form(check.holds)
    return replace(check, scale=form or "", misses_scales=form is None)


def _twins(rules: Iterable[BoundRule]) -> list[PointsmanError]:
    seen: set[str] = set()
    found = []
    for rule in rules:
        if rule.id in seen:
            found.append(
                PointsmanError(f"two rules are called {rule.id}", where="spec.rules", todo="rename your own")
            )
        seen.add(rule.id)
    return found
