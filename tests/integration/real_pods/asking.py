"""Asking a gateway for a model."""

from __future__ import annotations

import json
import urllib.request

from tests.support.cluster.installation import GatewayProcess


def asked_for(gateway: GatewayProcess, model: str) -> str:
    """The model that the engine says it answered as."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/chat/completions", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["model"])
