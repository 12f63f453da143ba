"""What becomes of a ModelDeployment on a real API server, with the rights of the chart's account alone."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest

from tests.integration.operator.deployments import (
    API,
    KIND,
    WORKLOAD,
    conditions,
    message,
    own,
    take_replicas_twice,
    wait_for_replicas,
    wait_until,
)
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR_USER, Installation, OperatorProcess, kubectl
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("operator")

Json = dict[str, Any]


def test_everything_that_it_needs_is_made_and_owned_by_it(admin: Admin, namespace: str) -> None:
    made = admin.create(own("chat", replicas=2), namespace)
    wait_until(admin, "chat", namespace, Placed=("True", "Placed"))
    for api_version, kind in (
        WORKLOAD,
        ("v1", "Service"),
        ("policy/v1", "PodDisruptionBudget"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
    ):
        child = admin.wait_for(api_version, kind, "chat", namespace)
        [owner] = child["metadata"]["ownerReferences"]
        assert owner["uid"] == made["metadata"]["uid"], kind
        assert owner["controller"] is True, kind
    [revision] = admin.list("apps/v1", "ControllerRevision", namespace)
    assert revision["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]


def test_kubectl_scale_is_followed_and_never_reverted(
    admin: Admin, namespace: str, control_plane: ControlPlane
) -> None:
    admin.create(own("chat"), namespace)
    admin.wait_for(*WORKLOAD, "chat", namespace)
    kubectl(
        control_plane.kubeconfig(),
        "-n",
        namespace,
        "scale",
        "modeldeployments.pointsman.dev/chat",
        "--replicas=3",
    )
    wait_for_replicas(admin, namespace, 3)
    found = admin.get(API, KIND, "chat", namespace)
    assert found["spec"]["replicas"] == 3
    managers = {
        entry["manager"] for entry in found["metadata"]["managedFields"] if "f:spec" in entry["fieldsV1"]
    }
    assert "pointsman-operator" not in managers


def test_a_budget_comes_with_a_second_replica_and_goes_with_it(admin: Admin, namespace: str) -> None:
    budget = ("policy/v1", "PodDisruptionBudget", "chat", namespace)
    admin.create(own("chat"), namespace)
    wait_for_replicas(admin, namespace, 1)
    assert admin.find(*budget) is None
    admin.patch(API, KIND, "chat", {"spec": {"replicas": 2}}, namespace)
    wait_for_replicas(admin, namespace, 2)
    assert admin.get(*budget)["spec"]["maxUnavailable"] == 1
    admin.patch(API, KIND, "chat", {"spec": {"replicas": 1}}, namespace)
    admin.wait_gone(*budget)


def test_kubectl_shows_what_people_look_for(
    admin: Admin, namespace: str, control_plane: ControlPlane
) -> None:
    admin.create(own("chat"), namespace)
    waited = ("wait", "--for=condition=Ready", "modeldeployments.pointsman.dev/chat", "--timeout=120s")
    kubectl(control_plane.kubeconfig(), "-n", namespace, *waited)
    shown = kubectl(control_plane.kubeconfig(), "-n", namespace, "get", "pointsman")
    header, line = shown.splitlines()[:2]
    assert header.split() == ["NAME", "READY", "MODEL", "ENGINE", "ACCELERATOR", "REPLICAS", "DESIRED", "AGE"]
    shown_as = ["modeldeployment.pointsman.dev/chat", "True", "gemma:1#weights.gguf", "llama.cpp", "cpu"]
    assert line.split()[:5] == shown_as


def test_what_is_wanted_no_more_goes_from_what_was_made(admin: Admin, namespace: str) -> None:
    """The API server notes of what is created no apply, which a later one would take fields back by."""
    env = [{"name": "KEPT", "value": "1"}, {"name": "GONE", "value": "1"}]
    admin.create(own("chat", engine={"name": "llama.cpp", "env": env}), namespace)
    made = admin.wait_for(*WORKLOAD, "chat", namespace)
    assert {"KEPT", "GONE"} <= set(variables(made))
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))
    admin.patch(API, KIND, "chat", {"spec": {"engine": {"env": env[:1]}}}, namespace)
    changed = admin.wait_for(*WORKLOAD, "chat", namespace, until=lambda found: "GONE" not in variables(found))
    assert "KEPT" in variables(changed)
    ours = {
        (entry["manager"], entry["operation"])
        for entry in changed["metadata"]["managedFields"]
        if entry["manager"].startswith("pointsman")
    }
    assert ours == {("pointsman-operator", "Apply")}


def variables(workload: Json) -> list[str]:
    [engine] = [one for one in workload["spec"]["template"]["spec"]["containers"] if one["name"] == "engine"]
    return [one["name"] for one in engine.get("env", ())]


def test_a_mistake_is_said_and_what_ran_goes_on(admin: Admin, namespace: str) -> None:
    admin.create(own("chat"), namespace)
    before = admin.wait_for(*WORKLOAD, "chat", namespace)
    wrong = {"spec": {"engine": {"args": ["--port=1234"]}}}
    admin.patch(API, KIND, "chat", wrong, namespace)
    found = wait_until(admin, "chat", namespace, Progressing=("False", "InvalidSpec"))
    assert "--port" in message(found, "Progressing")
    after = admin.get(*WORKLOAD, "chat", namespace)
    assert after["spec"] == before["spec"]
    admin.patch(API, KIND, "chat", {"spec": {"engine": {"args": None}}}, namespace)
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))


def test_a_first_mistake_makes_nothing(admin: Admin, namespace: str) -> None:
    admin.create(own("chat", engine={"name": "llama.cpp", "args": ["--port=1"]}), namespace)
    found = wait_until(admin, "chat", namespace, Progressing=("False", "InvalidSpec"))
    assert conditions(found)["Ready"] == ("False", "InvalidSpec")
    assert admin.list(*WORKLOAD, namespace) == []


def test_a_child_changed_by_hand_is_put_back(admin: Admin, namespace: str) -> None:
    admin.create(own("chat"), namespace)
    admin.wait_for(*WORKLOAD, "chat", namespace)
    admin.patch(*WORKLOAD, "chat", {"spec": {"replicas": 7}}, namespace)
    wait_for_replicas(admin, namespace, 1)


def test_who_takes_a_field_again_keeps_it_and_is_named(admin: Admin, namespace: str) -> None:
    admin.create(own("chat"), namespace)
    admin.wait_for(*WORKLOAD, "chat", namespace)
    taken = take_replicas_twice(admin, namespace)
    found = wait_until(admin, "chat", namespace, Progressing=("False", "FieldContested"))
    assert "somebody sets spec.replicas of Deployment chat" in message(found, "Progressing")
    assert admin.get(*WORKLOAD, "chat", namespace)["spec"]["replicas"] == 8
    # The other one lets go.
    admin.apply(taken, namespace, manager="somebody", force=True)
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))


def has_none(admin: Admin, kind: tuple[str, str], namespace: str) -> bool:
    return admin.list(*kind, namespace) == []


def test_deleting_it_leaves_nothing(admin: Admin, namespace: str) -> None:
    admin.create(own("chat"), namespace)
    wait_until(admin, "chat", namespace, Placed=("True", "Placed"))
    admin.delete(API, KIND, "chat", namespace)
    for kind in (WORKLOAD, ("v1", "Service"), ("apps/v1", "ControllerRevision")):
        eventually(partial(has_none, admin, kind, namespace), 60, f"{kind} are gone")


def test_one_that_is_made_again_at_once_is_brought_about(admin: Admin, namespace: str) -> None:
    """The watch tells of the end of the former one when the next one is there already."""
    names = [f"chat-{number}" for number in range(6)]
    for name in names:
        admin.create(own(name), namespace)
        admin.wait_for(*WORKLOAD, name, namespace)
    for name in names:
        admin.patch(API, KIND, name, {"spec": {"replicas": 3}}, namespace)
        admin.delete(API, KIND, name, namespace)
        admin.create(own(name, replicas=2), namespace)
    for name in names:
        found = wait_until(admin, name, namespace, Ready=("True", "ReplicasReady"))
        assert found["status"]["replicas"] == 2


def owners(child: Json) -> list[str]:
    return [owner["uid"] for owner in child["metadata"].get("ownerReferences", [])]


def test_children_of_an_orphaned_deployment_are_adopted(admin: Admin, namespace: str) -> None:
    admin.create(own("chat", replicas=2), namespace)
    before = admin.wait_for(*WORKLOAD, "chat", namespace)
    wait_until(admin, "chat", namespace, Placed=("True", "Placed"))
    admin.delete(API, KIND, "chat", namespace, propagation="Orphan")
    admin.wait_gone(API, KIND, "chat", namespace)
    made = admin.create(own("chat", replicas=2), namespace)
    after = admin.wait_for(
        *WORKLOAD,
        "chat",
        namespace,
        until=lambda d: (
            [o["uid"] for o in d["metadata"].get("ownerReferences", [])] == [made["metadata"]["uid"]]
        ),
    )
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["template"] == before["spec"]["template"]


def test_one_write_a_child_and_none_while_nothing_changes(
    admin: Admin,
    namespace: str,
    control_plane: ControlPlane,
    operator: OperatorProcess,
    installation: Installation,
) -> None:
    since = control_plane.audit.mark()
    for number in range(5):
        admin.create(own(f"chat-{number}"), namespace)
    for number in range(5):
        wait_until(admin, f"chat-{number}", namespace, Progressing=("True", "Complete"))

    def writes() -> list[str]:
        made = control_plane.audit.requests(since, user=OPERATOR_USER, writes_only=True)
        return [one.resource for one in made if one.namespace == namespace]

    eventually(lambda: writes().count("deployments") == 5, 30, "every child is written")
    # An event is written beside all else, a moment later: not after the mark.
    eventually(lambda: writes().count("events") == 5, 30, "each is told as an event")
    for child in ("services", "controllerrevisions", "networkpolicies"):
        assert writes().count(child) == 5, child
    # A restart looks at everything again and finds nothing to do.
    operator.kill()
    since = control_plane.audit.mark()
    with installation.operator():
        admin.create(own("after"), namespace)
        wait_until(admin, "after", namespace, Progressing=("True", "Complete"))
        eventually(lambda: "events" in writes(), 30, "it is told as an event")
        made = Counter(writes())
        # Placed, ready, and once between where the machine is slow.
        assert made.pop("modeldeployments/status") <= 3
        assert made == {
            "deployments": 1,
            "services": 1,
            "controllerrevisions": 1,
            "networkpolicies": 1,
            "events": 1,
        }
