"""Ways around a rule, tried by a user who may edit everything in a namespace but policies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pointsman.policy.packs import shipped_library
from tests.integration.policies.editors import editor_under
from tests.integration.policies.saying import API, deployment, refusal, said_by
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import APPLY, JSON_PATCH, MERGE, STRATEGIC
from tests.support.cluster.control_plane import ControlPlane
from tests.support.policies import rule
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("definitions")

Json = dict[str, Any]


def _all_but(pack: str, *rules: str) -> list[str]:
    return sorted(set(shipped_library().packs[pack].rules) - set(rules))


_RULES = [
    rule("MODEL-1"),
    rule("ROUTE-1", kinds=["ModelRoute"], expression="has(object.spec.authentication)"),
]
_PACKS = [
    {"name": "baseline-security", "exclude": _all_but("baseline-security", "SEC-01", "SEC-02", "SEC-05")},
    {
        "name": "supply-chain",
        "exclude": _all_but("supply-chain", "SUP-02"),
        "parameters": {"registries": "registry.example.com"},
    },
]
_FORGED = {"deletionTimestamp": "2020-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0}
_OWNER = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "any",
    "uid": "7a3f6a54-0d1f-4d7e-9a1c-0b8c5a9d2f10",
}
_MODELS = "/apis/pointsman.dev/v1alpha1/namespaces/{}/modeldeployments"
_ROUTES = "/apis/pointsman.dev/v1alpha1/namespaces/{}/modelroutes"
_PODS = "/api/v1/namespaces/{}/pods"


@pytest.fixture
def editor(control_plane: ControlPlane, namespace: str) -> Iterator[Admin]:
    """Has Kubernetes' role `edit` in the test's namespace, in which the rules are enforced."""
    with editor_under(control_plane, namespace, rules=_RULES, packs=_PACKS) as user:
        eventually(lambda: "MODEL-1" in refusal(user, deployment("new"), namespace), 60, "it is in force")
        eventually(lambda: "ROUTE-1" in _refused(user, namespace, _route("new")), 60, "for routes")
        eventually(lambda: "SUP-02" in _refused(user, namespace, _pod("new", "evil")), 60, "for pods")
        yield user


def _refused(user: Admin, namespace: str, wanted: Json) -> str:
    path = _ROUTES if wanted["kind"] == "ModelRoute" else _PODS
    return said_by(
        partial(user.request, "POST", path.format(namespace), wanted, parameters={"dryRun": "All"})
    )


_PATCHES: list[tuple[str, Any]] = [
    (MERGE, {"spec": {"license": None}}),
    (MERGE, {"metadata": {"ownerReferences": [_OWNER], "finalizers": ["a/b"]}, "spec": {"license": None}}),
    (MERGE, {"metadata": {"managedFields": [{}], "labels": None}, "spec": {"license": None}}),
    (JSON_PATCH, [{"op": "remove", "path": "/spec/license"}]),
    (APPLY, deployment("kept")),
    (APPLY, deployment("new")),
]
_INVALID_PATCHES: list[tuple[str, Any]] = [
    (MERGE, {"metadata": _FORGED, "spec": {"license": None}}),
    (JSON_PATCH, [{"op": "move", "from": "/spec/license", "path": "/spec/tier"}]),
    (APPLY, deployment("kept", license=None)),
    (APPLY, deployment("new", license=None, unknown={"license": "mit"})),
]


@pytest.mark.parametrize("dry", [{}, {"dryRun": "All"}], ids=["", "dry"])
def test_no_patch_makes_a_model_break_a_rule(editor: Admin, namespace: str, dry: Json) -> None:
    path = _MODELS.format(namespace)
    applied = {"fieldManager": "kubectl", "force": "true"}
    kept = deployment("kept", license="mit", tier="brain")
    editor.request("PATCH", f"{path}/kept", kept, content_type=APPLY, parameters=applied)
    for content_type, body in (*_PATCHES, *_INVALID_PATCHES):
        is_applied = content_type == APPLY
        name = body["metadata"]["name"] if is_applied else "kept"
        ask = partial(editor.request, "PATCH", f"{path}/{name}", body, content_type=content_type)

        said = said_by(partial(ask, parameters={**(applied if is_applied else {}), **dry}))

        assert ("[MODEL-1]" in said) == ((content_type, body) in _PATCHES), said
        assert said
    assert editor.get(API, "ModelDeployment", "kept", namespace)["spec"]["license"] == "mit"
    assert editor.find(API, "ModelDeployment", "new", namespace) is None


def test_no_creation_brings_what_breaks_a_rule(editor: Admin, namespace: str) -> None:
    owned: Json = {"ownerReferences": [_OWNER]}
    cleared: Json = {"managedFields": [{}]}
    named: list[Json] = [{"name": "", "generateName": "new-"}, owned, _FORGED, cleared]
    for metadata in named:
        for also in ({}, {"status": {"readyReplicas": 1}}, {"scale": {"spec": {"replicas": 1}}}):
            wanted = {**deployment("new", metadata=metadata), **also}
            said = said_by(partial(editor.request, "POST", _MODELS.format(namespace), wanted))
            assert "[MODEL-1]" in said


def test_what_costs_too_much_to_judge_is_refused_and_nothing_else(editor: Admin, namespace: str) -> None:
    path = _MODELS.format(namespace)
    args = [f"--{'a' * 4090}{number}" for number in range(64)]
    costly = deployment("new", license="mit", engine={"name": "vllm", "args": args})

    assert "cost limit exceeded" in said_by(partial(editor.request, "POST", path, costly))
    editor.create(deployment("kept", license="mit"), namespace)


@pytest.mark.parametrize("kind", ["ModelDeployment", "ModelRoute"])
def test_what_is_being_deleted_is_held_to_the_rules(editor: Admin, namespace: str, kind: str) -> None:
    """With a finalizer of one's own it stays for ever, and gateways route what is there."""
    kept = (
        deployment("kept", license="mit")
        if kind == "ModelDeployment"
        else _route("kept", authentication=_KEYS)
    )
    kept["metadata"]["finalizers"] = ["example.com/hold"]
    editor.create(kept, namespace)
    editor.delete(API, kind, "kept", namespace)
    spec: Json = {"license": None} if kind == "ModelDeployment" else {"authentication": None}

    assert "-1]" in said_by(partial(editor.patch, API, kind, "kept", {"spec": spec}, namespace))
    editor.patch(API, kind, "kept", {"metadata": {"finalizers": None}}, namespace)
    assert editor.find(API, kind, "kept", namespace) is None


