"""Pods for tests of the process node, the images they name, and the node that has them."""

from __future__ import annotations

import sys
from typing import Any

import aiohttp

from tests.support.cluster.process_node import Image, NodeSettings, ProcessNode, gpu_labels
from tests.support.cluster.process_node.images import TREE, module
from tests.support.polling import eventually_async

PYTHON = Image("python:*", (sys.executable,))
SHELL = Image("shell:*", ("/bin/sh", "-c"))
SERVER = Image("server:*", module("tests.integration.container_program"), environment=TREE)

Json = dict[str, Any]


def node_settings() -> NodeSettings:
    """A node with two GPUs and little patience."""
    return NodeSettings(
        name="node-a",
        cpu="64",
        gpus=2,
        labels=gpu_labels("NVIDIA-H100-80GB-HBM3", memory_mebibytes=81559, count=2),
        images=(PYTHON, SHELL, SERVER),
        restart_backoff_seconds=0.2,
        pull_backoff_seconds=0.5,
        resync_seconds=0.2,
    )


def pod(name: str, *containers: Json, **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 2, **spec},
    }


def shell(script: str, name: str = "main", **fields: Any) -> Json:
    return {"name": name, "image": "shell:1", "args": [script], **fields}


async def printed(node: ProcessNode, namespace: str, name: str, wanted: str, container: str = "main") -> None:
    def look() -> bool:
        text = node.log(namespace, name, container)
        assert text == wanted, text
        return True

    await eventually_async(look, 30, f"what {name} printed")


def server(name: str = "main", port: int = 8080, **fields: Any) -> Json:
    """A container with an HTTP server; see `container_program`."""
    ports = [{"name": "http", "containerPort": port}]
    return {"name": name, "image": "server:1", "args": ["0.0.0.0", str(port)], "ports": ports, **fields}


def probe(path: str, **fields: Any) -> Json:
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 30, **fields}


async def say(found: Json, code: int, path: str, port: int = 8080) -> None:
    """Make the server answer `code` to a path."""
    async with aiohttp.ClientSession() as session:
        await session.get(f"http://{found['status']['podIP']}:{port}/say/{code}{path}")
