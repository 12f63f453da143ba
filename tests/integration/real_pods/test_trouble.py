"""Pods that come to grief: the condition names the cause within seconds, and clears by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operator.deployments import (
    API,
    GEMMA,
    IMAGE,
    KIND,
    message,
    own,
    wait_until,
)
from tests.integration.real_pods.conftest import START_SECONDS
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import NodeSettings, RunningNode
from tests.support.event_loop_thread import EventLoopThread
from tests.support.hub import Hub, HubRepository
from tests.support.packaged_weights import gemma_file

pytestmark = pytest.mark.usefixtures("operator")

Json = dict[str, Any]

SEEN_SECONDS = 60.0
MISSING = ("False", "RepositoryNotFound")
READY = ("True", "ReplicasReady")
COMPLETE = ("True", "Complete")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def gpu_model(name: str, **spec: Any) -> Json:
    """A model for a scripted vLLM: its weights are read by nobody."""
    model = own("x")["spec"]["model"]
    stated = {"source": model["source"].partition("#")[0], "contextLength": 2048, "facts": GEMMA}
    return own(
        name,
        model=stated,
        engine={"name": "vllm", "version": "0.33.0"},
        hardware={"accelerators": ["L4"]},
        drain={"timeout": "1s"},
        **spec,
    )


def pods(admin: Admin, namespace: str) -> list[Json]:
    return sorted(
        admin.list("v1", "Pod", namespace), key=lambda one: str(one["metadata"]["creationTimestamp"])
    )


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub without the model."""
    served = Hub({})
    with EventLoopThread("hub") as thread:
        thread.call(served.__aenter__())
        yield served
        thread.call(served.__aexit__())


def test_weights_that_do_not_exist(
    admin: Admin,
    namespace: str,
    control_plane: ControlPlane,
    settings: NodeSettings,
    hub: Hub,
    tmp_path: Path,
) -> None:
    model = {
        "source": "hf://gemma/small/weights.gguf",
        "revision": COMMIT,
        "contextLength": 2048,
        "quantization": "gguf",
        "facts": GEMMA,
    }
    with RunningNode(control_plane, replace(settings, environment={"HF_ENDPOINT": hub.url})):
        admin.create(own("chat", model=model), namespace)
        found = wait_until(admin, "chat", namespace, SEEN_SECONDS, WeightsAvailable=MISSING)
        assert "hf://gemma/small" in message(found, "Ready")
        weights = gemma_file(tmp_path).read_bytes()
        hub.repositories = {"gemma/small": HubRepository(COMMIT, {"weights.gguf": weights})}
        wait_until(
            admin, "chat", namespace, START_SECONDS, WeightsAvailable=("True", "Available"), Ready=READY
        )


def test_weights_in_an_image_that_does_not_pull(
    admin: Admin, namespace: str, control_plane: ControlPlane, settings: NodeSettings
) -> None:
    images: dict[str, str] = {}
    with RunningNode(control_plane, replace(settings, image_volumes=images)):
        admin.create(gpu_model("chat"), namespace)
        found = wait_until(
            admin, "chat", namespace, SEEN_SECONDS, WeightsAvailable=("False", "ImageNotPulled")
        )
        assert message(found, "Ready") == f"the image {IMAGE}, which holds weights, cannot be pulled"
        images.update(settings.image_volumes)
        wait_until(admin, "chat", namespace, START_SECONDS, Progressing=COMPLETE, Ready=READY)


def test_an_image_that_does_not_pull(
    admin: Admin, namespace: str, control_plane: ControlPlane, settings: NodeSettings
) -> None:
    [vllm] = [one for one in settings.images if "vllm" in one.pattern and "omni" not in one.pattern]
    others = tuple(one for one in settings.images if one is not vllm)
    with RunningNode(control_plane, replace(settings, images=others)) as node:
        admin.create(gpu_model("chat"), namespace)
        found = wait_until(admin, "chat", namespace, SEEN_SECONDS, Progressing=("False", "ImageNotPulled"))
        assert "vllm/vllm-openai" in message(found, "Ready")
        node.add_image(vllm)
        wait_until(admin, "chat", namespace, START_SECONDS, Progressing=COMPLETE, Ready=READY)


def test_a_pod_that_is_evicted(admin: Admin, namespace: str, node: RunningNode) -> None:
    admin.create(gpu_model("chat"), namespace)
    wait_until(admin, "chat", namespace, START_SECONDS, Ready=READY)
    # Its successor cannot begin, so that what is said can be looked at.
    [vllm] = [one for one in node.settings.images if "vllm" in one.pattern and "omni" not in one.pattern]
    node.remove_image(vllm.pattern)
    [pod] = pods(admin, namespace)
    node.evict(namespace, pod["metadata"]["name"])
    found = wait_until(admin, "chat", namespace, SEEN_SECONDS, Progressing=("False", "Evicted"))
    assert message(found, "Ready") == "a pod was evicted: The node was low on resource: memory."
    node.add_image(vllm)
    wait_until(admin, "chat", namespace, START_SECONDS, Progressing=COMPLETE, Ready=READY)
    # Kubernetes keeps the evicted pod; it is nobody's trouble any more.
    assert [one["status"].get("reason") for one in pods(admin, namespace)] == ["Evicted", None]


def test_no_accelerator_is_free(admin: Admin, namespace: str, node: RunningNode) -> None:
    admin.create(gpu_model("first", replicas=2), namespace)
    wait_until(admin, "first", namespace, START_SECONDS, Ready=READY, Progressing=COMPLETE)
    admin.create(gpu_model("second"), namespace)
    found = wait_until(admin, "second", namespace, SEEN_SECONDS, Placed=("False", "NoAcceleratorFree"))
    assert message(found, "Ready").startswith("no node has 1 × L4 free; ")
    admin.patch(API, KIND, "first", {"spec": {"replicas": 1}}, namespace)
    wait_until(admin, "second", namespace, START_SECONDS, Placed=("True", "Placed"), Ready=READY)
