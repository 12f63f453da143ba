"""Every example of every rule, judged by a running API server and by our evaluator: the same verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.api import GuardrailPolicy
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.admitted import as_admitted
from pointsman.policy.compiled import Compiled, compile_policy
from pointsman.policy.native.validating import validating
from pointsman.policy.packs import shipped_library
from pointsman.policy.source import Example, RuleSource
from pointsman.policy.verdicts import verdicts
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.control_plane import ControlPlane
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("definitions")

_PATHS = {
    "ModelDeployment": "/apis/pointsman.dev/v1alpha1/namespaces/{}/modeldeployments",
    "ModelRoute": "/apis/pointsman.dev/v1alpha1/namespaces/{}/modelroutes",
    "Pod": "/api/v1/namespaces/{}/pods",
}


@dataclass(frozen=True)
class Judged:
    """One example with the verdict that its rule's file promises."""

    pack: str
    rule: RuleSource
    example: Example
    passes: bool
    number: int

    def __str__(self) -> str:
        return f"{self.rule.id}: {self.example.why}"

    @property
    def namespace(self) -> str:
        word = "passes" if self.passes else "fails"
        return f"rule-{self.rule.id.lower()}-{word}-{self.number}"


CASES = tuple(
    Judged(pack.name, rule, example, passes, number)
    for pack in shipped_library().packs.values()
    for rule in pack.rules.values()
    if rule.checks  # what is looked for in the background is none of the API server's
    for passes, examples in ((True, rule.passes), (False, rule.fails))
    for number, example in enumerate(examples)
)


def _policy_of(pack: str, rule: RuleSource) -> Compiled:
    """The rule alone, for the namespaces of its own examples, as if what it waits for were there."""
    others = [name for name in shipped_library().packs[pack].rules if name != rule.id]
    parameters = dict(rule.example_parameters)
    compiled = compile_policy(
        GuardrailPolicy.model_validate(
            {
                "apiVersion": "pointsman.dev/v1alpha1",
                "kind": "GuardrailPolicy",
                "metadata": {"name": rule.id.lower()},
                "spec": {
                    "mode": "enforce",
                    "appliesTo": {"namespaceSelector": {"matchLabels": {"tests/rule": rule.id}}},
                    "packs": [{"name": pack, "exclude": others, "parameters": parameters}],
                },
            }
        ),
        shipped_library(),
    )
    return replace(compiled, rules=tuple(replace(one, waits_for="") for one in compiled.rules))


@pytest.fixture(scope="module")
def policies(control_plane: ControlPlane, definitions: None) -> Iterator[Mapping[str, Compiled]]:
    """Each rule's policy, in force in its examples' namespaces."""
    admin = control_plane.admin
    compiled = {case.rule.id: _policy_of(case.pack, case.rule) for case in CASES}
    native = [manifest for one in compiled.values() for manifest in validating(one, datetime.now(UTC))]
    for manifest in native:
        admin.create(manifest)
    for case in CASES:
        labels = {"tests/rule": case.rule.id, **case.example.namespace_labels}
        admin.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.namespace, "labels": labels}}
        )
    pods = {case.namespace for case in CASES if case.example.object["kind"] == "Pod"}
    eventually(lambda: pods <= _with_account(admin), 120, "pods are taken in their namespaces")
    yield compiled
    for manifest in native:
        admin.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
    for case in CASES:
        admin.delete("v1", "Namespace", case.namespace)


def _with_account(admin: Admin) -> set[str]:
    """The namespaces that have the account of pods that name none: a controller makes it a moment later."""
    found = admin.list("v1", "ServiceAccount", fields="metadata.name=default")
    return {one["metadata"]["namespace"] for one in found}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_give_the_promised_verdict(case: Judged, policies: Mapping[str, Compiled], admin: Admin) -> None:
    policy = policies[case.rule.id]
    kind = PolicyKind(str(case.example.object["kind"]))
    obj = {
        **case.example.object,
        "metadata": {**case.example.object["metadata"], "namespace": case.namespace},
    }
    namespace = {"metadata": {"labels": {"tests/rule": case.rule.id, **case.example.namespace_labels}}}

    ours = verdicts([policy], kind, as_admitted(kind, obj), namespace, datetime.now(UTC))

    assert [one.is_violation for one in ours] == [not case.passes], ours
    if case.passes:
        assert _refusal(admin, case, obj) == ""
    else:
        # The API server hears of a new policy by a watch, and of its binding by another.
        refusal = eventually(lambda: _refusal(admin, case, obj), 60, "the API server knows the policy")
        assert f"[{case.rule.id}]" in refusal
        assert ours[0].message in refusal


def _refusal(admin: Admin, case: Judged, obj: Mapping[str, Any]) -> str:
    """What the API server says against the object; "" if nothing."""
    path = _PATHS[str(obj["kind"])].format(case.namespace)
    try:
        admin.request("POST", path, obj, parameters={"dryRun": "All"})
    except ApiError as error:
        return str(error)
    return ""
