"""Clients that make trouble: thousands of open streams, readers of 1 KB/s, bodies of 20 MB, hang-ups.

Counts and deadlines are bounded, and the addresses are this machine's alone.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.support.clients import Answer, OpenAIClient, require_loopback

CLIENTS_AT_MOST = 5_000
BODY_BYTES_AT_MOST = 64 * 1024 * 1024

_PIECE_BYTES = 64 * 1024
_SMALL_RECEIVE_BUFFER_BYTES = 4096
"""So that a slow reader is slow for the other side too, and not for the kernel's buffer alone."""


def allow_open_files(count: int) -> None:
    """Raise this process's soft limit of open files to `count`. Raises ValueError above the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    if hard != resource.RLIM_INFINITY and hard < count:
        raise ValueError(
            f"the hard limit of open files is {hard}; {count} are needed: raise it with ulimit -Hn"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


async def many(
    count: int, one: Callable[[int], Coroutine[Any, Any, Answer]], *, starting_at_once: int = 200
) -> list[Answer]:
    """Run `one(index)` for so many clients at the same time and return their answers in order.

    At most `starting_at_once` begin in one turn of the loop, so that a flood tests the server and not the
    listen queue.
    """
    if count > CLIENTS_AT_MOST:
        raise ValueError(f"{count} clients are more than {CLIENTS_AT_MOST}")
    allow_open_files(2 * count + 256)
    tasks: list[asyncio.Task[Answer]] = []
    for index in range(count):
        tasks.append(asyncio.create_task(one(index)))
        if index % starting_at_once == starting_at_once - 1:
            await asyncio.sleep(0.01)
    return list(await asyncio.gather(*tasks))


async def open_streams(client: OpenAIClient, model: str, count: int, **more: Any) -> list[Answer]:
    """So many streamed chats at the same time, each read to its end."""
    return await many(count, lambda index: client.stream_chat(model, f"Say hello to {index}.", **more))


def endings(answers: Sequence[Answer]) -> Counter[str]:
    """How many answers ended how; statuses other than 200 are counted apart (`error-status 503`)."""
    return Counter(
        answer.ending.value if answer.status in (0, 200) else f"{answer.ending.value} {answer.status}"
        for answer in answers
    )


@dataclass(frozen=True)
class RawAnswer:
    """What a raw client saw. `status` is 0 where no status line arrived."""

    status: int
    sent_bytes: int
    received_bytes: int
    seconds: float
    ending: str
    """`closed` by the other side, `enough` read, `reset`, or `deadline`."""


def large_chat_body(model: str, body_bytes: int, *, stream: bool = False) -> bytes:
    """A valid chat body of exactly so many bytes. Share one among clients: it is not copied."""
    if body_bytes > BODY_BYTES_AT_MOST:
        raise ValueError(f"{body_bytes} bytes are more than {BODY_BYTES_AT_MOST}")
    head = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": ""}]})
    head, tail = head[:-4], head[-4:]
    filler = body_bytes - len(head) - len(tail)
    if filler < 0:
        raise ValueError(f"a chat body has at least {len(head) + len(tail)} bytes")
    return head.encode() + b"x" * filler + tail.encode()


async def slow_client(
    url: str,
    body: bytes,
    *,
    path: str = "/v1/chat/completions",
    headers: Sequence[tuple[str, str]] = (),
    read_bytes_per_second: int = 1024,
    read_bytes: int = 1 << 40,
    deadline_seconds: float = 30.0,
) -> RawAnswer:
    """Send `body` as fast as it is taken, then read so slowly, until the end, `read_bytes` or the deadline.

    Reads while it sends, so that a 413 in the middle of the body is seen.
    """
    require_loopback(url)
    target = urlsplit(url)
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_RECEIVE_BUFFER_BYTES)
    connection.setblocking(False)
    client = _SlowClient(body, path, target.netloc, headers, read_bytes_per_second, read_bytes)
    began = time.monotonic()
    try:
        async with asyncio.timeout(deadline_seconds):
            loop = asyncio.get_running_loop()
            await loop.sock_connect(connection, (target.hostname, target.port))
            ending = await client.run(connection)
    except TimeoutError:
        ending = "deadline"
    except ConnectionError:
        ending = "reset"
    finally:
        connection.close()
    return RawAnswer(client.status(), client.sent, client.received, time.monotonic() - began, ending)


class _SlowClient:
    def __init__(
        self,
        body: bytes,
        path: str,
        host: str,
        headers: Sequence[tuple[str, str]],
        read_bytes_per_second: int,
        read_bytes: int,
    ) -> None:
        lines = [f"POST {path} HTTP/1.1", f"host: {host}", "content-type: application/json"]
        lines += [f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in headers), "", ""]
        self._head = "\r\n".join(lines).encode()
        self._body = memoryview(body)
        self._first = b""
        self._bytes_per_second = read_bytes_per_second
        self._read_bytes = read_bytes
        self.sent = 0
        self.received = 0

    def status(self) -> int:
        words = self._first.split(b" ", 2)
        return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") else 0

    async def run(self, connection: socket.socket) -> str:
        sending = asyncio.create_task(self._send(connection))
        try:
            return await self._receive(connection)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, self._head)
        while self.sent < len(self._body):
            piece = self._body[self.sent : self.sent + _PIECE_BYTES]
            await loop.sock_sendall(connection, piece)
            self.sent += len(piece)

    async def _receive(self, connection: socket.socket) -> str:
        loop = asyncio.get_running_loop()
        # Ten reads a second: a steady trickle.
        size = max(1, self._bytes_per_second // 10)
        while self.received < self._read_bytes:
            piece = await loop.sock_recv(connection, size)
            if not piece:
                return "closed"
            self.received += len(piece)
            if len(self._first) < 64:
                self._first += piece
            await asyncio.sleep(len(piece) / self._bytes_per_second)
        return "enough"
