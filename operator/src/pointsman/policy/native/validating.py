"""ValidatingAdmissionPolicies and their bindings, out of a compiled policy.

Rules of one kind and one mode share a policy, as the mode is its binding's, until it is too large. The API
server evaluates them in its own process, with ours running or not. It refuses a policy for one expression
that it does not like, with all the rules in it: then each of them gets a policy of its own.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pointsman.api.guardrailpolicy import PolicyKind, PolicyMode
from pointsman.api.meta import DEPLOYMENT_LABEL
from pointsman.policy.compiled import BoundRule, Compiled
from pointsman.policy.exemptions import Exemption
from pointsman.policy.native.clock import CLOCK, UNKNOWN
from pointsman.policy.native.naming import native_metadata
from pointsman.policy.native.origin import origins
from pointsman.policy.native.scope import Manifest, conditions_of, constraints_of
from pointsman.policy.native.selection import API, selector_as_cel
from pointsman.policy.parameters import literal

_MOST_RULES = 32
_MOST_CHARACTERS = 200_000
"""Of expressions in one policy: an object in etcd has 1.5 MB at most, and the managed fields double it."""
_ACTIONS = {
    PolicyMode.ENFORCE: ["Deny", "Audit"],
    PolicyMode.WARN: ["Warn", "Audit"],
    PolicyMode.AUDIT: ["Audit"],
}
_ALL_FINDINGS = "all findings: pointsman validate FILE --policies POLICIES"
"""Files alone know of no policy that is in the cluster: without it everything looks right."""


def validating(
    compiled: Compiled, now: datetime, left_out: Sequence[str] = (), apart: Collection[str] = ()
) -> tuple[Manifest, ...]:
    """The native objects of a policy, in a stable order. `left_out` are namespaces beside the system's that
    no rule is for: the one that we run in. `apart` are names of native policies whose rules must not share
    one.

    Exceptions that have ended by `now` are left out, but for pods; the others end by the clock of the objects
    that are admitted.
    """
    lasting = [one for one in compiled.exemptions if one.until > now]
    current = replace(compiled, exemptions=tuple(lasting))
    made: list[Manifest] = []
    for kind in PolicyKind:
        of_kind = compiled if kind is PolicyKind.POD else current
        for mode in PolicyMode:
            rules = [
                rule
                for rule in compiled.rules
                if kind in rule.checks and rule.mode is mode and not rule.waits_for
            ]
            scaled = [rule for rule in rules if rule.checks[kind].scale]
            pieces = [
                *(_Piece(of_kind, kind, mode, some, part) for part, some in _parts(rules, kind)),
                *(
                    _Piece(of_kind, kind, mode, some, part, is_scale=True)
                    for part, some in _parts(scaled, kind)
                ),
            ]
            for piece in pieces:
                shared = native_metadata(compiled.name, piece.suffix)["name"] not in apart
                for one in [piece] if shared else piece.each_alone():
                    made += _pair(one, left_out)
    for mode in PolicyMode:
        for policy in origins(compiled, mode, compiled.exemptions, left_out):
            made += [policy, _binding(policy["metadata"], mode)]
    return tuple(made)


@dataclass(frozen=True)
class _Piece:
    """Rules that share one native policy."""

    compiled: Compiled
    kind: PolicyKind
    mode: PolicyMode
    rules: tuple[BoundRule, ...]
    part: int
    is_scale: bool = False
    alone: int | None = None

    @property
    def suffix(self) -> str:
        what = "scale" if self.is_scale else self.kind.value.lower()
        number = f"-{self.part}" if self.part else ""
        alone = "" if self.alone is None else f"-alone-{self.alone}"
        return f"{what}-{self.mode.value}{number}{alone}"

    def each_alone(self) -> "list[_Piece]":
        return [replace(self, rules=(rule,), alone=number) for number, rule in enumerate(self.rules)]

    @property
    def exempting(self) -> list[Exemption]:
        """The exceptions that count. The scale subresource tells no time: none counts there."""
        if self.is_scale:
            return []
        names = {rule.id for rule in self.rules}
        return [one for one in self.compiled.exemptions if not names.isdisjoint(one.rules)]


def _parts(rules: Iterable[BoundRule], kind: PolicyKind) -> Iterator[tuple[int, tuple[BoundRule, ...]]]:
    part: list[BoundRule] = []
    size = number = 0
    for rule in rules:
        check = rule.checks[kind]
        more = len(check.holds) + len(check.found) + sum(map(len, check.variables.values()))
        if part and (len(part) == _MOST_RULES or size + more > _MOST_CHARACTERS):
            yield number, tuple(part)
            part, size, number = [], 0, number + 1
        part.append(rule)
        size += more
    if part:
        yield number, tuple(part)


def _pair(piece: _Piece, left_out: Sequence[str]) -> list[Manifest]:
    kind, exempting = piece.kind, piece.exempting
    metadata = native_metadata(piece.compiled.name, piece.suffix)
    # A pod's exception never ends here.
    is_timed = bool(exempting) and kind is not PolicyKind.POD
    variables = [*(CLOCK if is_timed else ()), *_exempting(exempting, kind)]
    for rule in () if piece.is_scale else piece.rules:
        variables += [
            {"name": _variable(rule, one), "expression": _renamed(text, rule)}
            for one, text in rule.checks[kind].variables.items()
        ]
    conditions = conditions_of(kind, is_scale=piece.is_scale)
    policy: Manifest = {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": constraints_of(piece.compiled, kind, left_out, is_scale=piece.is_scale),
            **({"matchConditions": conditions} if conditions else {}),
            **({"variables": variables} if variables else {}),
            "validations": [
                _validation(rule, kind, exempting, is_timed, piece.is_scale) for rule in piece.rules
            ],
        },
    }
    return [policy, _binding(metadata, piece.mode)]


def _binding(metadata: Manifest, mode: PolicyMode) -> Manifest:
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": metadata["name"], "validationActions": _ACTIONS[mode]},
    }


def _exempting(exemptions: Iterable[Exemption], kind: PolicyKind) -> Iterator[Manifest]:
    for number, one in enumerate(exemptions):
        terms = []
        if one.namespaces:
            terms.append(f"request.namespace in {literal(one.namespaces)}")
        if one.names:
            name = (
                f"object.metadata.labels[{literal(DEPLOYMENT_LABEL)}]"
                if kind is PolicyKind.POD
                else "object.metadata.name"
            )
            terms.append(f"{name} in {literal(one.names)}")
        if one.namespace_selector is not None:
            terms.append(selector_as_cel(one.namespace_selector))
        yield {"name": f"exception{number}", "expression": " && ".join(terms) or "true"}


def _validation(
    rule: BoundRule, kind: PolicyKind, exempting: Sequence[Exemption], is_timed: bool, is_scale: bool
) -> Manifest:
    check = rule.checks[kind]
    numbers = [number for number, one in enumerate(exempting) if rule.id in one.rules]
    holds = check.scale if is_scale else _renamed(check.holds, rule)
    if numbers:
        allowed = " || ".join(_allowed(exempting[number], number, is_timed) for number in numbers)
        holds = f"({holds}) || {allowed}"
    text = denial(rule)
    made: Manifest = {"expression": holds, "message": text, "reason": "Forbidden"}
    detail = [] if is_scale or not check.found else [f"({_renamed(check.found, rule)}) + ': '"]
    hint = [f"({UNKNOWN.format(condition=f'({_any_of(numbers)})')})" for _ in numbers[:1] if is_timed]
    if detail or hint:
        prefix, rest = f"[{rule.id}] ", text.removeprefix(f"[{rule.id}] ")
        made["messageExpression"] = " + ".join([literal(prefix), *detail, literal(rest), *hint])
    return made


def _allowed(exemption: Exemption, number: int, is_timed: bool) -> str:
    condition = f"variables.exception{number}"
    if not is_timed:
        return condition
    return f"({condition} && variables.known && variables.now < timestamp({literal(exemption.until_text)}))"


def _any_of(numbers: Iterable[int]) -> str:
    return " || ".join(f"variables.exception{number}" for number in numbers)


def denial(rule: BoundRule) -> str:
    """What a person reads who is refused: the rule, what is wrong, what to do, who asks for it, where it is
    read up, and what says everything else that is wrong.
    """
    controls = ", ".join(f"{framework} {' '.join(names)}" for framework, names in rule.controls.items())
    asked = f" ({controls})" if controls else ""
    link = f"; see {rule.link}" if rule.link else ""
    # The API server refuses a message of two lines, and the policy with it.
    return " ".join(f"[{rule.id}] {rule.message}{asked}{link}; {_ALL_FINDINGS}".split())


def _variable(rule: BoundRule, name: str) -> str:
    return f"{rule.id.replace('-', '_')}_{name}"


def _renamed(expression: str, rule: BoundRule) -> str:
    """Variables are the policy's own: two rules may call theirs alike."""
    return expression.replace("variables.", f"variables.{rule.id.replace('-', '_')}_")
