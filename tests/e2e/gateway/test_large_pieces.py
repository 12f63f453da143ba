"""A stream that comes faster than it goes: Envoy takes up to 1 MiB of it at once, and nothing goes unseen."""

from __future__ import annotations

import asyncio
import json

from tests.e2e.gateway.raw_http import chunked, exchange, head
from tests.e2e.gateway.scene import Scene
from tests.support.builders import deployment, route
from tests.support.polling import eventually_async

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % (b"x" * 3000)
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":900}}\n\n'
DONE = b"data: [DONE]\n\n"
REQUESTS, CHUNKS = 8, 900


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + chunked([CHUNK * CHUNKS + USAGE + DONE]))
    await writer.drain()
    writer.close()


async def test_tokens_are_counted_and_what_nobody_asked_for_is_taken_out(scene: Scene) -> None:
    async with await asyncio.start_server(_answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [port]})
        body = json.dumps({"model": "chat", "messages": [], "stream": True}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        for _ in range(REQUESTS):
            answer = await exchange(scene.url, head("POST", "/v1/chat/completions", headers), body)
            assert answer.status == 200, answer
            assert b"[DONE]" in answer.body[-30:]
            assert b"completion_tokens" not in answer.body[-300:]
            assert len(answer.body) > len(CHUNK) * CHUNKS

    async def counted() -> bool:
        return sum((await scene.stats("envoy_pointsman_completion_tokens")).values()) == REQUESTS * 900

    await eventually_async(counted, 30, "the answers' tokens are counted")
