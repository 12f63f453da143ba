"""What others made stays theirs, whatever its name; what the API server refuses is said where users look."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.workloads.naming import base_name
from tests.integration.operator.deployments import API, KIND, conditions, message, own, wait_until
from tests.support.cluster.admin import Admin
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("operator")

Json = dict[str, Any]
SERVICE = ("v1", "Service")
CONFIG_MAP = ("v1", "ConfigMap")
DEPLOYMENT = ("apps/v1", "Deployment")

STRANGERS: dict[str, Json] = {
    "Service": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "chat"},
        "spec": {"clusterIP": "None", "selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    },
    "ConfigMap": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "chat"},
        "data": {"precious": "yes"},
    },
}


def intent(found: Json) -> Json:
    """What its maker wrote, and who owns it."""
    meta = found["metadata"]
    return {
        "spec": found.get("spec"),
        "data": found.get("data"),
        "labels": meta.get("labels"),
        "owners": meta.get("ownerReferences"),
        "uid": meta["uid"],
    }


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_an_object_of_somebody_else_that_has_the_name_is_left_alone(
    stranger: Json, admin: Admin, namespace: str
) -> None:
    kind = (stranger["apiVersion"], stranger["kind"])
    before = intent(admin.create(stranger, namespace))
    admin.create(own("chat", engine={"name": "llama.cpp", "chatTemplate": "{{ messages }}"}), namespace)
    found = wait_until(admin, "chat", namespace, Progressing=("False", "NameTaken"))
    assert f"{stranger['kind']} chat is not Pointsman's" in message(found, "Progressing")
    assert conditions(found)["Ready"] == ("False", "NameTaken")
    assert admin.list(*DEPLOYMENT, namespace) == []  # no pods without what belongs to them
    admin.delete(API, KIND, "chat", namespace)
    admin.wait_gone(API, KIND, "chat", namespace)
    assert intent(admin.get(*kind, "chat", namespace)) == before


def test_it_goes_on_by_itself_once_the_name_is_free(admin: Admin, namespace: str) -> None:
    admin.create(STRANGERS["Service"], namespace)
    admin.create(own("chat"), namespace)
    wait_until(admin, "chat", namespace, Progressing=("False", "NameTaken"))
    admin.delete(*SERVICE, "chat", namespace)
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))


def test_an_object_of_somebody_else_that_has_our_label_is_left_alone(admin: Admin, namespace: str) -> None:
    labels = {"pointsman.dev/deployment": "chat", "app.kubernetes.io/managed-by": "pointsman"}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes", "labels": labels}}
    before = intent(admin.create({**theirs, "data": {"precious": "yes"}}, namespace))
    admin.create(own("chat"), namespace)
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))
    assert intent(admin.get(*CONFIG_MAP, "notes", namespace)) == before


def test_a_child_whose_labels_were_taken_is_still_ours(admin: Admin, namespace: str) -> None:
    admin.create(own("chat"), namespace)
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))
    bare = {"metadata": {"labels": {"pointsman.dev/deployment": None}}}
    admin.patch(*SERVICE, "chat", bare, namespace)
    admin.wait_for(
        *SERVICE,
        "chat",
        namespace,
        until=lambda one: one["metadata"]["labels"].get("pointsman.dev/deployment") == "chat",
    )


def test_what_an_admission_policy_refuses_is_said_and_tried_again(admin: Admin, namespace: str) -> None:
    name = f"no-services-in-{namespace}"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["services"],
                    }
                ]
            },
            "validations": [{"expression": "false", "message": "no Services here"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
            },
        },
    }
    admin.create(policy)
    admin.create(binding)
    try:
        eventually(lambda: refuses_services(admin, namespace), 30, "the policy holds")
        admin.create(own("chat"), namespace)
        found = wait_until(admin, "chat", namespace, Progressing=("False", "Refused"))
        said = message(found, "Progressing")
        assert said.startswith("Service chat: ")
        assert "no Services here" in said
        assert conditions(found)["Ready"] == ("False", "Refused")
    finally:
        for one in (binding, policy):
            admin.delete(str(one["apiVersion"]), str(one["kind"]), name)
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))


def refuses_services(admin: Admin, namespace: str) -> bool:
    try:
        admin.create(STRANGERS["Service"], namespace)
    except Exception as error:
        return "no Services here" in str(error)
    admin.delete(*SERVICE, "chat", namespace)
    return False


def test_a_quota_that_keeps_pods_away_is_said(admin: Admin, namespace: str) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    admin.create(quota, namespace)
    admin.wait_for("v1", "ResourceQuota", "none", namespace, until=lambda one: "hard" in one["status"])
    admin.create(own("chat"), namespace)
    found = wait_until(admin, "chat", namespace, Progressing=("False", "PodsRefused"))
    assert "exceeded quota" in message(found, "Progressing")
    admin.delete("v1", "ResourceQuota", "none", namespace)
    wait_until(admin, "chat", namespace, within_seconds=120, Progressing=("True", "Complete"))


def test_a_name_that_another_models_objects_have_is_taken(admin: Admin, namespace: str) -> None:
    """Else each of the two would write over what the other one wrote, for ever."""
    admin.create(own("my.model"), namespace)
    wait_until(admin, "my.model", namespace, Progressing=("True", "Complete"))
    admin.create(own(base_name("my.model")), namespace)
    found = wait_until(admin, base_name("my.model"), namespace, Progressing=("False", "NameTaken"))
    assert f"{base_name('my.model')} is of ModelDeployment my.model" in message(found, "Progressing")
    wait_until(admin, "my.model", namespace, Progressing=("True", "Complete"))
