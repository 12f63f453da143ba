"""Replicas follow what arrives at gateways, and no request fails on the way."""

from __future__ import annotations

import pytest

from tests.integration.autoscaler.scene import GATEWAY_LABELS, Scene, answered, model
from tests.integration.operator.deployments import API
from tests.support.cluster.installation import SYSTEM
from tests.support.polling import eventually

pytestmark = pytest.mark.timeout(600)

ROUTE = {
    "apiVersion": API,
    "kind": "ModelRoute",
    "metadata": {"name": "chat"},
    "spec": {
        "models": ["chat"],
        "rules": [{"targets": [{"deployment": "chat", "weight": 100}]}],
        "authentication": {"anonymous": True},
    },
}


def test_what_arrives_at_gateways_is_followed_and_no_request_fails(scene: Scene) -> None:
    scene.create(model())
    scene.create(ROUTE)
    gateway = scene.gateway()
    labels = ",".join(f"{name}={value}" for name, value in sorted(GATEWAY_LABELS.items()))
    scene.autoscaler("autoscaler-0", "--gateway-pods", f"{SYSTEM}/{labels}")
    scene.wait(1, ready=1, state=("True", "Active"))
    url = f"http://127.0.0.1:{gateway.port}"
    eventually(lambda: answered(url, "chat"), 60, "the route serves")
    with scene.load(8, gateway=url) as answers:
        scene.wait(3, ready=3, state=("True", "Active"))
        more = answers[True] + 8
        eventually(lambda: answers[True] >= more, 60, "all of them answer")
    scene.wait(1, ready=1)
    assert answers[False] == 0
