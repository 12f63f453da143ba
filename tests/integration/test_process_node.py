"""The process node does with a pod what a kubelet does, as far as the API and the processes show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from tests.integration.conditions import facts, seen
from tests.integration.pods import node_settings, pod, printed, probe, say, server, shell
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import GPU_TAINT, Image, NodeSettings, ProcessNode
from tests.support.polling import eventually_async

Json = dict[str, Any]


@pytest.fixture
async def node(control_plane: ControlPlane) -> AsyncIterator[ProcessNode]:
    async with ProcessNode.of(control_plane, node_settings()) as running:
        yield running


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
    await eventually_async(lambda: node.log(namespace, "one", "main") == "begun\n", 30, "its log")
    admin.delete("v1", "Pod", "one", namespace)
    await eventually_async(lambda: admin.find("v1", "Pod", "one", namespace) is None, 30, "it is gone")
    await eventually_async(lambda: not node.pods, 30, "the node has forgotten it")


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

    def again() -> Json:
        found = admin.get("v1", "Pod", "crash", namespace)
        known = facts(found)
        assert (known["phase"], known["waiting"]) == ("Running", "CrashLoopBackOff"), str(known)
        assert known["restarts"] >= 2, str(known)
        return found

    found = await eventually_async(again, 60, "it has crashed for the third time")
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
            terminationGracePeriodSeconds=30,
        ),
        namespace,
    )
    (node.folder / "order").mkdir()
    await seen(admin, namespace, "ordered", phase="Running", ready=True)
    steps = node.folder / "order" / "steps"
    await eventually_async(lambda: "main" in steps.read_text(), 30, "the last of them began")
    admin.delete("v1", "Pod", "ordered", namespace)
    await eventually_async(lambda: admin.find("v1", "Pod", "ordered", namespace) is None, 30, "it is gone")
    assert steps.read_text().splitlines() == ["first", "sidecar", "last", "main", "main ends", "sidecar ends"]


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

    def why() -> bool:
        events = admin.list("v1", "Event", namespace, fields="involvedObject.name=web")
        said = "Liveness probe failed: HTTP probe failed with statuscode: 500"
        return any(said in one["message"] for one in events)

    await eventually_async(why, 30, "an event says why")


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
    await eventually_async(lambda: "/started" in node.log(namespace, "slow", "main"), 30, "it is probed")
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
    await eventually_async(lambda: not admin.list("v1", "Pod", namespace), 30, "both are gone")
    # It is probed until its end.
    asked = [line for line in polite.log().read_text().splitlines() if line != "/"]
    assert asked == ["/drain", "SIGTERM"]
    assert polite.state.exit_code == 0
    assert stubborn_one.state.exit_code == 137
