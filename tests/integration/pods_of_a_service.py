"""In a network of its own: a Deployment and its Service on a process node; prints what was found, as JSON."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import NodeSettings, RunningNode
from tests.support.polling import eventually

LABELS = {"app": "small"}
CONTAINER = {
    "name": "engine",
    "image": "vllm/vllm-openai:v0.33.0",
    "args": ["/weights", "--host", "0.0.0.0", "--port", "8000"],
    "readinessProbe": {"httpGet": {"path": "/v1/models", "port": 8000}, "periodSeconds": 1},
}
OBJECTS: tuple[dict[str, Any], ...] = (
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "small"},
        "spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8000}]},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "small"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}},
        },
    },
)


def main() -> None:
    settings = NodeSettings(name="node", cpu="8", pod_network="10.244.3.0/24")
    with ControlPlane.start(Options(audit=False)) as plane, RunningNode(plane, settings):
        for found in OBJECTS:
            plane.admin.create(found)

        def endpoints() -> list[str]:
            slices = plane.admin.list("discovery.k8s.io/v1", "EndpointSlice", "default")
            ready = [
                endpoint["addresses"][0]
                for found in slices
                for endpoint in found["endpoints"] or ()
                if endpoint["conditions"]["ready"]
            ]
            assert len(ready) == 2, str(ready)
            return sorted(ready)

        addresses = eventually(endpoints, 60, "the slice has both pods", 0.1)
        with urllib.request.urlopen(f"http://{addresses[0]}:8000/v1/models", timeout=10) as answer:
            models = json.load(answer)
    print(json.dumps({"addresses": addresses, "models": [row["id"] for row in models["data"]]}))


if __name__ == "__main__":
    main()
