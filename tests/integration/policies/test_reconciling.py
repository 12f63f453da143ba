"""A GuardrailPolicy becomes native policies, is held while the operator is down, and says what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.installation import Installation, OperatorProcess
from tests.support.policies import LICENSED, policy_for
from tests.support.polling import eventually

Json = dict[str, Any]

EXAMPLE = Path(__file__).parents[3] / "examples" / "compliance"
_API = "pointsman.dev/v1alpha1"
_ADMISSION = "admissionregistration.k8s.io/v1"
_VAP = (_ADMISSION, "ValidatingAdmissionPolicy")
_BINDING = (_ADMISSION, "ValidatingAdmissionPolicyBinding")

_EVERYTHING = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}


@pytest.fixture
def policy(admin: Admin, namespace: str, operator: OperatorProcess) -> Iterator[Json]:
    """A license must be stated in the test's namespace: in force."""
    made = admin.create(policy_for(namespace, rules=[LICENSED]))
    eventually(lambda: _condition(admin, namespace, "Ready") == "True", 60, "the policy is enforced")
    yield made
    if admin.find(_API, "GuardrailPolicy", namespace) is not None:
        admin.delete(_API, "GuardrailPolicy", namespace)
    _gone(admin, namespace)


def test_it_is_held_with_the_operator_down(
    admin: Admin, namespace: str, policy: Json, operator: OperatorProcess
) -> None:
    operator.kill()

    with pytest.raises(ApiError, match=r"\[LIC-1\] no license is stated"):
        admin.create(_deployment("new"), namespace)
    admin.create(_deployment("fine", license="mit"), namespace)


def test_its_status_is_what_kubectl_shows(admin: Admin, namespace: str, policy: Json) -> None:
    status = admin.get(_API, "GuardrailPolicy", namespace)["status"]

    assert status["rules"] == 1
    assert status["observedGeneration"] == policy["metadata"]["generation"]
    assert {one["type"] for one in status["conditions"]} == {"Compiled", "Enforced", "Ready"}


def test_a_native_object_that_is_changed_or_deleted_is_put_back(
    admin: Admin, namespace: str, policy: Json
) -> None:
    name = f"pointsman-{namespace}-modeldeployment-enforce"
    before = admin.get(*_VAP, name)["spec"]
    for _ in range(3):
        admin.patch(*_VAP, name, {"spec": {"failurePolicy": "Ignore"}})
        eventually(lambda: admin.get(*_VAP, name)["spec"] == before, 60, "the policy is put back")
    admin.delete(*_BINDING, name)

    eventually(lambda: admin.find(*_BINDING, name), 60, "the binding is made again")


@pytest.mark.parametrize(
    "strays",
    [
        (_VAP, {"matchConditions": [{"name": "never", "expression": "false"}]}),
        (_BINDING, {"matchResources": {"namespaceSelector": {"matchLabels": {"never": "true"}}}}),
        (_BINDING, {"matchResources": {"excludeResourceRules": [_EVERYTHING]}}),
    ],
    ids=["condition", "binding", "binding excludes"],
)
def test_what_somebody_adds_to_a_native_object_is_taken_out(
    admin: Admin, namespace: str, policy: Json, strays: tuple[tuple[str, str], Json]
) -> None:
    kind, added = strays
    name = f"pointsman-{namespace}-modeldeployment-enforce"
    before = admin.get(*kind, name)["spec"]
    admin.apply({"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": name}, "spec": added})
    assert admin.get(*kind, name)["metadata"]["generation"] > 1

    eventually(lambda: admin.get(*kind, name)["spec"] == before, 60, "it is as it was")
    eventually(lambda: _is_refused(admin, namespace), 60, "the rule is held again")


def test_a_rule_that_the_api_server_refuses_holds_up_no_other(
    admin: Admin, namespace: str, policy: Json
) -> None:
    (good,) = policy["spec"]["rules"]
    # A byte of any kind, which RE2 has in C++ and not in Go.
    bad = {**good, "id": "BAD-1", "expression": r"object.metadata.name.matches('\\C')"}
    late = {**good, "id": "LATE-1", "expression": "object.metadata.name != 'late'", "message": "too late"}
    change = {"spec": {"rules": [good, bad, late]}}

    admin.patch(_API, "GuardrailPolicy", namespace, change)

    eventually(lambda: _said(admin, namespace, "Enforced").startswith("[BAD-1] "), 60, "the rule is named")
    why = "the API server does not compile the expression: invalid matches argument"
    assert _said(admin, namespace, "Enforced").endswith(f": {why}")
    eventually(lambda: _is_refused(admin, namespace, "late", "LATE-1", license="mit"), 60, "others are held")
    assert _is_refused(admin, namespace)
    admin.patch(_API, "GuardrailPolicy", namespace, {"spec": {"rules": [good, late]}})
    eventually(lambda: _condition(admin, namespace, "Ready") == "True", 60, "it is mended")
    labels = f"pointsman.dev/guardrail-policy={namespace}"
    eventually(lambda: len(admin.list(*_VAP, labels=labels)) == 1, 60, "they share one again")
    assert _is_refused(admin, namespace, "late", "LATE-1", license="mit")


def test_texts_arrive_as_they_are_stated(admin: Admin, namespace: str, policy: Json) -> None:
    (good,) = policy["spec"]["rules"]
    odd = "object.metadata.name != 'a\u2028b\x85c\x7fd\ufeffe\u00e9' && has(object.spec.license)"
    change = {"spec": {"rules": [{**good, "id": "1-A.b_c", "expression": odd}]}}

    admin.patch(_API, "GuardrailPolicy", namespace, change)

    eventually(lambda: _is_refused(admin, namespace, rule="1-A.b_c"), 30, "it is held")
    native = admin.get(*_VAP, f"pointsman-{namespace}-modeldeployment-enforce")
    assert native["spec"]["validations"][0]["expression"] == odd