_FILTERED = {"seccompProfile": {"type": "RuntimeDefault"}}
_SECURE = {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_KEYS = {"apiKeys": {"secretSelector": {"matchLabels": {"team": "a"}}}}
_LABEL = {"pointsman.dev/deployment": "chat"}


def test_a_pod_that_is_labelled_later_is_held_to_the_rules(editor: Admin, namespace: str) -> None:
    """A Service and its gateways take it for a replica from then on."""
    path = f"{_PODS.format(namespace)}/other"
    editor.create(_pod("other", "evil", labels={}), namespace)
    applied = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "labels": _LABEL}}
    patches: list[tuple[str, Any, Json]] = [
        (MERGE, {"metadata": {"labels": _LABEL}}, {}),
        (STRATEGIC, {"metadata": {"labels": _LABEL}}, {}),
        (JSON_PATCH, [{"op": "add", "path": "/metadata/labels", "value": _LABEL}], {}),
        (APPLY, applied, {"fieldManager": "kubectl", "force": "true"}),
    ]
    for content_type, body, parameters in patches:
        ask = partial(editor.request, "PATCH", path, body, content_type=content_type)
        assert "[SUP-02]" in said_by(partial(ask, parameters=parameters))
    live = editor.get("v1", "Pod", "other", namespace)
    live["metadata"]["labels"] = _LABEL
    assert "[SUP-02]" in said_by(partial(editor.request, "PUT", path, live))

    editor.patch("v1", "Pod", "other", {"metadata": {"labels": {"any": "other"}}}, namespace)


def test_a_replica_whose_image_is_exchanged_is_held_to_the_rules(editor: Admin, namespace: str) -> None:
    editor.create(_pod("replica", "registry.example.com/engine"), namespace)
    images = [{"op": "replace", "path": "/spec/containers/0/image", "value": "evil"}]

    said = said_by(partial(editor.patch, "v1", "Pod", "replica", images, namespace, content_type=JSON_PATCH))

    assert "[SUP-02]" in said
    moved = {"metadata": {"labels": {"pointsman.dev/deployment": "another"}}}
    editor.patch("v1", "Pod", "replica", moved, namespace)


def test_a_container_for_debugging_is_held_to_the_rules(admin: Admin, editor: Admin, namespace: str) -> None:
    """Whom a role beside `edit` lets add one; it sees what the others see."""
    editor.create(_pod("replica", "registry.example.com/engine"), namespace)
    good = _container("registry.example.com/debug")
    privileged = {**_SECURE, "privileged": True, "allowPrivilegeEscalation": True}
    token = {"env": [{"name": "HF_TOKEN", "value": "of somebody"}]}
    wrong = {
        "SUP-02": {**good, "image": "evil"},
        "SEC-01": {**good, "securityContext": privileged},
        "SEC-02": {**good, "securityContext": {**_SECURE, "runAsUser": 0}},
        "SEC-05": {**good, **token},
    }

    def add(container: Json) -> None:
        added = {"spec": {"ephemeralContainers": [{**container, "name": "debug"}]}}
        admin.patch(
            "v1",
            "Pod",
            "replica",
            added,
            namespace,
            content_type=STRATEGIC,
            subresource="ephemeralcontainers",
        )

    for container in wrong.values():
        said = said_by(partial(add, container))
        assert any(f"[{id_}]" in said for id_ in wrong), said
    add(good)


def test_an_old_pod_that_breaks_a_rule_can_be_labelled_adopted_and_freed(
    admin: Admin, editor: Admin, namespace: str
) -> None:
    old = _pod("old", "evil", labels={})
    old["metadata"]["finalizers"] = ["example.com/hold"]
    admin.create(old, namespace)
    owner = {**_OWNER, "controller": True}

    editor.patch("v1", "Pod", "old", {"metadata": {"labels": {"any": "other"}}}, namespace)
    editor.patch("v1", "Pod", "old", {"metadata": {"ownerReferences": [owner]}}, namespace)
    editor.delete("v1", "Pod", "old", namespace, grace_seconds=0)
    editor.patch("v1", "Pod", "old", {"metadata": {"finalizers": None}}, namespace)

    assert editor.find("v1", "Pod", "old", namespace) is None


def _route(name: str, **spec: Any) -> Json:
    target = {"deployment": "chat"}
    return {
        "apiVersion": API,
        "kind": "ModelRoute",
        "metadata": {"name": name},
        "spec": {"models": [name], "rules": [{"targets": [target]}], **spec},
    }


def _pod(name: str, image: str, labels: Json | None = None) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"pointsman.dev/deployment": "chat"} if labels is None else labels,
        },
        "spec": {"securityContext": _FILTERED, "containers": [_container(image)]},
    }


def _container(image: str) -> Json:
    return {"name": "engine", "image": image, "securityContext": _SECURE}
