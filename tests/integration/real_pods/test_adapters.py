"""Adapters from the deployment's list to a client's answer: pods load them, routes ask for them by name."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway.scene import answers
from tests.integration.operator.deployments import API, GEMMA, IMAGE, KIND, own, wait_until
from tests.integration.real_pods.asking import asked_for, gateway_of_pods
from tests.integration.real_pods.conftest import START_SECONDS
from tests.support import manifests
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import GatewayProcess, Installation
from tests.support.cluster.process_node import NodeSettings, RunningNode
from tests.support.engines.adapters import CONFIGURATION
from tests.support.polling import eventually

Json = dict[str, Any]

GERMAN, FRENCH = "support-de", "acme/support-fr:v1.5"
IMAGES = {GERMAN: "models.example.com/support-de:1", FRENCH: "models.example.com/support-fr:1"}
ENGINES = ("vllm", "sglang")


@pytest.fixture
def node(control_plane: ControlPlane, settings: NodeSettings, tmp_path: Path) -> Iterator[RunningNode]:
    """The package's node, with the adapters in images."""
    folders = {}
    for number, image in enumerate(IMAGES.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / CONFIGURATION).write_text(json.dumps({"peft_type": "LORA", "r": 64}))
        folders[image] = str(folder)
    stated = replace(settings, image_volumes={**settings.image_volumes, **folders})
    with RunningNode(control_plane, stated) as running:
        yield running


@pytest.fixture
def gateway(installation: Installation, admin: Admin) -> Iterator[GatewayProcess]:
    with gateway_of_pods(installation, admin) as running:
        yield running


def tuned(engine: str, *adapters: str) -> Json:
    listed = [{"name": name, "source": f"oci://{IMAGES[name]}"} for name in adapters]
    model = {"source": f"oci://{IMAGE}", "contextLength": 2048, "facts": GEMMA, "adapters": listed}
    return own("chat", engine={"name": engine}, model=model, hardware={"accelerators": ["L4"]})


def resolved(admin: Admin, namespace: str, route: str, status: str, reason: str) -> None:
    def holds(found: Json) -> bool:
        said = {one["type"]: (one["status"], one["reason"]) for one in found["status"].get("conditions", ())}
        return said.get("ResolvedRefs") == (status, reason)

    admin.wait_for(
        API,
        "ModelRoute",
        route,
        namespace,
        until=lambda found: "status" in found and holds(dict(found)),
    )


def models(admin: Admin, namespace: str) -> set[str]:
    """What the only pod's engine says that it serves."""
    pods = admin.list("v1", "Pod", namespace)
    assert len(pods) == 1, "pods are being replaced"
    [pod] = pods
    with urllib.request.urlopen(f"http://{pod['status']['podIP']}:8000/v1/models", timeout=10) as answer:
        return {one["id"] for one in json.load(answer)["data"]}


def named(engine: str, adapter: str) -> str:
    """What the engine is asked for."""
    return adapter if engine == "vllm" else f"chat:{adapter}"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("node", "operator")
def test_a_route_reaches_an_adapter_once_pods_have_it(
    admin: Admin, namespace: str, gateway: GatewayProcess, engine: str
) -> None:
    # A model's name is the first one's who has it, until all of a former test are gone.
    german, french, base = (f"{engine}-{word}" for word in ("german", "french", "base"))
    admin.create(tuned(engine, GERMAN), namespace)
    for name, target in ((german, f"chat/{GERMAN}"), (french, f"chat/{FRENCH}"), (base, "chat")):
        admin.create(manifests.route(name, [target], namespace=namespace), namespace)
    wait_until(admin, "chat", namespace, START_SECONDS, Ready=("True", "ReplicasReady"))
    assert models(admin, namespace) == {"chat", GERMAN}
    for name, want in ((german, named(engine, GERMAN)), (base, "chat")):
        assert answers(gateway, name) == f"{namespace}/chat"
        assert asked_for(gateway, name) == want
    resolved(admin, namespace, french, "False", "AdapterNotFound")
    answers(gateway, french, 503)

    listed = tuned(engine, GERMAN, FRENCH)["spec"]["model"]["adapters"]
    admin.patch(API, KIND, "chat", {"spec": {"model": {"adapters": listed}}}, namespace)
    resolved(admin, namespace, french, "True", "Resolved")
    answers(gateway, french, within_seconds=START_SECONDS)
    assert asked_for(gateway, french) == named(engine, FRENCH)
    assert asked_for(gateway, german) == named(engine, GERMAN)
    eventually(lambda: models(admin, namespace) == {"chat", GERMAN, FRENCH}, START_SECONDS, "one pod is left")
