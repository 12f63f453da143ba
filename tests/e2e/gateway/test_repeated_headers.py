"""Headers that come twice: each of them is taken out, not the first alone."""

from __future__ import annotations

import asyncio

from tests.e2e.gateway.raw_http import exchange, head
from tests.e2e.gateway.scene import Scene
from tests.support.builders import deployment, route

BODY = b'{"model":"chat","messages":[]}'
CLIENT_SAYS = [
    ("content-type", "application/json"),
    ("content-length", str(len(BODY))),
    ("authorization", "Bearer sk-first"),
    ("authorization", "Bearer sk-second"),
    ("x-api-key", "sk-third"),
    ("x-api-key", "sk-fourth"),
    ("cookie", "session=sk-fifth"),
    ("cookie", "session=sk-sixth"),
    ("x-pm-model", "other"),
    ("x-pm-model", "another"),
]
TARGET_SAYS = b"set-cookie: a=target\r\nvia: target\r\nx-pm-retry: target\r\n"


async def test_no_second_key_reaches_a_target_and_no_second_cookie_a_client(scene: Scene) -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + TARGET_SAYS * 2 + b"\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [port]})
        answered = await exchange(scene.url, head("POST", "/v1/chat/completions", CLIENT_SAYS), BODY)

    assert answered.status == 200
    assert not {"set-cookie", "via", "x-pm-retry"} & set(answered.headers)
    assert len(heard) == 1
    assert b"sk-" not in heard[0]
    assert b"x-pm-" not in heard[0]
