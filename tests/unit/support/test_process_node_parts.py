"""The parts of the process node that decide, without processes: environment, translation, status, volumes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster.process_node.container_state import ContainerState
from tests.support.cluster.process_node.environment import (
    MissingReference,
    Sources,
    container_environment,
    quantity,
    service_environment,
)
from tests.support.cluster.process_node.images import Image, find_image, known_images
from tests.support.cluster.process_node.pod_status import Ended, PodPicture, status
from tests.support.cluster.process_node.references import referenced
from tests.support.cluster.process_node.translation import Translation
from tests.support.cluster.process_node.volumes import write_together

Json = dict[str, Any]

POD: Json = {
    "metadata": {"name": "web", "namespace": "team", "uid": "u", "labels": {"app": "web", "b": "2"}},
    "spec": {"nodeName": "n", "serviceAccountName": "robot", "containers": []},
    "status": {"podIP": "127.70.0.9", "podIPs": [{"ip": "127.70.0.9"}], "hostIP": "127.0.0.1"},
}
SOURCES = Sources(
    {"settings": {"metadata": {"name": "settings"}, "data": {"colour": "blue", "size": "9"}}},
    {"keys": {"metadata": {"name": "keys"}, "data": {"key": base64.b64encode(b"s3cret").decode()}}},
    {"cpu": "8", "memory": "16Gi"},
)


def variable(name: str, **source: Any) -> Json:
    return {"name": name, "valueFrom": source}


@pytest.mark.parametrize(
    ("container", "wanted"),
    [
        pytest.param({"env": [{"name": "A", "value": "1"}]}, {"A": "1"}, id="a value"),
        pytest.param({"env": [{"name": "A"}]}, {"A": ""}, id="no value is an empty one"),
        pytest.param(
            {"env": [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)$(C)-$$(A)"}]},
            {"A": "x", "B": "x$(C)-$(A)"},
            id="references to what came before, unknown names and dollars",
        ),
        pytest.param(
            {"env": [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "x"}]},
            {"B": "$(A)", "A": "x"},
            id="what comes later is not known yet",
        ),
        pytest.param(
            {"envFrom": [{"prefix": "P_", "configMapRef": {"name": "settings"}}]},
            {"P_colour": "blue", "P_size": "9"},
            id="all of a ConfigMap",
        ),
        pytest.param(
            {
                "envFrom": [{"configMapRef": {"name": "settings"}}],
                "env": [{"name": "colour", "value": "red"}],
            },
            {"colour": "red", "size": "9"},
            id="what is stated wins over what is drawn in",
        ),
        pytest.param(
            {"env": [variable("K", secretKeyRef={"name": "keys", "key": "key"})]}, {"K": "s3cret"}, id="a key"
        ),
        pytest.param(
            {"env": [variable("K", secretKeyRef={"name": "none", "key": "key", "optional": True})]},
            {},
            id="an optional one that is not there",
        ),
        pytest.param(
            {
                "env": [
                    variable("IP", fieldRef={"fieldPath": "status.podIP"}),
                    variable("ACCOUNT", fieldRef={"fieldPath": "spec.serviceAccountName"}),
                    variable("APP", fieldRef={"fieldPath": "metadata.labels['app']"}),
                    variable("IPS", fieldRef={"fieldPath": "status.podIPs"}),
                ]
            },
            {"IP": "127.70.0.9", "ACCOUNT": "robot", "APP": "web", "IPS": "127.70.0.9"},
            id="fields",
        ),
        pytest.param(
            {
                "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1500m"}},
                "env": [
                    variable("MB", resourceFieldRef={"resource": "limits.memory", "divisor": "1Mi"}),
                    variable("CPU", resourceFieldRef={"resource": "requests.cpu", "divisor": "0"}),
                    variable("ALL", resourceFieldRef={"resource": "limits.cpu"}),
                ],
            },
            {"MB": "1024", "CPU": "2", "ALL": "8"},
            id="resources, rounded up, and the node's where there is no limit",
        ),
    ],
)
def test_environment(container: Json, wanted: dict[str, str]) -> None:
    assert container_environment(POD, container, SOURCES) == wanted


def test_services_of_the_namespace_are_variables() -> None:
    service = {
        "metadata": {"name": "vllm"},
        "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 80, "name": "http", "protocol": "TCP"}]},
    }
    headless = {"metadata": {"name": "quiet"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}
    assert service_environment([service, headless]) == {
        "VLLM_SERVICE_HOST": "10.96.0.9",
        "VLLM_SERVICE_PORT": "80",
        "VLLM_SERVICE_PORT_HTTP": "80",
        "VLLM_PORT": "tcp://10.96.0.9:80",
        "VLLM_PORT_80_TCP": "tcp://10.96.0.9:80",
        "VLLM_PORT_80_TCP_PROTO": "tcp",
        "VLLM_PORT_80_TCP_PORT": "80",
        "VLLM_PORT_80_TCP_ADDR": "10.96.0.9",
    }


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"envFrom": [{"secretRef": {"name": "none"}}]}, 'secret "none" not found'),
        (
            {"env": [variable("A", configMapKeyRef={"name": "settings", "key": "x"})]},
            "couldn't find key x in ConfigMap team/settings",
        ),
    ],
)
def test_what_is_missing_is_said_as_a_kubelet_says_it(container: Json, said: str) -> None:
    with pytest.raises(MissingReference) as missing:
        container_environment(POD, container, SOURCES)
    assert str(missing.value) == said


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("1500m", 1.5), ("1Ki", 1024), ("2G", 2_000_000_000)])
def test_quantities(text: str, number: float) -> None:
    assert float(quantity(text)) == number


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/weights/model.gguf", "/here/w/model.gguf"),
        ("/weights", "/here/w"),
        ("/weights-of-others/x", "/weights-of-others/x"),
        ("/data/weights/x", "/data/weights/x"),
        ("/weights/adapters/a", "/here/a/a"),
        ("lora=/weights/adapters/a,other=/weights/b", "lora=/here/a/a,other=/here/w/b"),
        ("file:///weights/x", "file:///here/w/x"),
        ("0.0.0.0", "127.9.9.9"),
        ("http://localhost:8000/v1", "http://127.9.9.9:8000/v1"),
        ("http://127.0.0.1:8000", "http://127.9.9.9:8000"),
        ("127.0.0.10", "127.0.0.10"),
        ("--listen=:8080", "--listen=127.9.9.9:8080"),
        (":8080", "127.9.9.9:8080"),
        ("model:8080", "model:8080"),
        ("my-localhost.example", "my-localhost.example"),
    ],
)
def test_translation(text: str, wanted: str) -> None:
    paths = {"/weights": "/here/w", "/weights/adapters": "/here/a"}
    assert Translation(paths, "127.9.9.9").text(text) == wanted


RUNNING = ContainerState("main", "i").runs("t", "id", "image")
READY = ContainerState("main", "i", {"running": {}}, ready=True, started=True)
WAITING = ContainerState("main", "i").waits("ContainerCreating")
CRASHED = RUNNING.ends(1, "Error", "t", "t", "").waits("CrashLoopBackOff")
DONE = RUNNING.ends(0, "Completed", "t", "t", "")
FAILED = RUNNING.ends(1, "Error", "t", "t", "")


@dataclass(frozen=True)
class Case:
    main: Sequence[ContainerState]
    want_phase: str
    want_ready: str = "False"
    policy: str = "Always"
    init: Sequence[ContainerState] = ()
    sidecar: bool = False
    gates: Sequence[str] = ()
    ended: Ended | None = None
    want_reason: str | None = None


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case([WAITING], "Pending", want_reason="ContainersNotReady"), id="not begun"),
        pytest.param(Case([RUNNING], "Running", want_reason="ContainersNotReady"), id="running, not ready"),
        pytest.param(Case([READY], "Running", "True"), id="ready"),
        pytest.param(
            Case([READY], "Running", gates=["x/y"], want_reason="ReadinessGatesNotReady"), id="a gate"
        ),
        pytest.param(Case([CRASHED], "Running"), id="crashing is running"),
        pytest.param(Case([DONE], "Succeeded", policy="Never", want_reason="PodCompleted"), id="done"),
        pytest.param(Case([FAILED], "Failed", policy="Never", want_reason="PodFailed"), id="failed"),
        pytest.param(Case([FAILED], "Running", policy="OnFailure"), id="failed, to be tried again"),
        pytest.param(Case([DONE, READY], "Running", policy="Never"), id="one of two is done"),
        pytest.param(Case([WAITING], "Pending", init=[RUNNING]), id="initialising"),
        pytest.param(Case([WAITING], "Failed", policy="Never", init=[FAILED]), id="not to be initialised"),
        pytest.param(
            Case([READY], "Running", init=[RUNNING], sidecar=True), id="a sidecar that is not ready"
        ),
        pytest.param(Case([READY], "Running", "True", init=[READY], sidecar=True), id="with a sidecar"),
        pytest.param(
            Case([READY], "Failed", ended=Ended("Evicted", "m"), want_reason="PodFailed"), id="evicted"
        ),
    ],
)
def test_status(case: Case) -> None:
    init = [{"name": "main", **({"restartPolicy": "Always"} if case.sidecar else {})}] if case.init else []
    spec = {
        "restartPolicy": case.policy,
        "initContainers": init,
        "readinessGates": [{"conditionType": gate} for gate in case.gates],
    }
    picture = PodPicture(
        spec, 1, (), case.init, case.main, "127.1.1.1", "127.0.0.1", "t", "now", ended=case.ended
    )
    found = status(picture)
    ready = next(one for one in found["conditions"] if one["type"] == "Ready")
    assert found["phase"] == case.want_phase
    assert ready["status"] == case.want_ready
    if case.want_reason is not None:
        assert ready["reason"] == case.want_reason


def test_an_init_container_is_ready_when_it_has_ended_well() -> None:
    spec = {"initContainers": [{"name": "main"}]}

    def ready(state: ContainerState) -> bool:
        picture = PodPicture(spec, 1, (), [state], [WAITING], "127.1.1.1", "127.0.0.1", "t", "now")
        return bool(status(picture)["initContainerStatuses"][0]["ready"])

    assert [ready(state) for state in (READY, FAILED, DONE)] == [False, False, True]


def test_a_transition_has_the_time_at_which_the_status_changed() -> None:
    before: Json = {"type": "Ready", "status": "True", "lastTransitionTime": "then"}
    spec = {"restartPolicy": "Always"}

    def ready(state: ContainerState) -> Json:
        picture = PodPicture(spec, 1, [before], (), [state], "127.1.1.1", "127.0.0.1", "t", "now")
        return next(one for one in status(picture)["conditions"] if one["type"] == "Ready")

    assert ready(READY)["lastTransitionTime"] == "then"
    assert ready(RUNNING)["lastTransitionTime"] == "now"


def test_the_files_of_a_volume_change_together_and_go_together(tmp_path: Path) -> None:
    write_together(tmp_path, {"a": b"1", "sub/b": b"2"})
    version = (tmp_path / "..data").resolve()
    write_together(tmp_path, {"a": b"1", "sub/b": b"2"})
    assert (tmp_path / "..data").resolve() == version, "nothing changed"
    write_together(tmp_path, {"a": b"3"})
    assert (tmp_path / "a").read_bytes() == b"3"
    assert not (tmp_path / "sub").exists()
    assert not version.exists()


def test_everything_that_a_pod_refers_to_is_found() -> None:
    spec = {
        "containers": [{"envFrom": [{"secretRef": {"name": "s1"}}]}],
        "initContainers": [{"env": [variable("A", configMapKeyRef={"name": "c1", "key": "k"})]}],
        "volumes": [
            {"secret": {"secretName": "s2"}},
            {"projected": {"sources": [{"configMap": {"name": "c2"}}, {"secret": {"name": "s3"}}]}},
        ],
    }
    assert referenced({"spec": spec}) == ({"c1", "c2"}, {"s1", "s2", "s3"})


@pytest.mark.parametrize(
    ("reference", "command", "runs"),
    [
        ("ghcr.io/ggml-org/llama.cpp:server", ["/app/llama-server"], "tests.support.engines.llama_server"),
        ("ghcr.io/ggml-org/llama.cpp@sha256:0", [], "tests.support.engines.llama_server"),
        ("vllm/vllm-openai:v0.33.0", [], "tests.support.engines.vllm"),
        ("vllm/vllm-openai-rocm:v0.33.0", ["vllm", "serve"], "tests.support.engines.vllm"),
        (
            "lmsysorg/sglang:v0.5.23",
            ["python3", "-m", "sglang.launch_server"],
            "tests.support.engines.sglang",
        ),
        ("ghcr.io/huggingface/text-embeddings-inference:cpu-1.9", [], "tests.support.engines.tei"),
        ("registry.example/pointsman:1.0", ["pointsman"], "pointsman.cli.main"),
    ],
)
def test_the_product_s_images_stand_for_programs(reference: str, command: list[str], runs: str) -> None:
    image = find_image(known_images(), reference)
    assert image is not None
    assert runs in image.command(command, ["--flag"])


def test_an_unknown_image_stands_for_nothing_and_unknown_words_for_themselves() -> None:
    assert find_image(known_images(), "nginx:1") is None
    assert Image("a:*", ("/bin/a",)).command(["sh", "-c"], ["true"]) == ["sh", "-c", "true"]
