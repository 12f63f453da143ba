"""KWOK plays nodes and pods by the hundred on a real control plane."""

from __future__ import annotations

from typing import Any

from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.fake_nodes import make_fake_nodes
from tests.support.polling import eventually

PODS = 200


def test_hundreds_of_pods_are_ready_have_addresses_and_go() -> None:
    with ControlPlane.start(Options(kwok=True, audit=False)) as plane:
        make_fake_nodes(plane.admin, 3, gpus=PODS, labels={"nvidia.com/gpu.product": "NVIDIA-L4"})
        labels = {"app": "many"}
        sidecar = {"name": "agent", "image": "a:1", "restartPolicy": "Always"}
        spec: dict[str, Any] = {
            "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"},
            "initContainers": [{"name": "weights", "image": "w:1"}, sidecar],
            "containers": [
                {"name": "main", "image": "e:1", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
            ],
        }
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "many"},
            "spec": {
                "replicas": PODS,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "many"},
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        }
        plane.admin.create(service)
        plane.admin.create(deployment)

        def endpoints() -> int:
            slices = plane.admin.list(
                "discovery.k8s.io/v1", "EndpointSlice", "default", labels="kubernetes.io/service-name=many"
            )
            addresses = {
                address
                for found in slices
                for one in found["endpoints"] or ()
                if one["conditions"]["ready"]
                for address in one["addresses"]
            }
            return len(addresses)

        eventually(lambda: endpoints() == PODS, 60, "each pod has an address of its own", 0.2)
        plane.admin.delete("apps/v1", "Deployment", "many")
        eventually(lambda: not plane.admin.list("v1", "Pod", "default"), 60, "all are gone", 0.2)
