"""Pods and nodes that come to grief on a process node, as on a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conditions import facts, seen
from tests.integration.pods import SHELL, node_settings, pod, shell
from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import NodeSettings, ProcessNode
from tests.support.polling import eventually_async

Json = dict[str, Any]


@pytest.fixture
async def node(control_plane: ControlPlane) -> AsyncIterator[ProcessNode]:
    async with ProcessNode.of(control_plane, node_settings()) as running:
        yield running


async def test_all_that_a_container_started_ends_with_its_first_process(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("parent", shell("setsid sleep 298 & exec sleep 299"), restartPolicy="Never"), namespace)
    await seen(admin, namespace, "parent", ready=True)
    first = psutil.Process(node.container(namespace, "parent", "main").pid)

    def left_behind() -> list[psutil.Process]:
        return [child for child in first.children(recursive=True) if child.cmdline() == ["sleep", "298"]]

    (other,) = await eventually_async(left_behind, 30, "its child runs")
    first.kill()
    await seen(admin, namespace, "parent", phase="Failed", exit_code=137)
    await eventually_async(lambda: not other.is_running(), 30, "its child is gone")


async def test_an_evicted_pod_stays_as_failed_and_says_why(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("evicted", shell("sleep 300")), namespace)
    await seen(admin, namespace, "evicted", ready=True)
    node.evict(namespace, "evicted")
    found = await seen(admin, namespace, "evicted", phase="Failed", reason="Evicted", ready=False)
    assert facts(found)["conditions"]["DisruptionTarget"] == "True"
    admin.delete("v1", "Pod", "evicted", namespace)
    await eventually_async(lambda: admin.find("v1", "Pod", "evicted", namespace) is None, 30, "it is gone")


async def test_a_container_without_memory_is_said_to_be_killed_for_it(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("large", shell("sleep 300"), restartPolicy="Never"), namespace)
    await seen(admin, namespace, "large", ready=True)
    node.container(namespace, "large", "main").out_of_memory()
    found = await seen(admin, namespace, "large", phase="Failed", exit_code=137)
    assert found["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled"


async def test_a_node_that_vanishes_leaves_its_pods_behind_and_no_process(
    control_plane: ControlPlane, admin: Admin, namespace: str, tmp_path: Path
) -> None:
    settings = NodeSettings(name="node-b", images=(SHELL,))
    node = ProcessNode.of(control_plane, settings, folder=tmp_path)
    async with node:
        admin.create(pod("left", shell("sleep 300"), nodeName="node-b"), namespace)
        await seen(admin, namespace, "left", ready=True)
        child = psutil.Process(node.container(namespace, "left", "main").pid)
        node.vanish()
        await eventually_async(lambda: not child.is_running(), 30, "its process is gone")
    assert facts(admin.get("v1", "Pod", "left", namespace))["ready"]
    assert admin.find("v1", "Node", "node-b") is not None
    admin.delete("v1", "Node", "node-b")


async def test_pods_survive_an_api_server_that_is_away_and_are_told_of_afterwards() -> None:
    options = Options(controller_manager=False, scheduler=False)
    settings = NodeSettings(name="node", images=(SHELL,), restart_backoff_seconds=0.2, resync_seconds=0.2)
    plane = await asyncio.to_thread(ControlPlane.start, options)
    with plane:
        async with ProcessNode.of(plane, settings) as node:
            plane.admin.create(pod("stays", shell("sleep 300"), nodeName="node"))
            plane.admin.create(pod("ends", shell("read line < /dev/null; sleep 2"), nodeName="node"))
            await seen(plane.admin, "default", "stays", ready=True)
            await seen(plane.admin, "default", "ends", ready=True)
            before = node.container("default", "stays", "main").pid
            plane.component("kube-apiserver").kill()
            ends = node.container("default", "ends", "main")
            restarts = ends.state.restart_count
            await eventually_async(lambda: ends.state.restart_count > restarts, 30, "one ends meanwhile")
            plane.component("kube-apiserver").start()
            await asyncio.to_thread(plane.wait_ready)

            def told() -> bool:
                found = plane.admin.get("v1", "Pod", "ends")
                return int(found["status"]["containerStatuses"][0]["restartCount"]) > restarts

            await eventually_async(told, 30, "its restart is told")
            assert node.container("default", "stays", "main").pid == before
            assert facts(plane.admin.get("v1", "Pod", "stays"))["restarts"] == 0
