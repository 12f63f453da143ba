"""The process node does with a pod what a kubelet does, as far as the API and the processes show."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import aiohttp
import psutil
import pytest

from tests.integration.conditions import facts, seen
from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import GPU_TAINT, Image, NodeSettings, ProcessNode, gpu_labels
from tests.support.cluster.process_node.images import TREE, module
from tests.support.polling import eventually_async

PYTHON = Image("python:*", (sys.executable,))
SHELL = Image("shell:*", ("/bin/sh", "-c"))
SERVER = Image("server:*", module("tests.integration.container_program"), environment=TREE)

Json = dict[str, Any]


@pytest.fixture
async def node(control_plane: ControlPlane) -> AsyncIterator[ProcessNode]:
    settings = NodeSettings(
        name="node-a",
        cpu="64",
        gpus=2,
        labels=gpu_labels("NVIDIA-H100-80GB-HBM3", memory_mebibytes=81559, count=2),
        images=(PYTHON, SHELL, SERVER),
        restart_backoff_seconds=0.2,
        pull_backoff_seconds=0.5,
        resync_seconds=0.2,
    )
    async with ProcessNode.of(control_plane, settings) as running:
        yield running


def pod(name: str, *containers: Json, **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 2, **spec},
    }


def shell(script: str, name: str = "main", **fields: Any) -> Json:
    return {"name": name, "image": "shell:1", "args": [script], **fields}


async def printed(node: ProcessNode, namespace: str, name: str, wanted: str, container: str = "main") -> None:
    def look() -> bool:
        text = node.log(namespace, name, container)
        assert text == wanted, text
        return True

    await eventually_async(look, 5, f"what {name} printed")


async def test_the_node_offers_what_it_was_told_to_and_goes_when_it_is_left(
    node: ProcessNode, admin: Admin, control_plane: ControlPlane
) -> None:
    found = admin.get("v1", "Node", "node-a")
    assert found["status"]["allocatable"]["nvidia.com/gpu"] == "2"
    assert found["metadata"]["labels"]["nvidia.com/gpu.memory"] == "81559"
    leave = NodeSettings(name="node-left", images=(), taints=(GPU_TAINT,))
    async with ProcessNode.of(control_plane, leave):
        assert GPU_TAINT in admin.get("v1", "Node", "node-left")["spec"]["taints"]
    assert admin.find("v1", "Node", "node-left") is None
    lease = admin.get("coordination.k8s.io/v1", "Lease", "node-a", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "node-a"


async def test_a_pod_is_scheduled_runs_on_its_own_address_and_goes_when_deleted(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("one", shell("echo begun; sleep 300")), namespace)
    found = await seen(admin, namespace, "one", phase="Running", ready=True)
    assert found["status"]["podIP"].startswith("127.")
    assert facts(found)["conditions"] == {
        "PodScheduled": "True",
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "ContainersReady": "True",
        "Ready": "True",
    }
    await eventually_async(lambda: node.log(namespace, "one", "main") == "begun\n", 5, "its log")
    admin.delete("v1", "Pod", "one", namespace)
    await eventually_async(lambda: admin.find("v1", "Pod", "one", namespace) is None, 10, "it is gone")
    await eventually_async(lambda: not node.pods, 5, "the node has forgotten it")


async def test_the_api_server_hands_out_the_logs_that_the_node_keeps(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("talks", shell("echo one; echo two; echo three; sleep 300")), namespace)
    await seen(admin, namespace, "talks", ready=True)
    await printed(node, namespace, "talks", "one\ntwo\nthree\n")
    path = f"/api/v1/namespaces/{namespace}/pods/talks/log"

    def log() -> Any:
        return admin.request("GET", path, parameters={"container": "main", "tailLines": "2"})

    assert await asyncio.to_thread(log) == "two\nthree\n"


@pytest.mark.parametrize(
    ("policy", "script", "phase", "exit_code"),
    [
        pytest.param("Never", "exit 0", "Succeeded", 0, id="done"),
        pytest.param("Never", "exit 3", "Failed", 3, id="failed for good"),
        pytest.param("OnFailure", "test -e $HOME/again || { touch $HOME/again; exit 1; }", "Succeeded", 0,
                     id="failed once"),
        pytest.param("Never", "exec /no/such/program", "Failed", 127, id="a program that is not there"),
    ],
)  # fmt: skip
async def test_a_pod_that_ends(
    node: ProcessNode, admin: Admin, namespace: str, policy: str, script: str, phase: str, exit_code: int
) -> None:
    admin.create(pod("ends", shell(script), restartPolicy=policy), namespace)
    await seen(admin, namespace, "ends", phase=phase, exit_code=exit_code, ready=False)


async def test_a_container_that_crashes_is_restarted_ever_later_and_its_logs_are_kept(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("crash", shell("echo said before the end; exit 7")), namespace)
    found = await seen(admin, namespace, "crash", phase="Running", waiting="CrashLoopBackOff", restarts=2)
    (container,) = found["status"]["containerStatuses"]
    assert container["lastState"]["terminated"]["exitCode"] == 7
    assert "back-off" in container["state"]["waiting"]["message"]
    assert node.log(namespace, "crash", "main", previous=True) == "said before the end\n"


async def test_an_image_that_nobody_has_is_not_pulled_until_somebody_has_it(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("pull", {"name": "main", "image": "registry.example/late:1"}), namespace)
    found = await seen(admin, namespace, "pull", phase="Pending", waiting="ErrImagePull")
    assert "registry.example/late:1" in found["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
    await seen(admin, namespace, "pull", phase="Pending", waiting="ImagePullBackOff")
    node.images.append(Image("registry.example/late:*", ("/bin/sleep", "300")))
    await seen(admin, namespace, "pull", phase="Running", ready=True)


@pytest.mark.parametrize("way", ["namespace", "translated"])
async def test_environment_and_volumes_hold_what_they_refer_to(
    node: ProcessNode, admin: Admin, namespace: str, way: Literal["namespace", "translated"]
) -> None:
    node.settings = replace(node.settings, mounts=way)
    metadata = {"name": "settings"}
    admin.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"colour": "blue"}}, namespace
    )
    admin.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": "s3cret"}},
        namespace,
    )
    script = (
        "echo $POD $ADDRESS $COLOUR $KEY $PLACE $CPU; cat /etc/settings/colour; echo; cat /keys/k; echo; "
        "echo shared > /scratch/file; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo; "
        "test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo token; sleep 300"
    )
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "settings", "key": "key"}}},
        {"name": "PLACE", "value": "$(POD)-of-$(COLOUR)"},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
    ]
    mounts = [
        {"name": "settings", "mountPath": "/etc/settings"},
        {"name": "keys", "mountPath": "/keys"},
        {"name": "scratch", "mountPath": "/scratch"},
    ]
    container = shell(script, env=env, volumeMounts=mounts, resources={"limits": {"cpu": "2"}})
    reader = shell("cat /scratch/file; sleep 300", "reader", volumeMounts=mounts[2:])
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "settings", "items": [{"key": "key", "path": "k"}]}},
        {"name": "scratch", "emptyDir": {}},
    ]
    admin.create(pod("refers", container, reader, volumes=volumes), namespace)
    found = await seen(admin, namespace, "refers", phase="Running", ready=True)
    address = found["status"]["podIP"]
    wanted = f"refers {address} blue s3cret refers-of-blue 2000\nblue\ns3cret\n{namespace}\ntoken\n"
    await printed(node, namespace, "refers", wanted)


async def test_a_missing_secret_holds_the_container_back_until_it_is_there(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "late", "key": "key"}}}]
    admin.create(pod("waits", shell("sleep 300", env=env)), namespace)
    await seen(admin, namespace, "waits", phase="Pending", waiting="CreateContainerConfigError")
    admin.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late"}, "stringData": {"key": "x"}},
        namespace,
    )
    await seen(admin, namespace, "waits", phase="Running", ready=True)


async def test_init_containers_run_in_order_and_sidecars_are_there_before_and_after(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    mounts = [{"name": "order", "mountPath": "/order"}]

    def step(name: str, script: str, **fields: Any) -> Json:
        return shell(script, name, volumeMounts=mounts, **fields)

    until_told = (
        "trap 'echo {0} ends >> /order/steps; exit 0' TERM; echo {0} >> /order/steps; {1}; "
        "while :; do sleep 0.05; done"
    )
    sidecar = step(
        "sidecar",
        until_told.format("sidecar", "sleep 0.3; touch /order/up"),
        restartPolicy="Always",
        startupProbe={
            "exec": {"command": ["test", "-e", "/order/up"]},
            "periodSeconds": 1,
            "failureThreshold": 30,
        },
    )
    admin.create(
        pod(
            "ordered",
            step("main", until_told.format("main", "true")),
            initContainers=[
                step("first", "echo first >> /order/steps"),
                sidecar,
                step("last", "echo last >> /order/steps"),
            ],
            volumes=[{"name": "order", "hostPath": {"path": str(node.folder / "order")}}],
        ),
        namespace,
    )
    (node.folder / "order").mkdir()
    await seen(admin, namespace, "ordered", phase="Running", ready=True)
    steps = node.folder / "order" / "steps"
    await eventually_async(lambda: "main" in steps.read_text(), 5, "the last of them began")
    admin.delete("v1", "Pod", "ordered", namespace)
    await eventually_async(lambda: admin.find("v1", "Pod", "ordered", namespace) is None, 15, "it is gone")
    assert steps.read_text().splitlines() == ["first", "sidecar", "last", "main", "main ends", "sidecar ends"]


def server(name: str = "main", port: int = 8080, **fields: Any) -> Json:
    """A container with an HTTP server; see `container_program`."""
    ports = [{"name": "http", "containerPort": port}]
    return {"name": name, "image": "server:1", "args": ["0.0.0.0", str(port)], "ports": ports, **fields}


def probe(path: str, **fields: Any) -> Json:
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 1, **fields}


async def say(found: Json, code: int, path: str, port: int = 8080) -> None:
    """Make the server answer `code` to a path."""
    async with aiohttp.ClientSession() as session:
        await session.get(f"http://{found['status']['podIP']}:{port}/say/{code}{path}")


async def test_two_pods_listen_on_one_port(node: ProcessNode, admin: Admin, namespace: str) -> None:
    admin.create(pod("a", server(readinessProbe=probe("/"))), namespace)
    admin.create(pod("b", server(readinessProbe=probe("/"))), namespace)
    first = await seen(admin, namespace, "a", ready=True)
    second = await seen(admin, namespace, "b", ready=True)
    assert first["status"]["podIP"] != second["status"]["podIP"]


async def test_readiness_comes_and_goes_with_its_probe(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("web", server(readinessProbe=probe("/ready", failureThreshold=1))), namespace)
    found = await seen(admin, namespace, "web", ready=True)
    await say(found, 503, "/ready")
    found = await seen(admin, namespace, "web", ready=False, phase="Running", restarts=0)
    (ready,) = [one for one in found["status"]["conditions"] if one["type"] == "Ready"]
    assert ready["reason"] == "ContainersNotReady"
    assert ready["message"] == "containers with unready status: [main]"
    await say(found, 200, "/ready")
    await seen(admin, namespace, "web", ready=True)


async def test_a_container_that_is_not_alive_is_restarted(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    container = server(
        livenessProbe=probe("/alive", initialDelaySeconds=1, failureThreshold=1), readinessProbe=probe("/")
    )
    admin.create(pod("web", container), namespace)
    found = await seen(admin, namespace, "web", ready=True)
    await say(found, 500, "/alive")
    await seen(admin, namespace, "web", ready=True, restarts=1)
    assert "SIGTERM" in node.log(namespace, "web", "main", previous=True)
    events = admin.list("v1", "Event", namespace, fields="involvedObject.name=web")
    assert any(
        "Liveness probe failed: HTTP probe failed with statuscode: 500" in one["message"] for one in events
    )


async def test_nothing_is_probed_before_the_startup_probe_succeeds(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    container = server(
        startupProbe=probe("/started", failureThreshold=100),
        readinessProbe=probe("/ready"),
        livenessProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        lifecycle={"postStart": {"exec": {"command": ["true"]}}},
        env=[{"name": "NOT_YET", "value": "/started"}],
    )
    admin.create(pod("slow", container), namespace)
    found = await seen(admin, namespace, "slow", phase="Running", ready=False)
    await eventually_async(lambda: "/started" in node.log(namespace, "slow", "main"), 5, "it is probed")
    assert "/ready" not in node.log(namespace, "slow", "main")
    assert found["status"]["containerStatuses"][0]["started"] is False
    await say(found, 200, "/started")
    found = await seen(admin, namespace, "slow", ready=True)
    assert found["status"]["containerStatuses"][0]["started"] is True


async def test_a_pod_that_ends_asks_its_hook_first_and_is_killed_when_its_time_is_over(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    hook = {"preStop": {"httpGet": {"path": "/drain", "port": "http"}}}
    admin.create(pod("polite", server(lifecycle=hook, readinessProbe=probe("/"))), namespace)
    stubborn = shell("trap '' TERM; echo up; while :; do sleep 0.1; done")
    admin.create(pod("stubborn", stubborn, terminationGracePeriodSeconds=1), namespace)
    await seen(admin, namespace, "polite", ready=True)
    await seen(admin, namespace, "stubborn", ready=True)
    await printed(node, namespace, "stubborn", "up\n")
    polite, stubborn_one = (
        node.container(namespace, "polite", "main"),
        node.container(namespace, "stubborn", "main"),
    )
    for name in ("polite", "stubborn"):
        admin.delete("v1", "Pod", name, namespace)
    await eventually_async(lambda: not admin.list("v1", "Pod", namespace), 10, "both are gone")
    assert polite.log().read_text().splitlines()[-2:] == ["/drain", "SIGTERM"]
    assert polite.state.exit_code == 0
    assert stubborn_one.state.exit_code == 137


async def test_all_that_a_container_started_ends_with_its_first_process(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("parent", shell("setsid sleep 298 & exec sleep 299"), restartPolicy="Never"), namespace)
    await seen(admin, namespace, "parent", ready=True)
    first = psutil.Process(node.container(namespace, "parent", "main").pid)

    def left_behind() -> list[psutil.Process]:
        return [child for child in first.children(recursive=True) if child.cmdline() == ["sleep", "298"]]

    (other,) = await eventually_async(left_behind, 5, "its child runs")
    first.kill()
    await seen(admin, namespace, "parent", phase="Failed", exit_code=137)
    await eventually_async(lambda: not other.is_running(), 5, "its child is gone")


async def test_an_evicted_pod_stays_as_failed_and_says_why(
    node: ProcessNode, admin: Admin, namespace: str
) -> None:
    admin.create(pod("evicted", shell("sleep 300")), namespace)
    await seen(admin, namespace, "evicted", ready=True)
    node.evict(namespace, "evicted")
    found = await seen(admin, namespace, "evicted", phase="Failed", reason="Evicted", ready=False)
    assert facts(found)["conditions"]["DisruptionTarget"] == "True"
    admin.delete("v1", "Pod", "evicted", namespace)
    await eventually_async(lambda: admin.find("v1", "Pod", "evicted", namespace) is None, 10, "it is gone")


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
        await eventually_async(lambda: not child.is_running(), 5, "its process is gone")
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
            await eventually_async(lambda: ends.state.restart_count > 0, 20, "one ends meanwhile")
            plane.component("kube-apiserver").start()
            await asyncio.to_thread(plane.wait_ready)

            def told() -> bool:
                found = plane.admin.get("v1", "Pod", "ends")
                return bool(found["status"]["containerStatuses"][0]["restartCount"])

            await eventually_async(told, 20, "its restart is told")
            assert node.container("default", "stays", "main").pid == before
            assert facts(plane.admin.get("v1", "Pod", "stays"))["restarts"] == 0
