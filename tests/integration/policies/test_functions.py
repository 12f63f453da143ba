"""The table of expressions that our evaluator is held to is right about a running API server."""

from __future__ import annotations

from typing import Any

from tests.support.cel_table import TRUE
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.polling import eventually

_ADMISSION = "admissionregistration.k8s.io/v1"
_NAME = "functions.tests"


def test_every_expression_is_true(admin: Admin, namespace: str) -> None:
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    ]
    # The last one refuses, so that it is seen when the policy is in force: everything before it was true.
    validations = [*({"expression": one, "message": one} for one in TRUE), _REFUSES]
    spec = {
        "matchConstraints": {"namespaceSelector": selector, "resourceRules": rules},
        "validations": validations,
    }
    binding = {"policyName": _NAME, "validationActions": ["Deny"]}
    policy = {"apiVersion": _ADMISSION, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": _NAME}}
    admin.create({**policy, "spec": spec})
    admin.create({**policy, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding})
    try:
        said = eventually(lambda: _refusal(admin, namespace), 30, "the policy is in force")
    finally:
        admin.delete(_ADMISSION, "ValidatingAdmissionPolicyBinding", _NAME)
        admin.delete(_ADMISSION, "ValidatingAdmissionPolicy", _NAME)

    assert said.endswith(_REFUSES["message"]), said


_REFUSES = {"expression": "false", "message": "all were true"}


def _refusal(admin: Admin, namespace: str) -> str:
    body: Any = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    try:
        admin.request("POST", path, body, parameters={"dryRun": "All"})
    except ApiError as error:
        return str(error)
    return ""
