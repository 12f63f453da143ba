"""Devices that pods ask for are not free, and a pod is read once for each version of it."""

from __future__ import annotations

from typing import Any

from pointsman.api import FleetSettings, ObjectKey
from pointsman.catalog import shipped_catalog
from pointsman.controller.platform_view import PlatformView, asks_for_devices, devices_alone
from pointsman.controller.settings import OperatorSettings
from pointsman.kube.objects import KubeObject
from pointsman.workloads import Images

DEVICE = "nvidia.com/gpu"


class CountedPod(dict[str, Any]):
    """How often its spec was read."""

    reads = 0

    def get(self, name: str, default: Any = None) -> Any:
        self.reads += name == "spec"
        return super().get(name, default)


def pod(devices: int, *, phase: str = "Running") -> CountedPod:
    limits = {DEVICE: str(devices), "memory": "1Gi"} if devices else {"memory": "1Gi"}
    containers = [{"resources": {"limits": limits}}]
    return CountedPod({"spec": {"nodeName": "one", "containers": containers}, "status": {"phase": phase}})


def view(
    pods: dict[ObjectKey, KubeObject], others: dict[ObjectKey, KubeObject] | None = None
) -> PlatformView:
    seconds = iter(range(0, 1000, 10))
    settings = OperatorSettings(
        identity="a", lease=ObjectKey("b", "c"), images=Images(agent="d"), fleet=FleetSettings()
    )
    return PlatformView(
        settings,
        shipped_catalog(),
        {ObjectKey("", "one"): NODE},
        pods,
        others or {},
        lambda around: around,
        clock=lambda: float(next(seconds)),
    )


NODE = {
    "metadata": {"name": "one", "labels": {"nvidia.com/gpu.product": "NVIDIA-L40S"}},
    "spec": {},
    "status": {"allocatable": {DEVICE: "8"}, "conditions": [{"type": "Ready", "status": "True"}]},
}


def free(looked: PlatformView) -> int:
    entry = looked().inventory.accelerators["L40S"]
    return entry.free


def test_what_pods_ask_for_is_not_free_until_they_have_ended() -> None:
    pods: dict[ObjectKey, KubeObject] = {ObjectKey("a", "b"): pod(2), ObjectKey("a", "c"): pod(0)}
    looked = view(pods)
    assert free(looked) == 6
    pods[ObjectKey("a", "d")] = pod(1)
    assert free(looked) == 5
    pods[ObjectKey("a", "b")] = pod(2, phase="Succeeded")
    assert free(looked) == 7
    pods.clear()
    assert free(looked) == 8


def test_a_pod_is_read_once_for_each_version() -> None:
    counted = pod(2)
    looked = view({ObjectKey("a", "b"): counted})
    assert [free(looked) for _ in range(5)] == [6] * 5
    assert counted.reads == 1


def test_what_pods_of_others_take_is_not_free() -> None:
    theirs = ObjectKey("research", "notebook")
    others = {theirs: devices_alone({**pod(3), "metadata": {"namespace": "research", "name": "notebook"}})}
    looked = view({ObjectKey("ns", "p"): pod(2)}, others)
    assert free(looked) == 3
    del others[theirs]
    assert free(looked) == 6


def test_of_a_pod_of_others_nothing_is_kept_but_its_devices() -> None:
    meta = {"namespace": "research", "name": "web", "uid": "u", "resourceVersion": "7"}
    without = {**pod(0), "metadata": {**meta, "labels": {"a": "b"}}}
    assert devices_alone(without) == {"metadata": meta}
    assert not asks_for_devices(devices_alone(without))
    assert asks_for_devices(devices_alone({**without, **pod(1)}))
    assert "memory" not in str(devices_alone({**without, **pod(1)}))
