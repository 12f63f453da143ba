"""What two policies say differently of one rule. Pure.

The API server asks both, so the stricter wins by itself; people who read the other one should know of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pointsman.api.guardrailpolicy import PolicyMode
from pointsman.api.meta import LabelSelector, SelectorOperator
from pointsman.policy.compiled import OWN, BoundRule, Compiled
from pointsman.policy.exemptions import Exemption
from pointsman.policy.parameters import Value

_MOST_POLICIES = 3
"""That are named of many; the others are counted."""
_MOST_RULES = 8
_LONGEST_VALUE = 64
_STRICTER = {PolicyMode.ENFORCE: 2, PolicyMode.WARN: 1, PolicyMode.AUDIT: 0}

_RuleKey = tuple[str, str]


@dataclass(frozen=True)
class _Held:
    """How a policy holds a rule: all that a contradiction may be about."""

    mode: PolicyMode
    parameters: tuple[tuple[str, Value], ...]
    own: int = 0
    """Tells the rules of one's own apart that share a name alone."""


class Contradictions:
    """Knows every policy by its name."""

    def __init__(self, policies: Iterable[Compiled] = ()) -> None:
        self._policies: dict[str, Compiled] = {}
        self._holders: dict[_RuleKey, dict[_Held, dict[str, None]]] = {}
        self._excepting: dict[str, None] = {}
        for one in policies:
            self.hold(one)

    def hold(self, policy: Compiled) -> frozenset[str]:
        """This is what the policy means from now on. Gives the others of which something else may be said."""
        if self._policies.get(policy.name) is policy:
            return frozenset()
        before = self.forget(policy.name)
        self._policies[policy.name] = policy
        for key, held in _held(policy):
            self._holders.setdefault(key, {}).setdefault(held, {})[policy.name] = None
        if policy.exemptions:
            self._excepting[policy.name] = None
        return before | self.concerned(policy.name)

    def forget(self, name: str) -> frozenset[str]:
        """The policy is gone, or another by now. Gives the others of which something else may be said."""
        policy = self._policies.get(name)
        if policy is None:
            return frozenset()
        concerned = self.concerned(name)
        del self._policies[name]
        self._excepting.pop(name, None)
        for key, held in _held(policy):
            variants = self._holders[key]
            del variants[held][name]
            if not variants[held]:
                del variants[held]
            if not variants:
                del self._holders[key]
        return concerned

    def of(self, name: str, now: datetime) -> tuple[str, ...]:
        """What is to be said of a policy, a line for each of some others that contradict it."""
        policy = self._policies.get(name)
        if policy is None:
            return ()
        concerned = sorted(self.concerned(name))
        lines = [(other, list(self._lines(policy, self._policies[other], now))) for other in concerned]
        told = [(other, "; ".join(some)) for other, some in lines if some]
        more = len(told) - _MOST_POLICIES
        shown = [line for _, line in told[:_MOST_POLICIES]]
        return (*shown, *([f"and {more} more policies contradict it"] if more > 0 else ()))

    def concerned(self, name: str) -> frozenset[str]:
        """The policies that hold a rule otherwise, or that know other exceptions from it."""
        policy = self._policies[name]
        found: set[str] = set()
        for key, held in _held(policy):
            holders = self._holders[key]
            if len(holders) > 1:
                for variant, names in holders.items():
                    if variant != held and variant.own == held.own:
                        found.update(names)
        rules = {rule.id for rule in policy.rules}
        excepted = {rule for one in policy.exemptions for rule in one.rules}
        for other in self._policies if policy.exemptions else self._excepting:
            theirs = self._policies[other]
            mine_counts = excepted and not excepted.isdisjoint(rule.id for rule in theirs.rules)
            if mine_counts or any(not rules.isdisjoint(one.rules) for one in theirs.exemptions):
                found.add(other)
        found.discard(name)
        return frozenset(
            other for other in found if may_overlap(policy.namespaces, self._policies[other].namespaces)
        )

    def _lines(self, mine: Compiled, other: Compiled, now: datetime) -> Iterator[str]:
        theirs = dict(_held(other))
        here, there = {rule.id: rule for rule in mine.rules}, {rule.id: rule for rule in other.rules}
        modes: dict[tuple[PolicyMode, PolicyMode], list[str]] = {}
        for key, held in _held(mine):
            found = theirs.get(key)
            if found is None or found.own != held.own:
                continue
            if found.mode is not held.mode:
                modes.setdefault((held.mode, found.mode), []).append(key[1])
            for (parameter, value), (_, another) in zip(held.parameters, found.parameters, strict=True):
                if value != another:
                    yield (
                        f"{key[1]}: {parameter} is {_shown(value)} here and {_shown(another)} in policy"
                        f" {other.name}: both hold, the stricter wins"
                    )
        for (own, found_mode), ids in modes.items():
            wins = (
                f"{own} here wins over {found_mode} in policy {other.name}"
                if _STRICTER[own] > _STRICTER[found_mode]
                else f"{own} here, {found_mode} in policy {other.name}, which wins"
            )
            yield f"{_listed(ids)}: {wins}"
        for one, ids in _without_effect(mine, other, there, now):
            yield f"{one.id}: policy {other.name} enforces {_listed(ids)} without this exception, and wins"
        for one, ids in _without_effect(other, mine, here, now):
            yield f"{_listed(ids)}: enforced here, whatever exception {one.id} of policy {other.name} allows"


