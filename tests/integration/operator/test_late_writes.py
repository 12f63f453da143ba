"""A leader that stands still in the middle of a write, and whose write arrives when another one leads."""

from __future__ import annotations

import asyncio
import threading

import pytest
from aiohttp import web

from tests.integration.operator.by_way_of import operator_behind, proxied
from tests.integration.operator.deployments import API, KIND, own, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import Forward
from tests.support.cluster.installation import SYSTEM, Installation, OperatorProcess
from tests.support.polling import eventually

WORKLOAD = ("apps/v1", "Deployment")
_HELD_SECONDS = 120.0


class StoppedInAWrite:
    """Stops the operator once it has sent a write, and holds that write back until `release`."""

    def __init__(self, operator: OperatorProcess) -> None:
        self.is_held = threading.Event()
        self.is_through = threading.Event()
        self._operator = operator
        self._released = threading.Event()

    def release(self) -> None:
        self._released.set()

    async def fault(self, _request: web.Request, forward: Forward) -> web.StreamResponse:
        self._operator.pause()
        self.is_held.set()
        await asyncio.to_thread(self._released.wait, _HELD_SECONDS)
        answer = await forward()
        self.is_through.set()
        return answer


@pytest.mark.timeout(300)
def test_what_the_next_leader_wrote_stays(
    admin: Admin, namespace: str, control_plane: ControlPlane, installation: Installation
) -> None:
    with proxied(control_plane) as proxy, operator_behind(control_plane, proxy, "operator-stopped") as former:
        eventually(lambda: holder(admin) == "operator-stopped", 60, "the first one leads")
        admin.create(own("chat"), namespace)
        wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
        stopped = StoppedInAWrite(former)
        proxy.inject(stopped.fault, method="PATCH", path=f"/namespaces/{namespace}/deployments/chat")
        scale(admin, namespace, 2)
        assert stopped.is_held.wait(60)
        with installation.operator("operator-next"):
            eventually(lambda: holder(admin) == "operator-next", 60, "the second one leads")
            scale(admin, namespace, 3)
            wait_for_replicas(admin, namespace, 3)
            stopped.release()
            assert stopped.is_through.wait(60)
            wait_for_replicas(admin, namespace, 3)
            before = proxy.count("PATCH")
            former.resume()
            eventually(lambda: "leadership_lost" in former.log_tail(), 60, "it knows that it lost")
            assert proxy.count("PATCH") == before
            assert holder(admin) == "operator-next"
            found = wait_until(admin, "chat", namespace, 60, Progressing=("True", "Complete"))
            assert found["status"]["replicas"] == 3
            assert admin.get(*WORKLOAD, "chat", namespace)["spec"]["replicas"] == 3


def holder(admin: Admin) -> str:
    found = admin.find("coordination.k8s.io/v1", "Lease", "pointsman-operator", SYSTEM)
    return str((found or {}).get("spec", {}).get("holderIdentity", ""))


def scale(admin: Admin, namespace: str, replicas: int) -> None:
    admin.patch(API, KIND, "chat", {"spec": {"replicas": replicas}}, namespace)


def wait_for_replicas(admin: Admin, namespace: str, count: int) -> None:
    admin.wait_for(*WORKLOAD, "chat", namespace, until=lambda one: one["spec"]["replicas"] == count)
