"""What nodes have, read from their labels."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.api import FleetSettings
from pointsman.catalog import shipped_catalog
from pointsman.placement import FreeDevices, Inventory, InventoryEntry, inventory
from tests.support.builders import fleet

MEBIBYTE = 2**20


def _node(name: str, labels: dict[str, str], amounts: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"unschedulable": True} if more.get("cordoned") else {"taints": more.get("taints", [])},
        "status": {
            "allocatable": {"cpu": "96", "memory": "1Ti", **amounts},
            "conditions": [{"type": "Ready", "status": more.get("ready", "True")}],
        },
    }


def _pod(node: str, amounts: dict[str, str], phase: str = "Running") -> dict[str, Any]:
    container = {"resources": {"limits": {"cpu": "4", **amounts}}}
    return {"spec": {"nodeName": node, "containers": [container]}, "status": {"phase": phase}}


def _read(*nodes: dict[str, Any], settings: FleetSettings | None = None) -> dict[str, InventoryEntry]:
    found = inventory(nodes, settings or fleet(), shipped_catalog())
    return dict(found.accelerators)


def _free(node: str, count: int, resource: str = "nvidia.com/gpu") -> FreeDevices:
    return FreeDevices(node, resource, count)


H100 = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.memory": "81559"}

NODES = {
    "NVIDIA's labels": (H100, {"nvidia.com/gpu": "8"}, "H100-SXM", 8, 81559, 8),
    "Google's label": (
        {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        {"nvidia.com/gpu": "2"},
        "L4",
        2,
        None,
        2,
    ),
    "another of Google's labels for the same device": (
        {"cloud.google.com/gke-accelerator": "nvidia-h100-mega-80gb"},
        {"nvidia.com/gpu": "8"},
        "H100-SXM",
        8,
        None,
        8,
    ),
    "Karpenter's label": (
        {"karpenter.k8s.aws/instance-gpu-name": "l40s"},
        {"nvidia.com/gpu": "4"},
        "L40S",
        4,
        None,
        4,
    ),
    "AMD's label": (
        {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"},
        {"amd.com/gpu": "8"},
        "MI300X",
        8,
        None,
        8,
    ),
    "slices of one kind": (
        {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", "nvidia.com/gpu.memory": "9728"},
        {"nvidia.com/gpu": "7"},
        "A100-80-SXM-MIG-1g.10gb",
        7,
        9728,
        7,
    ),
    "slices of one kind, as older discovery spells them": (
        {"nvidia.com/gpu.product": "A100-SXM4-40GB-MIG-1g.5gb"},
        {"nvidia.com/gpu": "7"},
        "A100-40-SXM-MIG-1g.5gb",
        7,
        None,
        7,
    ),
    "slices as resources of their own": (
        {
            "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
            "nvidia.com/mig-3g.40gb.memory": "40192",
        },
        {"nvidia.com/mig-3g.40gb": "2"},
        "A100-80-SXM-MIG-3g.40gb",
        2,
        40192,
        2,
    ),
    "a device shared by four": (
        {
            "nvidia.com/gpu.product": "NVIDIA-L4-SHARED",
            "nvidia.com/gpu.memory": "23034",
            "nvidia.com/gpu.replicas": "4",
        },
        {"nvidia.com/gpu": "4"},
        "L4",
        4,
        23034 // 4,
        1,
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_a_node_is_known_by(name: str) -> None:
    labels, amounts, want_name, want_count, want_mebibytes, want_together = NODES[name]
    # Slices of one kind take the whole device's resource.
    resource = "nvidia.com/gpu" if name.startswith("slices of one kind") else None
    memory = None if want_mebibytes is None else want_mebibytes * MEBIBYTE
    if name == "a device shared by four":
        memory = 23034 * MEBIBYTE // 4
    assert _read(_node("n", labels, amounts)) == {
        want_name: InventoryEntry(
            want_count, want_count, memory, want_together, resource, (_free("n", want_count, *amounts),)
        )
    }


@pytest.mark.parametrize(
    "product", ["NVIDIA-H200-NVL", "NVIDIA-H100-80GB-HBM3e", "Tesla-V100-SXM2-16GB", "NVIDIA-A10M"]
)
def test_a_product_that_is_not_known_is_not_another(product: str) -> None:
    assert _read(_node("n", {"nvidia.com/gpu.product": product}, {"nvidia.com/gpu": "8"})) == {}


def test_nodes_of_a_kind_are_counted_together_with_the_least_memory() -> None:
    small = {**H100, "nvidia.com/gpu.memory": "81000"}
    found = _read(_node("a", H100, {"nvidia.com/gpu": "8"}), _node("b", small, {"nvidia.com/gpu": "4"}))
    assert found == {
        "H100-SXM": InventoryEntry(12, 12, 81000 * MEBIBYTE, 8, None, (_free("a", 8), _free("b", 4)))
    }


def test_what_pods_ask_for_and_closed_nodes_are_not_free() -> None:
    nodes = [
        _node("a", H100, {"nvidia.com/gpu": "8"}),
        _node("b", H100, {"nvidia.com/gpu": "8"}, cordoned=True),
        _node("c", H100, {"nvidia.com/gpu": "8"}, ready="False"),
    ]
    pods = [
        _pod("a", {"nvidia.com/gpu": "2"}),
        _pod("a", {"nvidia.com/gpu": "1"}),
        _pod("a", {"nvidia.com/gpu": "4"}, phase="Succeeded"),
        _pod("", {"nvidia.com/gpu": "4"}, phase="Pending"),
    ]
    found = inventory(nodes, fleet(), shipped_catalog(), pods)
    assert (found.accelerators["H100-SXM"].total, found.accelerators["H100-SXM"].free) == (24, 5)


def test_what_pods_of_others_have_is_not_free_and_not_ours() -> None:
    nodes = [_node("a", H100, {"nvidia.com/gpu": "8"}), _node("b", H100, {"nvidia.com/gpu": "8"})]
    ours = [_pod("a", {"nvidia.com/gpu": "2"})]
    others = [_pod("a", {"nvidia.com/gpu": "1"}), _pod("b", {"nvidia.com/gpu": "4"})]
    found = inventory(nodes, fleet(), shipped_catalog(), ours, others)
    entry = found.accelerators["H100-SXM"]
    assert (entry.total, entry.free, entry.others) == (16, 9, 5)
    assert entry.on_nodes == (_free("a", 5), _free("b", 4))
    # Our own may be given back to what is placed anew, theirs not.
    assert found.without([*ours]).accelerators["H100-SXM"].on_nodes == (_free("a", 7), _free("b", 4))


def test_the_settings_name_a_node_before_its_own_labels() -> None:
    settings = fleet(
        accelerators=[
            {
                "name": "lab-card",
                "resource": "example.com/card",
                "nodeSelector": {"pool": "lab"},
                "facts": {
                    "memory": "48Gi",
                    "memoryBandwidthGigabytesPerSecond": 900,
                    "denseTeraflops": 200,
                },
            }
        ]
    )
    found = _read(_node("n", {"pool": "lab", **H100}, {"example.com/card": "2"}), settings=settings)
    assert found == {"lab-card": InventoryEntry(2, 2, None, 2, None, (_free("n", 2, "example.com/card"),))}


def test_nodes_without_accelerators_have_none() -> None:
    assert inventory([_node("n", {}, {}), {"metadata": {"name": "bare"}}], fleet(), shipped_catalog()) == (
        Inventory()
    )


def test_garbled_amounts_count_as_none() -> None:
    assert _read(_node("n", H100, {"nvidia.com/gpu": "many"})) == {}


def _taint(key: str, effect: str = "NoSchedule", value: str = "") -> dict[str, str]:
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


TAINTS = {
    "the accelerator's own": (_taint("nvidia.com/gpu", value="present"), (), 8),
    "one that only asks": (_taint("busy", "PreferNoSchedule"), (), 8),
    "another team's": (_taint("dedicated", value="research"), (), 0),
    "one that ends pods": (_taint("dedicated", "NoExecute", "research"), (), 0),
    "one that the settings tolerate": (
        _taint("dedicated", value="serving"),
        ({"key": "dedicated", "value": "serving"},),
        8,
    ),
    "another value of it": (
        _taint("dedicated", value="research"),
        ({"key": "dedicated", "value": "serving"},),
        0,
    ),
    "whatever value it has": (
        _taint("dedicated", value="research"),
        ({"key": "dedicated", "operator": "Exists"},),
        8,
    ),
    "another effect of it": (
        _taint("dedicated", "NoExecute", "serving"),
        ({"key": "dedicated", "value": "serving", "effect": "NoSchedule"},),
        0,
    ),
    "everything is tolerated": (_taint("dedicated", "NoExecute"), ({"operator": "Exists"},), 8),
    "a number below another": (
        _taint("risk", value="3"),
        ({"key": "risk", "operator": "Lt", "value": "5"},),
        8,
    ),
}


@pytest.mark.parametrize(("taint", "tolerations", "want"), TAINTS.values(), ids=TAINTS.keys())
def test_a_node_whose_taints_keep_pods_away_is_not_free(
    taint: dict[str, str], tolerations: tuple[dict[str, str], ...], want: int
) -> None:
    settings = fleet(accelerators=[{"name": "H100-SXM", "tolerations": list(tolerations)}])
    found = _read(_node("n", H100, {"nvidia.com/gpu": "8"}, taints=[taint]), settings=settings)
    assert (found["H100-SXM"].total, found["H100-SXM"].free) == (8, want)


def test_nodes_that_the_settings_do_not_select_are_not_the_fleets() -> None:
    settings = fleet(accelerators=[{"name": "H100-SXM", "nodeSelector": {"pool": "serving"}}])
    ours = _node("a", {**H100, "pool": "serving"}, {"nvidia.com/gpu": "2"})
    theirs = _node("b", {**H100, "pool": "training"}, {"nvidia.com/gpu": "8"})
    assert _read(ours, theirs, settings=settings)["H100-SXM"].total == 2


ROOM = {
    "one node has enough": ((4, 1), 1, 4, 1, True),
    "free here and there is no group": ((2, 2, 2, 2), 1, 4, 1, False),
    "two replicas on two nodes": ((4, 4), 2, 4, 1, True),
    "two replicas on one node": ((8,), 2, 4, 1, True),
    "what is left over does not count": ((7, 3), 2, 4, 1, False),
    "a group over two nodes": ((8, 8), 1, 16, 2, True),
    "a group over two nodes of which one is not whole": ((8, 7), 1, 16, 2, False),
}


@pytest.mark.parametrize(("free", "replicas", "devices", "nodes", "want"), ROOM.values(), ids=ROOM.keys())
def test_room_is_counted_node_by_node(
    free: tuple[int, ...], replicas: int, devices: int, nodes: int, want: bool
) -> None:
    entry = InventoryEntry(
        sum(free), sum(free), on_nodes=tuple(_free(str(number), count) for number, count in enumerate(free))
    )
    assert entry.has_room(replicas, devices, nodes) is want


def test_what_is_placed_anew_may_have_its_own_devices_again() -> None:
    nodes = [
        _node("a", H100, {"nvidia.com/gpu": "8"}),
        _node("b", H100, {"nvidia.com/gpu": "8"}, cordoned=True),
    ]
    own = [_pod("a", {"nvidia.com/gpu": "4"}), _pod("b", {"nvidia.com/gpu": "8"})]
    others = [_pod("a", {"nvidia.com/gpu": "2"})]
    full = inventory(nodes, fleet(), shipped_catalog(), [*own, *others])
    assert full.accelerators["H100-SXM"].free == 2
    found = full.without(own)
    assert found == inventory(nodes, fleet(), shipped_catalog(), others)
    assert (found.accelerators["H100-SXM"].free, full.without(())) == (6, full)