def may_overlap(one: LabelSelector | None, other: LabelSelector | None) -> bool:
    """Whether a namespace can have labels that both choose."""
    allowed: dict[str, set[str]] = {}
    refused: dict[str, set[str]] = {}
    present: set[str] = set()
    absent: set[str] = set()
    for key, operator, values in (*_terms(one), *_terms(other)):
        match operator:
            case SelectorOperator.IN:
                present.add(key)
                allowed[key] = allowed.get(key, values) & values
            case SelectorOperator.NOT_IN:
                refused.setdefault(key, set()).update(values)
            case SelectorOperator.EXISTS:
                present.add(key)
            case SelectorOperator.DOES_NOT_EXIST:
                absent.add(key)
    return present.isdisjoint(absent) and all(
        values - refused.get(key, set()) for key, values in allowed.items()
    )


def _terms(selector: LabelSelector | None) -> Iterator[tuple[str, SelectorOperator, set[str]]]:
    if selector is not None:
        for key, value in selector.match_labels.items():
            yield key, SelectorOperator.IN, {value}
        for term in selector.match_expressions:
            yield term.key, term.operator, set(term.values)


def _held(policy: Compiled) -> Iterator[tuple[_RuleKey, _Held]]:
    """The rules that the API server is asked to hold."""
    for rule in policy.rules:
        if (rule.checks or rule.mutations) and not rule.waits_for:
            parameters = tuple(sorted(rule.parameters.items()))
            yield (rule.pack, rule.id), _Held(rule.mode, parameters, _own(rule))


def _own(rule: BoundRule) -> int:
    if rule.pack != OWN:
        return 0
    return hash(tuple(sorted((kind, check.holds) for kind, check in rule.checks.items())))


def _without_effect(
    excepting: Compiled, other: Compiled, rules: Mapping[str, BoundRule], now: datetime
) -> Iterator[tuple[Exemption, list[str]]]:
    """The lasting exceptions of one policy from rules that the other enforces without one."""
    for one in excepting.exemptions:
        if one.until > now:
            ids = [
                name
                for name in sorted(one.rules)
                if name in rules
                and rules[name].mode is PolicyMode.ENFORCE
                and _is_same(rules[name], excepting)
                and not any(_covers(also, one) for also in other.exemptions if name in also.rules)
            ]
            if ids:
                yield one, ids


def _is_same(rule: BoundRule, other: Compiled) -> bool:
    """Whether the other policy has this very rule, and not one that is called alike."""
    return any(one.id == rule.id and one.pack == rule.pack and _own(one) == _own(rule) for one in other.rules)


def _covers(wide: Exemption, narrow: Exemption) -> bool:
    """Whether the one is for everything that the other is for, and for as long."""
    return (
        wide.until >= narrow.until
        and _includes(wide.namespaces, narrow.namespaces)
        and _includes(wide.names, narrow.names)
        and wide.namespace_selector in (None, narrow.namespace_selector)
    )


def _includes(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _listed(ids: list[str]) -> str:
    more = len(ids) - _MOST_RULES
    return ", ".join(ids[:_MOST_RULES]) + (f" and {more} more" if more > 0 else "")


def _shown(value: Value) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    text = text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
    return text or "empty"
