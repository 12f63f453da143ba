"""Adapters come to running pods, change and go, while requests are answered: no pod is another."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.operator.deployments import API, GEMMA, IMAGE, KIND, message, own, wait_until
from tests.integration.real_pods.asking import asked_for, gateway_of_pods
from tests.integration.real_pods.conftest import START_SECONDS
from tests.support import manifests
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import GatewayProcess, Installation
from tests.support.cluster.process_node import NodeSettings, RunningNode
from tests.support.engines.adapters import CONFIGURATION
from tests.support.event_loop_thread import EventLoopThread
from tests.support.hub import Hub, HubRepository
from tests.support.polling import eventually

Json = dict[str, Any]

REPLICAS = 2
SEEN_SECONDS = 60.0
READY = ("True", "ReplicasReady")
GERMAN, FRENCH = "support-de", "acme/support-fr:v1.5"
DE, DE_LATER, FR, NOWHERE = (f"hf://acme/support-{word}" for word in ("de", "de-2", "fr", "it"))


def repository() -> HubRepository:
    return HubRepository(
        "c" * 40, {CONFIGURATION: b'{"peft_type": "LORA", "r": 64}', "adapter.safetensors": b"x"}
    )


@pytest.fixture
def hub() -> Iterator[Hub]:
    """With all adapters but one."""
    served = Hub({source.removeprefix("hf://"): repository() for source in (DE, DE_LATER, FR)})
    with EventLoopThread("hub") as thread:
        thread.call(served.__aenter__())
        yield served
        thread.call(served.__aexit__())


@pytest.fixture
def node(control_plane: ControlPlane, settings: NodeSettings, hub: Hub) -> Iterator[RunningNode]:
    with RunningNode(control_plane, replace(settings, environment={"HF_ENDPOINT": hub.url})) as running:
        yield running


@pytest.fixture
def gateway(installation: Installation, admin: Admin) -> Iterator[GatewayProcess]:
    with gateway_of_pods(installation, admin) as running:
        yield running


def tuned(**adapters: str) -> Json:
    model = {"source": f"oci://{IMAGE}", "contextLength": 2048, "facts": GEMMA, "adapters": listed(adapters)}
    hardware = {"accelerators": ["L4"]}
    return own("chat", replicas=REPLICAS, engine={"name": "vllm"}, model=model, hardware=hardware)


def listed(adapters: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "source": source} for name, source in adapters.items()]


def relist(admin: Admin, namespace: str, adapters: Mapping[str, str]) -> None:
    admin.patch(API, KIND, "chat", {"spec": {"model": {"adapters": listed(adapters)}}}, namespace)


def until_loaded(admin: Admin, namespace: str, *names: str) -> None:
    """Until the status says that all replicas have just these."""
    wanted = dict.fromkeys(names, REPLICAS)

    def holds(found: Json) -> bool:
        said = found["status"].get("adapters", ())
        return {one["name"]: one.get("loaded", 0) for one in said} == wanted

    admin.wait_for(
        API, KIND, "chat", namespace, until=lambda one: holds(dict(one)), within_seconds=START_SECONDS
    )


def engines(admin: Admin, namespace: str) -> dict[str, str]:
    """The uid of each pod -> its engine's address."""
    found = admin.list("v1", "Pod", namespace)
    return {one["metadata"]["uid"]: f"http://{one['status']['podIP']}:8000" for one in found}


def roots(engine: str) -> dict[str, str]:
    """What an engine says it has, name -> where it read it; nothing while it starts."""
    try:
        with urllib.request.urlopen(f"{engine}/v1/models", timeout=10) as answer:
            return {one["id"]: one["root"] for one in json.load(answer)["data"]}
    except (urllib.error.URLError, OSError):
        return {}


def restarts(admin: Admin, namespace: str) -> int:
    return sum(
        container["restartCount"]
        for pod in admin.list("v1", "Pod", namespace)
        for container in pod["status"]["containerStatuses"]
    )


