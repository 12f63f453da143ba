"""Small Kubernetes objects for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def config_map(
    name: str,
    namespace: str = "default",
    *,
    data: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    owners: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A ConfigMap to apply; `owners` are uids."""
    meta: dict[str, Any] = {"name": name, "namespace": namespace}
    if labels is not None:
        meta["labels"] = dict(labels)
    if owners:
        meta["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": f"owner-{uid}", "uid": uid} for uid in owners
        ]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(data or {})}


def seen(
    name: str,
    version: str,
    namespace: str = "default",
    *,
    uid: str = "",
    data: Mapping[str, str] | None = None,
    owners: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A ConfigMap as the API server gives it."""
    obj = config_map(name, namespace, data=data, owners=owners)
    obj["metadata"] |= {"uid": uid or f"uid-{name}", "resourceVersion": version}
    return obj
