"""A model that nobody asks runs nowhere, and the request that wakes it is answered."""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.autoscaler.scene import GATEWAY_LABELS, Scene, model
from tests.integration.autoscaler.test_gateways import ROUTE
from tests.integration.operator.deployments import conditions
from tests.support.cluster.installation import SYSTEM
from tests.support.polling import eventually

pytestmark = pytest.mark.timeout(600)


def test_an_idle_model_goes_to_zero_and_comes_back_for_the_request_that_is_held(scene: Scene) -> None:
    scene.create(model(minReplicas=1, idle={"after": "2s"}))
    scene.create(ROUTE)
    gateway = scene.gateway()
    labels = ",".join(f"{name}={value}" for name, value in sorted(GATEWAY_LABELS.items()))
    scene.autoscaler("autoscaler-0", "--own-policy", "--gateway-pods", f"{SYSTEM}/{labels}")
    scene.wait(0, ready=0, state=("True", "Active"))
    eventually(
        lambda: conditions(scene.get()).get("Ready") == ("True", "Idle"), 60, "nothing runs, and that is well"
    )
    assert "condition met" in scene.kubectl("wait", "--for=condition=Ready", "modeldeployment/chat")
    question = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/chat/completions",
        data=question,
        headers={"content-type": "application/json"},
    )

    def asked() -> tuple[int, str, bytes]:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, answer.headers["x-pointsman-attempts"], answer.read()

    with ThreadPoolExecutor(1) as asking:
        held = asking.submit(asked)
        # While it is answered: once nobody asks, the replica goes again.
        scene.wait(1, ready=1)
        status, attempts, body = held.result(300)
    assert (status, attempts) == (200, "2")
    assert body
