"""Defaults that cannot be written hold up no rule of the same policy, and it is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
from tests.support.cluster.installation import OperatorProcess
from tests.support.polling import eventually

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
    label = {"kubernetes.io/metadata.name": namespace}
    spec = {
        "mode": "enforce",
        "appliesTo": {"namespaceSelector": {"matchLabels": label}},
        "packs": [{"name": "cost"}],
    }
    admin.create(
        {"apiVersion": API, "kind": "GuardrailPolicy", "metadata": {"name": namespace}, "spec": spec}
    )

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


def _refused(admin: Admin, policy: str) -> str:
    found = condition(admin, policy, "Enforced")
    return str(found["message"]) if (found.get("status"), found.get("reason")) == ("False", "Refused") else ""
