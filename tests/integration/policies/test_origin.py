"""What the pods of a deployment come of is written by Pointsman alone, whatever the role `edit` may write."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pointsman.policy.packs import shipped_library
from tests.integration.policies.editors import editor_under, let_edit
from tests.integration.policies.saying import said_by
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import JSON_PATCH, MERGE
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR, SYSTEM
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("definitions")

Json = dict[str, Any]

_OURS = {"pointsman.dev/deployment": "chat"}
_MADE = {**_OURS, "app.kubernetes.io/managed-by": "pointsman"}
_APPS = "/apis/apps/v1/namespaces/{}"
_PODS = "/api/v1/namespaces/{}/pods"
_REFUSED = "[SEC-13]"


@pytest.fixture
def editor(control_plane: ControlPlane, namespace: str) -> Iterator[Admin]:
    """Has Kubernetes' role `edit` in the test's namespace; SEC-13 is enforced there but for "old"."""
    others = sorted(set(shipped_library().packs["baseline-security"].rules) - {"SEC-13"})
    exception = {
        "id": "EXC-1",
        "rules": ["SEC-13"],
        "match": {"names": ["old"]},
        "until": "2999-01-01T00:00:00Z",
        "reason": "moves",
        "approvedBy": "security",
    }
    packs = [{"name": "baseline-security", "exclude": others}]
    with editor_under(control_plane, namespace, packs=packs, exceptions=[exception]) as user:
        asked = partial(_post, user, f"{_APPS.format(namespace)}/deployments", _workload("new"), dry=True)
        eventually(lambda: _REFUSED in said_by(asked), 60, "it is in force")
        yield user


def test_an_editor_writes_no_workload_whose_pods_are_a_deployments(
    control_plane: ControlPlane, admin: Admin, editor: Admin, namespace: str
) -> None:
    """Arguments, weights and places of its pods would be none that any rule was asked of."""
    apps = _APPS.format(namespace)
    admin.create(_workload("chat"), namespace)
    args = [{"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["--trust-remote-code"]}]

    for kind in ("Deployment", "ReplicaSet", "StatefulSet"):
        made = partial(_post, editor, f"{apps}/{kind.lower()}s", _workload("other", kind))
        assert _REFUSED in said_by(made)
    changed = partial(editor.request, "PATCH", f"{apps}/deployments/chat", args, content_type=JSON_PATCH)
    assert _REFUSED in said_by(changed)
    scale = {"spec": {"replicas": 100}}
    for path in ("deployments/chat", "deployments/chat/scale"):
        scaled = partial(editor.request, "PATCH", f"{apps}/{path}", scale, content_type=MERGE)
        assert _REFUSED in said_by(scaled)
    # A HorizontalPodAutoscaler is anybody's, and asks as an account of Kubernetes' own.
    path = f"{apps}/deployments/chat/scale"
    named = {"name": "chat", "namespace": namespace}
    wanted = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": named, **scale}
    with Admin(control_plane.account_access("kube-system", "horizontal-pod-autoscaler")) as autoscaler:
        assert _REFUSED in said_by(partial(autoscaler.request, "PUT", path, wanted))


def test_controllers_of_kubernetes_and_others_workloads_go_on(
    admin: Admin, editor: Admin, namespace: str
) -> None:
    admin.create(_workload("chat", replicas=1), namespace)
    eventually(lambda: admin.list("v1", "Pod", namespace), 60, "controllers made the replica")
    editor.create(_workload("plain", labels={"app": "plain"}), namespace)
    scale = {"spec": {"replicas": 2}}
    editor.patch("apps/v1", "Deployment", "plain", scale, namespace)
    editor.patch("apps/v1", "Deployment", "plain", scale, namespace, subresource="scale")
    editor.patch("apps/v1", "Deployment", "chat", {"metadata": {"labels": {"any": "other"}}}, namespace)
    editor.create(_workload("of-old", labels={"pointsman.dev/deployment": "old"}), namespace)
    editor.delete("apps/v1", "Deployment", "chat", namespace)
    eventually(
        lambda: not admin.list("v1", "Pod", namespace, labels="pointsman.dev/deployment=chat"), 60, "gone"
    )


def test_the_operator_and_the_controller_of_groups_write_what_is_theirs(
    control_plane: ControlPlane, admin: Admin, editor: Admin, namespace: str
) -> None:
    with Admin(control_plane.account_access(SYSTEM, OPERATOR)) as operator:
        operator.create(_workload("chat"), namespace)
        operator.patch("apps/v1", "Deployment", "chat", {"spec": {"replicas": 2}}, namespace)
    groups = "lws-controller-manager"
    admin.create(_account(groups), "default")
    let_edit(admin, namespace, "groups", {"kind": "ServiceAccount", "name": groups, "namespace": "default"})
    owner = {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "name": "chat",
        "uid": "3f2a9f0e-6c1e-4a52-9a54-1f0c2c9d7b10",
        "controller": True,
    }
    owned = _workload("group", "StatefulSet")
    owned["metadata"]["ownerReferences"] = [owner]
    path = f"{_APPS.format(namespace)}/statefulsets"
    with Admin(control_plane.account_access("default", groups)) as controller:
        assert said_by(partial(_post, controller, path, owned, dry=True)) == ""
        assert _REFUSED in said_by(partial(_post, controller, path, _workload("group", "StatefulSet")))
    assert _REFUSED in said_by(partial(_post, editor, path, owned))


def test_no_pod_passes_for_a_replica_by_an_owner_that_its_writer_states(
    admin: Admin, editor: Admin, namespace: str
) -> None:
    """A controller lets go of a pod that its selector does not match: the pod stays, with its label."""
    admin.create(_workload("chat", replicas=0), namespace)
    (owner,) = eventually(
        lambda: admin.list("apps/v1", "ReplicaSet", namespace), 60, "the ReplicaSet is there"
    )
    stated = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "forged", "labels": _OURS, "ownerReferences": [stated]},
        "spec": _POD,
    }
    assert _REFUSED in said_by(partial(_post, editor, _PODS.format(namespace), pod))

    editor.create(_workload("plain", "ReplicaSet", labels={"app": "plain"}, replicas=1), namespace)
    (found,) = eventually(
        lambda: admin.list("v1", "Pod", namespace, labels="app=plain"), 60, "a pod of somebody's ReplicaSet"
    )
    label = {"metadata": {"labels": _OURS}}
    named = found["metadata"]["name"]
    assert _REFUSED in said_by(partial(editor.patch, "v1", "Pod", named, label, namespace))


def test_an_editor_has_none_of_the_rights_by_which_pointsman_is_known(editor: Admin, namespace: str) -> None:
    """Nor may it name addresses as replicas, which no rule sees."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for verb, group, resource, subresource in (
        ("patch", "pointsman.dev", "modeldeployments", "status"),
        ("create", "discovery.k8s.io", "endpointslices", ""),
        ("update", "", "namespaces", ""),
    ):
        asked = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**asked, "namespace": namespace}},
        }
        assert not editor.request("POST", path, review)["status"]["allowed"], asked


