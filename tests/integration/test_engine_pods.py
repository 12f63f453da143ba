"""Pods of engines on a process node: the real llama.cpp server, and scripted engines for GPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conditions import facts, seen
from tests.support.clients import OpenAIClient
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import NodeSettings, RunningNode, gpu_labels
from tests.support.packaged_weights import gemma_file
from tests.support.polling import eventually_async

Json = dict[str, Any]

TEMPLATE = "{% for m in messages %}Question: {{ m.content }}\nAnswer:{% endfor %}"


@pytest.fixture
def node(control_plane: ControlPlane) -> Iterator[RunningNode]:
    settings = NodeSettings(
        name="node-gpu",
        cpu="64",
        gpus=2,
        labels=gpu_labels("NVIDIA-L4", memory_mebibytes=23034, count=2),
        restart_backoff_seconds=0.2,
        resync_seconds=0.2,
    )
    with RunningNode(control_plane, settings) as running:
        yield running


def engine_pod(name: str, container: Json, **spec: Any) -> Json:
    containers = [{"name": "engine", **container}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": containers, "terminationGracePeriodSeconds": 10, **spec},
    }


def http(path: str, port: int) -> Json:
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1, "failureThreshold": 60}


async def test_a_pod_with_a_real_engine_answers_a_chat_request(
    node: RunningNode, admin: Admin, namespace: str, tmp_path: Path
) -> None:
    weights = gemma_file(tmp_path)
    template = {"name": "template"}
    admin.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": template, "data": {"chat.jinja": TEMPLATE}},
        namespace,
    )
    container = {
        "image": "ghcr.io/ggml-org/llama.cpp:server",
        "args": [
            *(
                "--model",
                f"/weights/{weights.name}",
                "--alias",
                "gemma",
                "--host",
                "0.0.0.0",
                "--port",
                "8080",
            ),
            *("--ctx-size", "1024", "--parallel", "2", "--metrics", "--temp", "0"),
            *("--chat-template-file", "/etc/pointsman/chat.jinja"),
        ],
        "startupProbe": http("/health", 8080),
        "readinessProbe": http("/health", 8080),
        "volumeMounts": [
            {"name": "weights", "mountPath": "/weights", "readOnly": True},
            {"name": "template", "mountPath": "/etc/pointsman"},
        ],
    }
    volumes = [
        {"name": "weights", "hostPath": {"path": str(weights.parent)}},
        {"name": "template", "configMap": {"name": "template"}},
    ]
    admin.create(engine_pod("llama", container, volumes=volumes), namespace)
    found = await seen(admin, namespace, "llama", ready=True, within_seconds=100)
    async with OpenAIClient(f"http://{found['status']['podIP']}:8080") as client:
        assert await client.models() == ("gemma",)
        answer = await client.chat("gemma", "What is the capital of France?", max_tokens=8)
    assert answer.ok, str(answer)
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]


async def test_gpus_are_counted_and_a_third_engine_waits_for_a_free_one(
    node: RunningNode, admin: Admin, namespace: str
) -> None:
    container = {
        "image": "vllm/vllm-openai:v0.33.0",
        "args": ["/weights", "--host", "0.0.0.0", "--port", "8000", "--served-model-name", "large"],
        "resources": {"limits": {"nvidia.com/gpu": "1"}},
        "readinessProbe": http("/v1/models", 8000),
    }
    for name in ("a", "b"):
        admin.create(engine_pod(name, container), namespace)
        await seen(admin, namespace, name, ready=True)
    admin.create(engine_pod("c", container), namespace)

    def refused() -> bool:
        conditions = admin.get("v1", "Pod", "c", namespace)["status"].get("conditions", ())
        return any("Insufficient nvidia.com/gpu" in one.get("message", "") for one in conditions)

    await eventually_async(refused, 30, "the scheduler has no device for it")
    admin.delete("v1", "Pod", "a", namespace)
    found = await seen(admin, namespace, "c", ready=True)
    async with OpenAIClient(f"http://{found['status']['podIP']}:8000") as client:
        assert (await client.stream_chat("large")).ok


async def test_an_engine_is_scripted_by_its_environment(
    node: RunningNode, admin: Admin, namespace: str
) -> None:
    script = {"start_seconds": 0.0, "crash_at_start": "torch.OutOfMemoryError: CUDA out of memory"}
    container = {
        "image": "lmsysorg/sglang:v0.5.23",
        "command": ["python3", "-m", "sglang.launch_server"],
        "args": ["--model-path", "/weights", "--host", "0.0.0.0"],
        "env": [{"name": "ENGINE_SCRIPT", "value": json.dumps(script)}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    admin.create(engine_pod("crashes", container), namespace)
    found = await seen(admin, namespace, "crashes", waiting="CrashLoopBackOff")
    (status,) = found["status"]["containerStatuses"]
    assert "CUDA out of memory" in status["lastState"]["terminated"]["message"]


async def test_a_deployment_is_rolled_out_scaled_and_its_pods_are_those_of_its_service(
    node: RunningNode, admin: Admin, namespace: str
) -> None:
    labels = {"app": "small"}
    container = {
        "name": "engine",
        "image": "vllm/vllm-openai:v0.33.0",
        "args": ["/weights", "--host", "0.0.0.0", "--port", "8000", "--shutdown-timeout", "5"],
        "readinessProbe": http("/v1/models", 8000),
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "small"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    admin.create(deployment, namespace)

    def available(count: int) -> Any:
        return lambda found: found["status"].get("availableReplicas", 0) == count

    admin.wait_for("apps/v1", "Deployment", "small", namespace, until=available(2))
    admin.patch("apps/v1", "Deployment", "small", {"spec": {"replicas": 1}}, namespace)
    await eventually_async(lambda: len(admin.list("v1", "Pod", namespace)) == 1, 30, "one is left")
    (left,) = admin.list("v1", "Pod", namespace)
    assert facts(left)["ready"]
