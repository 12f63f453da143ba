"""Defaults that cannot be written hold up no rule of the same policy, and it is said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pointsman
from pointsman.policy.packs import shipped_library
from tests.integration.policies.saying import (
    API,
    condition,
    deployment,
    natives_of,
    refusal,
    wait_ready,
    withdraw,
)
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.installation import Installation, OperatorProcess
from tests.support.policies import policy_for
from tests.support.polling import eventually

Json = dict[str, Any]

_ROLE = ("rbac.authorization.k8s.io/v1", "ClusterRole", "pointsman-policies")
_VALIDATING = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]
_ALL = [*_VALIDATING, "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"]


@pytest.fixture
def no_defaults(admin: Admin) -> Iterator[None]:
    """The operator may see MutatingAdmissionPolicies and not write them."""
    before = admin.get(*_ROLE)["rules"]
    others = [one for one in before if "admissionregistration.k8s.io" not in one["apiGroups"]]
    group = {"apiGroups": ["admissionregistration.k8s.io"]}
    seen = {**group, "resources": _ALL, "verbs": ["get", "list", "watch"]}
    written = {**group, "resources": _VALIDATING, "verbs": ["create", "patch", "delete"]}
    admin.patch(*_ROLE, {"rules": [*others, seen, written]})
    yield
    admin.patch(*_ROLE, {"rules": before})


def test_rules_are_held_without_the_defaults(
    admin: Admin, namespace: str, no_defaults: None, operator: OperatorProcess
) -> None:
    _hold(admin, namespace, {"name": "cost"})

    said = eventually(lambda: _refused(admin, namespace), 60, "it is said")
    assert "MutatingAdmissionPolicy" in said
    eventually(lambda: "[COST-" in refusal(admin, deployment("chat"), namespace), 60, "the rules are held")
    assert {one["kind"] for one in natives_of(admin, namespace)} == {
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }

    rules = admin.get(*_ROLE)["rules"]
    rules[-1] = {**rules[-1], "resources": _ALL}
    admin.patch(*_ROLE, {"rules": rules})

    wait_ready(admin, namespace)
    withdraw(admin, namespace)


def test_a_default_that_the_api_server_refuses_is_named_and_holds_up_no_other(
    admin: Admin, namespace: str, installation: Installation, tmp_path: Path
) -> None:
    others = set(shipped_library().packs["baseline-security"].rules) - {"SEC-02", "SEC-04"}
    pack = {"name": "baseline-security", "exclude": sorted(others)}
    with installation.operator(program=_with_a_bad_default(tmp_path)):
        _hold(admin, namespace, pack)

        eventually(lambda: _refused(admin, namespace).startswith("[SEC-04] "), 60, "the rule is named")
        native = f"MutatingAdmissionPolicy pointsman-{namespace}-pod-defaults-alone-1"
        why = "the API server does not compile the expression: invalid matches argument"
        assert _refused(admin, namespace) == f"[SEC-04] {native}: {why}"
        # What keeps SEC-02 by its default alone is admitted; what would need the default of SEC-04 is not.
        eventually(lambda: "[SEC-04]" in _pod_refusal(admin, namespace), 60, "rules over pods are held")
        without = {"automountServiceAccountToken": False}
        eventually(lambda: not _pod_refusal(admin, namespace, **without), 60, "the other default is set")
        admin.patch(
            API,
            "GuardrailPolicy",
            namespace,
            {"spec": {"packs": [{**pack, "exclude": sorted({*others, "SEC-04"})}]}},
        )
        wait_ready(admin, namespace)
        named = [one["metadata"]["name"] for one in natives_of(admin, namespace)]
        assert f"pointsman-{namespace}-pod-defaults" in named
        assert not [one for one in named if "-alone-" in one]
        withdraw(admin, namespace)


def _with_a_bad_default(folder: Path) -> Path:
    """Pointsman with a pattern in a default that RE2 has in C++ and not in Go."""
    package = Path(pointsman.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    rule = folder / package.name / "policy" / "packs" / "baseline-security" / "SEC-04.yaml"
    text = rule.read_text("utf-8")
    good = 'when: "!has(object.spec.automountServiceAccountToken)"'
    assert good in text
    rule.write_text(text.replace(good, r"""when: "!object.apiVersion.matches('\\\\C')" """.strip()), "utf-8")
    return folder


def _hold(admin: Admin, namespace: str, pack: Json) -> None:
    admin.create(policy_for(namespace, packs=[pack]))


def _refused(admin: Admin, policy: str) -> str:
    found = condition(admin, policy, "Enforced")
    return str(found["message"]) if (found.get("status"), found.get("reason")) == ("False", "Refused") else ""


def _pod_refusal(admin: Admin, namespace: str, **spec: Any) -> str:
    security = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    container = {"name": "engine", "image": "example.com/engine", "securityContext": security}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "engine", "labels": {"pointsman.dev/deployment": "chat"}},
        "spec": {"containers": [container], **spec},
    }
    try:
        admin.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod, parameters={"dryRun": "All"})
    except ApiError as error:
        if error.status != 403:
            raise
        return str(error)
    return ""
