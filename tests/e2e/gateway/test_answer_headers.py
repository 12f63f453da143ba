"""What of a target's headers reaches a client: what concerns its request, not who the target is."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.gateway.raw_http import RawAnswer, exchange, head
from tests.e2e.gateway.scene import Scene
from tests.support.builders import deployment, route

BODY = b'{"model":"chat","messages":[]}'

KEPT = {
    "x-request-id": "req_1",
    "openai-processing-ms": "12",
    "openai-version": "2020-10-01",
    "x-ratelimit-remaining-requests": "7",
    "retry-after": "3",
    "x-should-retry": "false",
}
HIDDEN = {
    "server": "llama.cpp",
    "via": "1.1 engine",
    "x-powered-by": "vLLM",
    "x-pm-retry": "noCapacity",
    "x-envoy-upstream-service-time": "5",
    "openai-organization": "org-ours",
    "openai-project": "proj-ours",
    "set-cookie": "__cf_bm=1; domain=api.example.com",
    "alt-svc": 'h3=":443"; ma=86400',
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
}


async def _asked(scene: Scene, status: str) -> RawAnswer:
    said = "".join(f"{name}: {value}\r\n" for name, value in {**KEPT, **HIDDEN}.items())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\n{said}\r\n{{}}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [port]})
        headers = [("content-type", "application/json"), ("content-length", str(len(BODY)))]
        return await exchange(scene.url, head("POST", "/v1/chat/completions", headers), BODY)


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Internal Server Error"])
async def test_what_a_target_says_of_itself_stays_here(scene: Scene, status: str) -> None:
    answer = await _asked(scene, status)
    assert (answer.status, answer.body) == (int(status[:3]), b"{}")
    assert not set(HIDDEN) & set(answer.headers)
    assert {name: answer.headers[name] for name in KEPT} == KEPT