@contextmanager
def asking(gateway: GatewayProcess, *models: str) -> Iterator[list[str]]:
    """Clients that ask for these models without a pause; gives what failed, which is none in the end."""
    failures: list[str] = []
    answers: list[str] = []
    done = threading.Event()

    def ask(model: str, want: str) -> None:
        while not done.is_set():
            try:
                answer = asked_for(gateway, model)
                answers.append(answer)
                if answer != want:
                    failures.append(f"{model} was answered as {answer}")
            except (urllib.error.URLError, OSError) as error:
                failures.append(f"{model}: {error}")

    wanted = {"live-base": "chat", "live-german": GERMAN}
    threads = [threading.Thread(target=ask, args=(model, wanted[model])) for model in models]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(answers) > len(models)


@pytest.mark.usefixtures("node", "operator")
def test_adapters_come_change_and_go_in_running_pods(
    admin: Admin, namespace: str, gateway: GatewayProcess, hub: Hub
) -> None:
    admin.create(tuned(**{GERMAN: DE}), namespace)
    for name, target in (
        ("live-german", f"chat/{GERMAN}"),
        ("live-french", f"chat/{FRENCH}"),
        ("live-base", "chat"),
    ):
        admin.create(manifests.route(name, [target], namespace=namespace), namespace)
    wait_until(admin, "chat", namespace, START_SECONDS, Ready=READY, Progressing=("True", "Complete"))
    until_loaded(admin, namespace, GERMAN)
    eventually(lambda: answers(gateway, "live-german") == GERMAN, START_SECONDS, "the route is programmed")
    eventually(lambda: answers(gateway, "live-base") == "chat", START_SECONDS, "the route is programmed")
    before = engines(admin, namespace)

    with asking(gateway, "live-base", "live-german"):
        relist(admin, namespace, {GERMAN: DE, FRENCH: FR})
        until_loaded(admin, namespace, GERMAN, FRENCH)
        eventually(lambda: answers(gateway, "live-french") == FRENCH, SEEN_SECONDS, "the gateway knows it")

        relist(admin, namespace, {GERMAN: DE_LATER, FRENCH: FR, "support-it": NOWHERE})
        trouble = {"WeightsAvailable": ("False", "AdapterNotLoaded"), "Ready": READY}

        def why() -> str:
            found = wait_until(admin, "chat", namespace, SEEN_SECONDS, **trouble)
            return message(found, "WeightsAvailable")

        # An agent that is slow to answer is a trouble as well, for a moment.
        missing = "support-it: RepositoryNotFound: hf://acme/support-it"
        eventually(lambda: why().startswith(missing), SEEN_SECONDS, "it is said which and why")
        # One replica tells of what it has not, while the other may still be loading.
        eventually(
            lambda: all("support-de-2" in roots(engine).get(GERMAN, "") for engine in before.values()),
            SEEN_SECONDS,
            "both have the later one",
        )
        hub.repositories = {**hub.repositories, "acme/support-it": repository()}
        until_loaded(admin, namespace, GERMAN, FRENCH, "support-it")
        wait_until(admin, "chat", namespace, SEEN_SECONDS, WeightsAvailable=("True", "Available"))

        relist(admin, namespace, {GERMAN: DE_LATER})
        until_loaded(admin, namespace, GERMAN)
        eventually(
            lambda: all(set(roots(engine)) == {"chat", GERMAN} for engine in before.values()),
            SEEN_SECONDS,
            "the others are unloaded",
        )
        for path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter"):
            assert status_of(gateway, path, {"model": "live-german", "lora_name": GERMAN}) == 404
    assert (engines(admin, namespace), restarts(admin, namespace)) == (before, 0)

    crash(next(iter(before.values())))
    eventually(lambda: restarts(admin, namespace) == 1, START_SECONDS, "the engine starts again")
    eventually(
        lambda: all(GERMAN in roots(one) for one in before.values()), START_SECONDS, "it is told again"
    )
    assert engines(admin, namespace) == before


def answers(gateway: GatewayProcess, model: str) -> str:
    """The model that answered; "" where none did."""
    try:
        return asked_for(gateway, model)
    except (urllib.error.URLError, OSError):
        return ""


def status_of(gateway: GatewayProcess, path: str, body: Json) -> int:
    """Of a request through the gateway."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}{path}",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def crash(engine: str) -> None:
    """The process ends at once, connections and all."""
    with pytest.raises((urllib.error.URLError, OSError)):
        urllib.request.urlopen(urllib.request.Request(f"{engine}/_stand_in/crash", b""), timeout=10)
