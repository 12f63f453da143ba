"""With `gateway.endpoints: Pods` replicas are found by their pods, and with the right to them alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.gateway.conftest import SECRETS_OF
from tests.integration.gateway.scene import Scene, answers
from tests.support.chart import render
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import GATEWAY, SYSTEM, Installation
from tests.support.engine_stand_in import EngineStandIn


def give_rights(admin: Admin, endpoints: str) -> None:
    values = {"secretNamespaces": [SECRETS_OF], "gateway": {"endpoints": endpoints}}
    for one in render(values, namespace=SYSTEM):
        if one["kind"] == "ClusterRole" and one["metadata"]["name"] == GATEWAY:
            admin.apply(one)


@pytest.fixture
def by_pods(installation: Installation, admin: Admin) -> Iterator[None]:
    give_rights(admin, "Pods")
    yield
    give_rights(admin, "EndpointSlices")


def run_pod(scene: Scene, deployment: str, engine: EngineStandIn) -> None:
    """A pod as a kubelet would say it is: ready, at the engine's address."""
    container = {
        "name": "engine",
        "image": "engine",
        "ports": [{"name": "http", "containerPort": engine.port}],
    }
    labels = {"pointsman.dev/deployment": deployment, "pointsman.dev/role": "leader"}
    scene.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": engine.name, "labels": labels},
            "spec": {"containers": [container]},
        }
    )
    say_ready(scene, engine, "True")


def say_ready(scene: Scene, engine: EngineStandIn, ready: str) -> None:
    status = {
        "podIP": engine.host,
        "podIPs": [{"ip": engine.host}],
        "conditions": [{"type": "Ready", "status": ready}],
    }
    scene.admin.patch("v1", "Pod", engine.name, {"status": status}, scene.namespace, subresource="status")


@pytest.mark.usefixtures("by_pods")
def test_ready_pods_are_served_from(scene: Scene) -> None:
    engine = scene.engine("a-0")
    scene.deployment("a")
    scene.route("chat", ["a"])
    gateway = scene.gateway("gateway-0", "--endpoints", "pods")
    answers(gateway, "chat", 503)
    run_pod(scene, "a", engine)
    answers(gateway, "chat")
    say_ready(scene, engine, "False")
    answers(gateway, "chat", 503)
