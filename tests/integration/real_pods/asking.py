"""A gateway before pods of a process node, and asking it for a model."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.chart import render
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import GATEWAY, SYSTEM, GatewayProcess, Installation


@contextmanager
def gateway_of_pods(installation: Installation, admin: Admin) -> Iterator[GatewayProcess]:
    """One that reads pods itself, with the rights to."""
    _give_rights(admin, "Pods")
    with installation.gateway("gateway-0", arguments=("--endpoints", "pods")) as running:
        yield running
    _give_rights(admin, "EndpointSlices")


def asked_for(gateway: GatewayProcess, model: str) -> str:
    """The model that the engine says it answered as."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/chat/completions", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["model"])


def _give_rights(admin: Admin, endpoints: str) -> None:
    """Pods of this node have loopback addresses, which no EndpointSlice carries."""
    for one in render({"gateway": {"endpoints": endpoints}}, namespace=SYSTEM):
        if one["kind"] == "ClusterRole" and one["metadata"]["name"] == GATEWAY:
            admin.apply(one)