def _is_refused(admin: Admin, namespace: str, name: str = "new", rule: str = "LIC-1", **spec: Any) -> bool:
    path = f"/apis/{_API}/namespaces/{namespace}/modeldeployments"
    try:
        admin.request("POST", path, _deployment(name, **spec), parameters={"dryRun": "All"})
    except ApiError as error:
        return f"[{rule}]" in str(error)
    return False


def test_old_objects_that_break_a_rule_are_listed_until_they_are_mended(
    admin: Admin, namespace: str, operator: OperatorProcess
) -> None:
    admin.create(_deployment("old"), namespace)
    admin.create(policy_for(namespace, mode="audit", rules=[LICENSED]))

    found = eventually(lambda: _violations(admin, namespace), 60, "the violation is listed")
    assert found == [
        {
            "kind": "ModelDeployment",
            "namespace": namespace,
            "name": "old",
            "rule": "LIC-1",
            "message": "no license is stated",
        }
    ]
    admin.patch(_API, "ModelDeployment", "old", {"spec": {"license": "mit"}}, namespace)
    eventually(lambda: not _violations(admin, namespace), 60, "it is listed no more")
    admin.delete(_API, "GuardrailPolicy", namespace)
    _gone(admin, namespace)


def test_a_broken_rule_is_said_and_the_others_hold(admin: Admin, namespace: str, policy: Json) -> None:
    broken = {**policy["spec"]["rules"][0], "id": "BAD-1", "expression": "object.spec.licence == 'mit'"}
    change = {"spec": {"rules": [*policy["spec"]["rules"], broken]}}

    admin.patch(_API, "GuardrailPolicy", namespace, change)

    eventually(lambda: _condition(admin, namespace, "Compiled") == "False", 60, "the broken rule is said")
    conditions = admin.get(_API, "GuardrailPolicy", namespace)["status"]["conditions"]
    said = next(one["message"] for one in conditions if one["type"] == "Compiled")
    assert "spec.rules[1] (BAD-1): undefined field 'licence' not found in object.spec" in said
    with pytest.raises(ApiError, match="LIC-1"):
        admin.create(_deployment("new"), namespace)


def test_policies_of_the_fleet_settings_are_kept_and_go_with_their_entry(
    admin: Admin, installation: Installation, tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("policies: {baseline: {mode: warn, packs: [{name: baseline-security}]}}")
    with installation.operator("operator-with-rules", arguments=("--fleet", str(fleet))):
        eventually(lambda: admin.find(_API, "GuardrailPolicy", "baseline"), 120, "the policy is written")
        eventually(lambda: _condition(admin, "baseline", "Ready") == "True", 60, "it is in force")
    fleet.write_text("{}")
    with installation.operator("operator-without", arguments=("--fleet", str(fleet))):
        eventually(lambda: not admin.find(_API, "GuardrailPolicy", "baseline"), 120, "it went")
    _gone(admin, "baseline")


def _condition(admin: Admin, name: str, kind: str) -> str:
    status = admin.get(_API, "GuardrailPolicy", name).get("status") or {}
    found: Json = next((one for one in status.get("conditions", ()) if one["type"] == kind), {})
    return str(found.get("status", ""))


def _said(admin: Admin, name: str, kind: str) -> str:
    status = admin.get(_API, "GuardrailPolicy", name).get("status") or {}
    found: Json = next((one for one in status.get("conditions", ()) if one["type"] == kind), {})
    return str(found.get("message", ""))


def _is_ready(admin: Admin, name: str) -> bool:
    return _condition(admin, name, "Ready") == "True"


def _violations(admin: Admin, name: str) -> list[Json]:
    status = admin.get(_API, "GuardrailPolicy", name).get("status") or {}
    found: list[Json] = (status.get("violations") or {}).get("objects") or []
    return found


def _gone(admin: Admin, policy: str) -> None:
    labels = f"pointsman.dev/guardrail-policy={policy}"
    eventually(
        lambda: not admin.list(*_VAP, labels=labels) and not admin.list(*_BINDING, labels=labels),
        60,
        "its native objects went with it",
    )


def _deployment(name: str, **spec: Any) -> Json:
    return {
        "apiVersion": _API,
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": {"source": "hf://Qwen/Qwen3-32B"}, "engine": {"name": "vllm"}, **spec},
    }


def test_a_team_is_refused_mends_and_is_admitted(
    admin: Admin, namespace: str, operator: OperatorProcess
) -> None:
    house, act = yaml.safe_load_all((EXAMPLE / "policies/house.yaml").read_text("utf-8"))
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    for policy in (house, act):
        admin.create({**policy, "spec": {**policy["spec"], "appliesTo": selector}})
    names = [policy["metadata"]["name"] for policy in (house, act)]
    for name in names:
        eventually(partial(_is_ready, admin, name), 60, f"{name} is enforced")
    refused, admitted = (
        {**model, "metadata": {**model["metadata"], "namespace": namespace}}
        for model in map(_example, ("refused", "admitted"))
    )

    with pytest.raises(ApiError, match=r"\[(SEC-06|SUP-06|HOUSE-1)\]"):
        admin.create(refused, namespace)
    admin.create(admitted, namespace)

    for name in names:
        admin.delete(_API, "GuardrailPolicy", name)
        _gone(admin, name)


def _example(name: str) -> Json:
    found: Json = yaml.safe_load((EXAMPLE / "models" / f"{name}.yaml").read_text("utf-8"))
    return found
