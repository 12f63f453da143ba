"""ModelDeployments as users write them, and what is read of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.cluster.admin import Admin

API = "pointsman.dev/v1alpha1"
KIND = "ModelDeployment"
WORKLOAD = ("apps/v1", "Deployment")

Json = dict[str, Any]

GEMMA = {"parameters": "270M", "layers": 18, "kvHeads": 1, "headDim": 256}
IMAGE = "models.example.com/gemma:1"


def own(name: str, *, replicas: int = 1, context: int = 2048, **spec: Any) -> Json:
    """A small model on CPUs, its weights in an image."""
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {
            "model": {
                "source": f"oci://{IMAGE}#weights.gguf",
                "contextLength": context,
                "quantization": "gguf",
                "facts": GEMMA,
            },
            "engine": {"name": "llama.cpp", "maxConcurrency": 2},
            "drain": {"timeout": "20s"},
            "replicas": replicas,
            **spec,
        },
    }


def conditions(deployment: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Type -> status and reason."""
    said = deployment.get("status", {}).get("conditions", ())
    return {one["type"]: (one["status"], one["reason"]) for one in said}


def message(deployment: Mapping[str, Any], kind: str) -> str:
    said = deployment.get("status", {}).get("conditions", ())
    return next((str(one.get("message", "")) for one in said if one["type"] == kind), "")


def wait_until(
    admin: Admin, name: str, namespace: str, within_seconds: float = 120.0, **wanted: tuple[str, str]
) -> Json:
    """The deployment, once these conditions have this status and reason."""

    def holds(found: Mapping[str, Any]) -> bool:
        said = conditions(found)
        return all(said.get(kind) == state for kind, state in wanted.items())

    return admin.wait_for(API, KIND, name, namespace, until=holds, within_seconds=within_seconds)


def scale(admin: Admin, namespace: str, replicas: int, name: str = "chat") -> None:
    """As an edit of its spec."""
    admin.patch(API, KIND, name, {"spec": {"replicas": replicas}}, namespace)


def wait_for_replicas(
    admin: Admin, namespace: str, count: int, name: str = "chat", within_seconds: float = 120.0
) -> Json:
    """The workload, once so many are asked of it."""
    return admin.wait_for(
        *WORKLOAD,
        name,
        namespace,
        until=lambda one: one["spec"]["replicas"] == count,
        within_seconds=within_seconds,
    )


def take_replicas_twice(admin: Admin, namespace: str) -> Json:
    """Somebody sets the workload's replicas, and again once that was put back; gives what else they apply."""
    taken = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "chat"}}
    admin.apply({**taken, "spec": {"replicas": 7}}, namespace, manager="somebody", force=True)
    wait_for_replicas(admin, namespace, 1)
    admin.apply({**taken, "spec": {"replicas": 8}}, namespace, manager="somebody", force=True)
    return taken


def weights_folder(file: Path) -> dict[str, str]:
    """The image volume that holds the weights, for a process node."""
    return {IMAGE: str(file.parent)}
