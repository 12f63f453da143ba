"""Two replicas of the operator, of which one writes; and what runs is kept by whoever leads next."""

from __future__ import annotations

import copy
from urllib.request import urlopen

from tests.integration.operator.by_way_of import operator_behind, proxied
from tests.integration.operator.deployments import (
    API,
    KIND,
    message,
    own,
    scale,
    wait_for_replicas,
    wait_until,
)
from tests.integration.operator.lease import holder, resume_until_lost
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import FaultProxy
from tests.support.cluster.installation import Installation, OperatorProcess
from tests.support.polling import eventually


def writes(proxy: FaultProxy) -> int:
    """Of children and statuses."""
    return proxy.count("PATCH") + proxy.count("DELETE")


def test_one_that_stood_still_past_its_lease_writes_nothing(
    admin: Admin, namespace: str, control_plane: ControlPlane, installation: Installation
) -> None:
    with proxied(control_plane) as proxy:
        former = operator_behind(control_plane, proxy, "operator-stopped")
        with former:
            eventually(lambda: holder(admin) == "operator-stopped", 60, "the first one leads")
            admin.create(own("chat"), namespace)
            wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
            with installation.operator("operator-next"):
                former.pause()
                eventually(lambda: holder(admin) == "operator-next", 60, "the second one leads")
                before = writes(proxy)
                scale(admin, namespace, 2)
                wait_for_replicas(admin, namespace, 2)
                resume_until_lost(former)
                assert writes(proxy) == before
                assert holder(admin) == "operator-next"


def test_one_that_ends_hands_over_at_once(admin: Admin, namespace: str, installation: Installation) -> None:
    with installation.operator("operator-a") as first:
        eventually(lambda: holder(admin) == "operator-a", 60, "the first one leads")
        with installation.operator("operator-b") as second:
            eventually(lambda: shown(second, "/ready"), 60, "it could lead at once")
            first.ask_to_end()
            # A kubelet gives it 30 s; on a machine that has time it takes a fraction of a second.
            eventually(lambda: not first.is_running, 30, "the first one ends")
            # It has given the lease back, which would else run out 15 s after its last renewal.
            assert holder(admin) != "operator-a"
            eventually(lambda: holder(admin) == "operator-b", 60, "the second one leads")
            admin.create(own("chat"), namespace)
            wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))


def shown(operator: OperatorProcess, path: str) -> str:
    """A page of its own; "" while there is none, or it says that all is not well."""
    try:
        with urlopen(f"http://127.0.0.1:{operator.port}{path}", timeout=10) as answer:
            return bytes(answer.read()).decode()
    except OSError:
        return ""


def test_one_that_waits_for_its_turn_heaps_up_no_work(
    admin: Admin, namespace: str, installation: Installation
) -> None:
    """All that is there is looked at by whoever begins to lead: what it saw before would only be kept."""
    with installation.operator("operator-a"):
        eventually(lambda: holder(admin) == "operator-a", 60, "the first one leads")
        with installation.operator("operator-b") as second:
            eventually(lambda: shown(second, "/ready"), 60, "the second one is ready")
            admin.create(own("chat"), namespace)
            wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
            page = eventually(lambda: shown(second, "/metrics"), 60, "it shows its metrics")
            assert "pointsman_operator_leading 0.0" in page
            assert "pointsman_operator_queue_depth 0.0" in page


def test_replicas_that_run_are_kept_when_all_is_applied_again(
    admin: Admin, namespace: str, operator: OperatorProcess
) -> None:
    manifest = own("chat")
    del manifest["spec"]["replicas"]
    admin.apply(copy.deepcopy(manifest), namespace)
    admin.patch(API, KIND, "chat", {"spec": {"replicas": 3}}, namespace, subresource="scale")
    wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
    before = wait_for_replicas(admin, namespace, 3)
    admin.delete(API, KIND, "chat", namespace, propagation="Orphan")
    admin.wait_gone(API, KIND, "chat", namespace)
    made = admin.apply(copy.deepcopy(manifest), namespace)
    found = wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
    after = admin.wait_for(
        "apps/v1",
        "Deployment",
        "chat",
        namespace,
        until=lambda d: (
            [o["uid"] for o in d["metadata"].get("ownerReferences", ())] == [made["metadata"]["uid"]]
        ),
    )
    assert after["spec"] == before["spec"]
    assert "3 replicas are kept" in message(found, "Available")
    admin.patch(API, KIND, "chat", {"spec": {"replicas": 2}}, namespace, subresource="scale")
    wait_for_replicas(admin, namespace, 2)
    assert operator.is_running
