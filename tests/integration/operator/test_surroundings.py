"""What a cluster can and what its platform says of it, on a real API server, scheduler and played nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from pointsman.controller.modeldeployment.pod_trouble import lacks
from tests.integration.operator.by_way_of import operator_behind, proxied
from tests.integration.operator.deployments import conditions, message, own, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.fake_nodes import make_fake_nodes
from tests.support.cluster.faults import Forward
from tests.support.cluster.installation import OPERATOR_USER, Installation, OperatorProcess
from tests.support.cluster.process_node import gpu_labels
from tests.support.polling import eventually

Json = dict[str, Any]

DEFINITIONS = Path(__file__).parents[1] / "definitions"
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
DEPLOYMENT = ("apps/v1", "Deployment")
FACTS = {"parameters": "8B", "layers": 32, "kvHeads": 8, "headDim": 128}
# Informers look for a kind that is not there every half minute.
_NOTICED_SECONDS = 90.0


def on_accelerators(name: str, accelerator: str, *, context: int = 2048, **spec: Any) -> Json:
    model = {
        "source": "oci://models.example.com/m:1",
        "contextLength": context,
        "quantization": "none",
        "facts": FACTS,
    }
    hardware = {"accelerators": [accelerator], **spec.pop("hardware", {})}
    return own(name, model=model, engine={"name": "vllm"}, hardware=hardware, **spec)


def installed(admin: Admin, file: str) -> str:
    definition = yaml.safe_load((DEFINITIONS / file).read_text(encoding="utf-8"))
    admin.create(definition)
    return str(definition["metadata"]["name"])


@pytest.mark.usefixtures("operator")
def test_kinds_of_other_projects_are_used_once_they_are_installed(
    admin: Admin, namespace: str, control_plane: ControlPlane
) -> None:
    since = control_plane.audit.mark()
    groups = on_accelerators("big", "L4", hardware={"nodes": 2, "parallelism": {"tensor": 2, "pipeline": 2}})
    admin.create(groups, namespace)
    found = wait_until(admin, "big", namespace, Placed=("False", "LeaderWorkerSetMissing"))
    assert "leaderworkersets.leaderworkerset.x-k8s.io" in message(found, "Ready")
    assert admin.list("apps/v1", "ControllerRevision", namespace) == []
    admin.create(own("small"), namespace)
    wait_until(admin, "small", namespace, Ready=("True", "ReplicasReady"))
    made = control_plane.audit.requests(since, user=OPERATOR_USER, writes_only=True)
    assert not [one for one in made if one.resource in ("leaderworkersets", "podmonitors")]

    names = [installed(admin, file) for file in ("leaderworkerset.yaml", "podmonitor.yaml")]
    try:
        wait_until(admin, "big", namespace, _NOTICED_SECONDS, Placed=("True", "Placed"))
        made_of = ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", namespace)
        [group] = eventually(lambda: admin.list(*made_of), 60, "the group is made")
        assert group["spec"]["leaderWorkerTemplate"]["size"] == 2
        kind = ("monitoring.coreos.com/v1", "PodMonitor")
        admin.wait_for(*kind, "small", namespace, within_seconds=_NOTICED_SECONDS)
    finally:
        for name in names:
            admin.delete(*CRD, name)
    wait_until(admin, "big", namespace, _NOTICED_SECONDS, Placed=("False", "LeaderWorkerSetMissing"))


async def as_an_older_one(_: web.Request, forward: Forward) -> web.StreamResponse:
    return web.json_response({"major": "1", "minor": "34+", "gitVersion": "v1.34.2-provider.7"})


@pytest.mark.usefixtures("installation")
def test_weights_in_images_wait_for_an_api_server_that_keeps_them(
    admin: Admin, namespace: str, control_plane: ControlPlane
) -> None:
    with proxied(control_plane) as proxy:
        proxy.inject(as_an_older_one, times=1000, path="/version")
        with operator_behind(control_plane, proxy, "operator-0"):
            admin.create(own("chat"), namespace)
            found = wait_until(admin, "chat", namespace, Progressing=("False", "NotRendered"))
            assert "this cluster (Kubernetes 1.34) does not have" in message(found, "Ready")
            assert admin.list(*DEPLOYMENT, namespace) == []
            # The control plane is upgraded, which breaks every watch.
            proxy.heal()
            proxy.cut_watches()
            wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
    assert proxy.count("GET", "/version") >= 2


@pytest.fixture
def two_accelerators(admin: Admin) -> Iterator[str]:
    """An accelerator that the cluster has two of, on one node."""
    labels = gpu_labels("NVIDIA-A10", memory_mebibytes=23028, count=2)
    [node] = make_fake_nodes(admin, 1, prefix="small", gpus=2, labels=labels)
    yield "A10"
    admin.delete("v1", "Node", node)


@pytest.mark.usefixtures("operator")
def test_an_accelerator_that_a_pod_of_others_has_is_not_free(
    admin: Admin, namespace: str, two_accelerators: str
) -> None:
    [node] = [
        one["metadata"]["name"] for one in admin.list("v1", "Node") if "small" in one["metadata"]["name"]
    ]
    limits = {"limits": {"nvidia.com/gpu": "1"}}
    container = {"name": "work", "image": "notebook", "resources": limits}
    spec = {"nodeName": node, "containers": [container], "tolerations": [{"operator": "Exists"}]}
    admin.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "theirs"}, "spec": spec}, namespace)
    admin.wait_for(
        "v1", "Pod", "theirs", namespace, until=lambda pod: pod.get("status", {}).get("phase") == "Running"
    )
    admin.create(on_accelerators("chat", two_accelerators, replicas=2), namespace)
    found = wait_until(admin, "chat", namespace, Placed=("True", "Placed"))
    assert found["status"]["placement"]["reason"].endswith("too few are free now")


@pytest.mark.usefixtures("operator")
def test_a_rollout_without_an_accelerator_to_spare_goes_one_by_one_and_ends(
    admin: Admin, namespace: str, control_plane: ControlPlane, two_accelerators: str
) -> None:
    admin.create(on_accelerators("chat", two_accelerators, replicas=2), namespace)
    wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))
    before = admin.get(*DEPLOYMENT, "chat", namespace)
    kubelets = control_plane.component("kwok")
    kubelets.pause()
    try:
        admin.patch(
            "pointsman.dev/v1alpha1",
            "ModelDeployment",
            "chat",
            {"spec": {"model": {"contextLength": 4096}}},
            namespace,
        )
        # The first of the former replicas takes its time to leave, and one waits for its accelerator.
        wait_until(admin, "chat", namespace, Progressing=("True", "ReplacingOneByOne"))
        strategy = admin.get(*DEPLOYMENT, "chat", namespace)["spec"]["strategy"]
        assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}

        def waits() -> bool:
            pods = admin.list("v1", "Pod", namespace)
            leaving = [pod for pod in pods if "deletionTimestamp" in pod["metadata"]]
            return (len(leaving), sum(lacks(pod, "nvidia.com/gpu") for pod in pods)) == (1, 1)

        eventually(waits, 60, "a pod waits for the accelerator of one that leaves")
        found = wait_until(admin, "chat", namespace, Progressing=("True", "ReplacingOneByOne"))
        assert conditions(found)["Placed"] == ("True", "Placed")
        assert "no accelerator is free" in message(found, "Progressing")
        assert conditions(found)["Ready"][0] == "True"
    finally:
        kubelets.resume()
    wait_until(admin, "chat", namespace, 120.0, Progressing=("True", "Complete"))
    after = admin.get(*DEPLOYMENT, "chat", namespace)
    assert after["spec"]["template"] != before["spec"]["template"]


@pytest.fixture
def with_fleet(installation: Installation, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator whose fleet settings speak of network and weights."""
    settings: Mapping[str, Any] = {
        "egress": {
            "cidrs": ["198.51.100.0/24"],
            "proxy": {"url": "http://proxy.example.com:3128", "cidrs": ["10.1.2.3/32"]},
        },
        "weights": {"cacheClaim": "model-weights"},
    }
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
    with installation.operator(arguments=("--fleet", str(tmp_path / "fleet.yaml"))) as running:
        yield running


@pytest.mark.usefixtures("with_fleet")
def test_fleet_settings_reach_pods_and_policies_and_a_missing_claim_is_named(
    admin: Admin, namespace: str
) -> None:
    fetched = own("chat")
    fetched["spec"]["model"] |= {"source": "hf://acme/one/m.gguf", "revision": "c" * 40}
    admin.create(fetched, namespace)
    found = wait_until(admin, "chat", namespace, Placed=("False", "VolumeNotFound"))
    assert 'no PersistentVolumeClaim "model-weights"' in message(found, "Ready")
    policy = admin.get("networking.k8s.io/v1", "NetworkPolicy", "chat", namespace)
    reached = [peer["ipBlock"]["cidr"] for rule in policy["spec"]["egress"] for peer in rule.get("to", ())]
    assert reached == ["10.1.2.3/32", "198.51.100.0/24"]
    pod = admin.get(*DEPLOYMENT, "chat", namespace)["spec"]["template"]["spec"]
    for container in (pod["initContainers"][0], *pod["containers"]):
        said = {one["name"]: one.get("value") for one in container["env"]}
        assert said["HTTPS_PROXY"] == "http://proxy.example.com:3128", container["name"]
