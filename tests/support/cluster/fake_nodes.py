"""Nodes that exist in the API alone and are played by KWOK (`Options(kwok=True)`): for scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import FAKE_NODE
from tests.support.polling import eventually

_READY_SECONDS = 60.0


def fake_node(
    name: str,
    *,
    cpu: str = "192",
    memory: str = "2Ti",
    pods: int = 250,
    gpus: int = 8,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A Node that KWOK keeps ready."""
    offered = {"cpu": cpu, "memory": memory, "pods": str(pods), "ephemeral-storage": "10Ti"}
    if gpus:
        offered["nvidia.com/gpu"] = str(gpus)
    own = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {FAKE_NODE: "fake"}, "labels": {**own, **(labels or {})}},
        "status": {"allocatable": offered, "capacity": offered},
    }


def make_fake_nodes(admin: Admin, count: int, *, prefix: str = "fake", **offer: Any) -> tuple[str, ...]:
    """Create so many (`offer` as `fake_node`) and wait until pods can be bound to them; returns the names."""
    names = tuple(f"{prefix}-{index}" for index in range(count))
    for name in names:
        admin.create(fake_node(name, **offer))

    def usable() -> bool:
        found = {node["metadata"]["name"]: node for node in admin.list("v1", "Node")}
        waiting = [name for name in names if not _is_usable(found[name])]
        assert not waiting, f"not ready: {waiting[:5]}"
        return True

    eventually(usable, _READY_SECONDS, f"{count} nodes are ready")
    return names


def _is_usable(node: dict[str, Any]) -> bool:
    conditions = {one["type"]: one["status"] for one in node["status"].get("conditions", ())}
    return conditions.get("Ready") == "True" and not node["spec"].get("taints")
