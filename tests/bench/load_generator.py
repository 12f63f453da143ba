"""Closed-loop load on one URL: so many connections, each with one request at a time.

`wrk` where it is installed (Debian: `apt-get install wrk`), else a generator on raw sockets of our own, which
costs more processor time for each request and is good for comparisons within one run alone.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.clients import require_loopback

_SCRIPT = Path(__file__).with_name("chat.lua")


@dataclass(frozen=True)
class Load:
    """What came of one stretch of load."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds


def generator_name() -> str:
    """`wrk`, or what is used in its place with what to install."""
    return "wrk" if shutil.which("wrk") else "own generator (for less noise: apt-get install wrk)"


async def load(url: str, body: bytes, *, connections: int, seconds: float, api_key: str = "") -> Load:
    """Post `body` to `url` for so long. Raises AssertionError when any request failed."""
    require_loopback(url)
    if shutil.which("wrk"):
        done = await _wrk(url, body, connections, seconds, api_key)
    else:
        done = await _own(url, body, connections, seconds, api_key)
    assert done.failed == 0, f"{done.failed} of {done.requests} requests to {url} failed"
    return done


async def _wrk(url: str, body: bytes, connections: int, seconds: float, api_key: str) -> Load:
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        process = await asyncio.create_subprocess_exec(
            *(
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{round(seconds)}s",
                "-s",
                str(_SCRIPT),
                url,
                "--",
                file.name,
            ),
            *((api_key,) if api_key else ()),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    lines = [line for line in output.decode().splitlines() if line.startswith("{")]
    assert process.returncode == 0, output.decode()
    assert lines, output.decode()
    return Load(**json.loads(lines[-1]))


async def _own(url: str, body: bytes, connections: int, seconds: float, api_key: str) -> Load:
    target = urlsplit(url)
    key = f"authorization: Bearer {api_key}\r\n" if api_key else ""
    head = (
        f"POST {target.path or '/'} HTTP/1.1\r\nhost: {target.netloc}\r\ncontent-type: application/json\r\n"
        f"{key}content-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    began = time.monotonic()
    workers = (
        _connection(target.hostname or "", target.port or 80, request, began + seconds)
        for _ in range(connections)
    )
    results = await asyncio.gather(*workers)
    latencies = sorted(latency for seen, _ in results for latency in seen)
    failed = sum(bad for _, bad in results)
    return Load(
        requests=len(latencies),
        seconds=time.monotonic() - began,
        p50_ms=statistics.median(latencies) * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        failed=failed,
    )


async def _connection(host: str, port: int, request: bytes, until: float) -> tuple[list[float], int]:
    latencies: list[float] = []
    failed = 0
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while time.monotonic() < until:
            sent_at = time.monotonic()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await _read_body(reader, head.lower())
            latencies.append(time.monotonic() - sent_at)
            if not head.startswith(b"HTTP/1.1 200"):
                failed += 1
    finally:
        writer.close()
    return latencies, failed


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> None:
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
        return
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or b"0"))
