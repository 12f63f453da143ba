"""Two installations of Pointsman that act on one namespace, which nobody meant."""

from __future__ import annotations

from typing import Any

from pointsman.controller.installations import INSTALLATION
from tests.integration.operator.deployments import API, KIND, own, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import SYSTEM, OperatorProcess
from tests.support.polling import eventually

Json = dict[str, Any]
POLICY = ("networking.k8s.io/v1", "NetworkPolicy")


def holder(policy: Json) -> str:
    return str(policy["metadata"]["annotations"][INSTALLATION])


def test_who_was_taken_over_from_names_the_other_and_leaves_it_alone(
    admin: Admin, namespace: str, control_plane: ControlPlane, operator: OperatorProcess
) -> None:
    admin.create(own("chat"), namespace)
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))
    assert holder(admin.get(*POLICY, "chat", namespace)) == f"{SYSTEM}/pointsman-operator"
    other = OperatorProcess(
        "another", control_plane.kubeconfig(), control_plane.folder / "another.log", ("--lease", "another")
    )
    since = control_plane.audit.mark()
    with other:

        def is_said() -> bool:
            events = admin.list("events.k8s.io/v1", "Event", namespace)
            notes = [one["note"] for one in events if one["reason"] == "AnotherInstallation"]
            return any(f"lease {SYSTEM}/another " in note for note in notes)

        eventually(is_said, 60, "the first installation names the other")
        eventually(lambda: "another_installation" in operator.log_tail(), 30, "it logs it")
        changed = admin.patch(API, KIND, "chat", {"spec": {"replicas": 2}}, namespace)
        eventually(lambda: _is_seen(admin, namespace, changed), 60, "the other goes on with it")
        assert holder(admin.get(*POLICY, "chat", namespace)) == f"{SYSTEM}/another"
        made = control_plane.audit.requests(since, writes_only=True)
        writes = [one for one in made if (one.resource, one.namespace) == ("networkpolicies", namespace)]
        # What was created is noted as applied first.
        assert len(writes) <= 2


def _is_seen(admin: Admin, namespace: str, changed: Json) -> bool:
    status = admin.get(API, KIND, "chat", namespace)["status"]
    return bool(status["observedGeneration"] == changed["metadata"]["generation"])