def test_files_that_engines_read_are_changed_by_pointsman_alone(
    admin: Admin, editor: Admin, namespace: str
) -> None:
    """The list of adapters is one of them."""
    ours = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "chat", "labels": _MADE},
        "data": {"a": "1"},
    }
    admin.create(ours, namespace)
    admin.create({**ours, "metadata": {"name": "other", "labels": _OURS}}, namespace)

    changed = {"data": {"a": "2"}}
    assert _REFUSED in said_by(partial(editor.patch, "v1", "ConfigMap", "chat", changed, namespace))
    assert _REFUSED in said_by(partial(editor.delete, "v1", "ConfigMap", "chat", namespace))
    editor.patch("v1", "ConfigMap", "chat", {"metadata": {"annotations": {"any": "other"}}}, namespace)
    editor.patch("v1", "ConfigMap", "other", changed, namespace)


def test_what_goes_with_its_owner_goes(admin: Admin, editor: Admin, namespace: str) -> None:
    """The garbage collector deletes it, as nobody but Pointsman else may."""
    admin.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}}, namespace)
    uid = admin.get("v1", "ConfigMap", "owner", namespace)["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    owned = {"name": "chat", "labels": _MADE, "ownerReferences": [owner]}
    admin.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": owned}, namespace)

    editor.delete("v1", "ConfigMap", "owner", namespace)

    eventually(lambda: admin.find("v1", "ConfigMap", "chat", namespace) is None, 90, "it went with its owner")


def test_whom_gateways_ask_and_whom_pods_reach_is_said_by_pointsman_alone(
    admin: Admin, editor: Admin, namespace: str
) -> None:
    """With a Service's selector its gateways would go to any pods."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "chat", "labels": _MADE},
        "spec": {"clusterIP": "None", "selector": _OURS, "ports": [{"port": 8000}]},
    }
    network = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "chat", "labels": _MADE},
        "spec": {"podSelector": {"matchLabels": _OURS}, "policyTypes": ["Egress"]},
    }
    for manifest, changed in (
        (service, {"spec": {"selector": {"app": "plain"}}}),
        (network, {"spec": {"egress": [{}]}}),
    ):
        admin.create(manifest, namespace)
        named = str(manifest["apiVersion"]), str(manifest["kind"]), "chat"
        assert _REFUSED in said_by(partial(editor.patch, *named, changed, namespace))
        assert _REFUSED in said_by(partial(editor.delete, *named, namespace))
    other = {**service, "metadata": {"name": "other", "labels": _OURS}}
    assert _REFUSED in said_by(partial(_post, editor, f"/api/v1/namespaces/{namespace}/services", other))
    editor.create({**service, "metadata": {"name": "other"}}, namespace)
    editor.delete("v1", "Service", "other", namespace)


_POD = {"containers": [{"name": "engine", "image": "registry.example.com/engine"}]}


def _account(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def _workload(name: str, kind: str = "Deployment", labels: Json = _OURS, replicas: int | None = None) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _POD},
        },
    }


def _post(user: Admin, path: str, wanted: Json, dry: bool = False) -> Any:
    return user.request("POST", path, wanted, parameters={"dryRun": "All"} if dry else {})
