"""Adapters that come and go in running pods: what tells the agents of them, and what pods have for it.

The list is frozen with the rendering and no part of the pods: a ConfigMap holds it, which a kubelet brings
into running pods within a minute or so.
"""

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final

from pointsman.api import Adapter, ModelDeployment
from pointsman.workloads import naming
from pointsman.workloads.rendering import Rendering
from pointsman.workloads.weights import STORE, downloaded

FILE: Final = "adapters.json"
FOLDER: Final = "/etc/pointsman/adapters"
VOLUME: Final = "adapter-list"


def listed(deployment: ModelDeployment) -> str:
    """What the agents read: for each adapter its name, how it is fetched, and where it then lies. All paths
    are below the store, which only the pod knows.
    """
    assert deployment.spec.model is not None
    found = []
    for one in sorted(deployment.spec.model.adapters, key=lambda adapter: adapter.name):
        download, path = downloaded(one.source, one.revision or "")
        item = json.loads(replace(download, into=_below_store(download.into)).to_argument())
        found.append({"name": one.name, "path": _below_store(path), "item": item})
    return json.dumps({"adapters": found}, sort_keys=True, indent=1) + "\n"


def path_of(adapter: Adapter) -> str:
    """Where it lies below the store of a pod: another source or revision lies elsewhere."""
    return _below_store(downloaded(adapter.source, adapter.revision or "")[1])


def with_adapters(rendering: Rendering, deployment: ModelDeployment) -> Rendering:
    """The rendering with the list as the spec has it now; the same object where that is the same, or where
    adapters are a part of the pods.
    """
    if not rendering.adapters:
        return rendering
    now = listed(deployment)
    return rendering if now == rendering.adapters else replace(rendering, adapters=now)


def config_map(deployment: ModelDeployment, rendering: Rendering) -> dict[str, Any]:
    """The object that tells the agents."""
    name = naming.adapters_name(deployment.metadata.name)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {FILE: rendering.adapters},
    }


def volume(deployment: ModelDeployment) -> dict[str, Any]:
    """Optional: without a list the pod starts, and keeps what it has."""
    name = naming.adapters_name(deployment.metadata.name)
    return {"name": VOLUME, "configMap": {"name": name, "optional": True}}


def mount() -> dict[str, Any]:
    return {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}


def _below_store(path: str) -> str:
    return str(PurePosixPath(path).relative_to(STORE))
