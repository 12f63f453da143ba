"""MutatingAdmissionPolicies and their bindings: defaults that a policy sets, where the API server can.

JSON patches, and not apply configurations: those cannot touch lists that are replaced as a whole, such as a
container's arguments. Each says itself when there is nothing to do, so that a second time changes nothing.
"""

from collections.abc import Collection, Sequence

from pointsman.api.guardrailpolicy import PolicyKind, PolicyMode
from pointsman.policy.compiled import BoundRule, Compiled
from pointsman.policy.native.naming import RULE_ANNOTATION, native_metadata
from pointsman.policy.native.scope import Manifest, conditions_of, constraints_of
from pointsman.policy.native.selection import API


def mutating(
    compiled: Compiled, left_out: Sequence[str] = (), apart: Collection[str] = ()
) -> tuple[Manifest, ...]:
    """The native objects of a policy's defaults, in a stable order. A rule that only warns or is only
    recorded changes nothing. `apart` are names of native policies whose rules must not share one.
    """
    made: list[Manifest] = []
    for kind in PolicyKind:
        rules = [
            rule
            for rule in compiled.rules
            if kind in rule.mutations and rule.mode is PolicyMode.ENFORCE and not rule.waits_for
        ]
        metadata = native_metadata(compiled.name, f"{kind.value.lower()}-defaults")
        if metadata["name"] in apart:
            for number, rule in enumerate(rules):
                alone = native_metadata(compiled.name, f"{kind.value.lower()}-defaults-alone-{number}")
                named = {**alone, "annotations": {RULE_ANNOTATION: rule.id}}
                made += _pair(compiled, kind, [rule], left_out, named)
        elif rules:
            made += _pair(compiled, kind, rules, left_out, metadata)
    return tuple(made)


def _pair(
    compiled: Compiled,
    kind: PolicyKind,
    rules: Sequence[BoundRule],
    left_out: Sequence[str],
    metadata: Manifest,
) -> list[Manifest]:
    conditions = conditions_of(kind, sets=True)
    policy: Manifest = {
        "apiVersion": API,
        "kind": "MutatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": constraints_of(compiled, kind, left_out, sets=True),
            **({"matchConditions": conditions} if conditions else {}),
            "mutations": [
                {
                    "patchType": "JSONPatch",
                    "jsonPatch": {
                        "expression": f"({rule.mutations[kind].when}) ? ({rule.mutations[kind].patch}) : []"
                    },
                }
                for rule in rules
            ],
        },
    }
    binding: Manifest = {
        "apiVersion": API,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": metadata["name"]},
    }
    return [policy, binding]
