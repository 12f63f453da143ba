"""Writes that arrive late: when another one leads, or when the name is another object's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from aiohttp import web

from tests.integration.operator.by_way_of import operator_behind, proxied
from tests.integration.operator.deployments import (
    API,
    KIND,
    WORKLOAD,
    own,
    scale,
    wait_for_replicas,
    wait_until,
)
from tests.integration.operator.lease import holder, resume_until_lost
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import Forward
from tests.support.cluster.installation import Installation
from tests.support.polling import eventually

_HELD_SECONDS = 120.0


class HeldWrite:
    """Holds a write back until `release`; `once_held` is done when the operator has sent it."""

    def __init__(self, once_held: Callable[[], object] = lambda: None) -> None:
        self.is_held = threading.Event()
        self.is_through = threading.Event()
        self.answer = 0
        self._once_held = once_held
        self._released = threading.Event()

    def release(self) -> None:
        self._released.set()

    async def fault(self, _request: web.Request, forward: Forward) -> web.StreamResponse:
        self._once_held()
        self.is_held.set()
        await asyncio.to_thread(self._released.wait, _HELD_SECONDS)
        answer = await forward()
        self.answer = answer.status
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
        stopped = HeldWrite(former.pause)
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
            resume_until_lost(former)
            assert proxy.count("PATCH") == before
            assert holder(admin) == "operator-next"
            found = wait_until(admin, "chat", namespace, 60, Progressing=("True", "Complete"))
            assert found["status"]["replicas"] == 3
            assert admin.get(*WORKLOAD, "chat", namespace)["spec"]["replicas"] == 3


def test_a_status_is_not_said_of_the_next_object_with_its_name(
    admin: Admin, namespace: str, control_plane: ControlPlane, installation: Installation
) -> None:
    with proxied(control_plane) as proxy, operator_behind(control_plane, proxy, "operator-0"):
        admin.create(own("chat", replicas=3), namespace)
        wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
        late = HeldWrite()
        proxy.inject(late.fault, method="PATCH", path=f"/namespaces/{namespace}/modeldeployments/chat/status")
        scale(admin, namespace, 2)
        assert late.is_held.wait(60)
        admin.delete(API, KIND, "chat", namespace)
        admin.create(own("chat"), namespace)
        late.release()
        assert late.is_through.wait(60)
        assert late.answer == 409
        found = wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
        assert found["status"]["replicas"] == 1
