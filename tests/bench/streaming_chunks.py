"""What one chunk of a streamed answer costs Envoy in processor time: in a plain proxy, and in the gateway.

Time on the clock says little here, because chunks come at an engine's pace; processor time says how many
tokens a second one core can carry.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

from tests.bench.arrangement import CHAT_PATH, MODEL, Side, plain_and_gateway
from tests.bench.measurement import Effort, Measurement
from tests.support.clients import chat_body
from tests.support.ports import free_port
from tests.support.processes import StartedProcess, python_module, wait_until_url_answers

_STREAMS = 64
_CHUNKS = 300
_TICK_SECONDS = 0.01
"""64 streams at 100 chunks a second: well below what one core can carry, so that chunks do not queue."""
_DEADLINE_SECONDS = 60.0


async def measure(effort: Effort) -> list[Measurement]:
    """Processor microseconds a chunk on both sides, their ratio and their difference."""
    port = free_port()
    arguments = (f"--port={port}", f"--chunks={_CHUNKS}", f"--tick-seconds={_TICK_SECONDS}")
    ratio: list[float] = []
    added: list[float] = []
    costs: dict[str, list[float]] = {"plain": [], "gateway": []}
    with StartedProcess(python_module("tests.bench.streaming_upstream", *arguments)) as upstream:
        await wait_until_url_answers(f"http://127.0.0.1:{port}/", process=upstream)
        async with plain_and_gateway(port) as sides:
            for side in sides:
                await _streams(side)
            for _ in range(effort.rounds):
                for side in sides:
                    costs[side.name].append(await _streams(side))
                plain, gateway = costs["plain"][-1], costs["gateway"][-1]
                ratio.append(gateway / plain)
                added.append(gateway - plain)
    return [
        Measurement("cpu_ratio", "ratio", tuple(ratio)),
        Measurement("cpu_added", "us/chunk", tuple(added)),
        Measurement("cpu_plain", "us/chunk", tuple(costs["plain"])),
        Measurement("cpu_gateway", "us/chunk", tuple(costs["gateway"])),
    ]


async def _streams(side: Side) -> float:
    """Read 64 streams to their end; processor microseconds that the side's Envoy used for a chunk."""
    used_before = side.cpu_seconds()
    async with asyncio.timeout(_DEADLINE_SECONDS):
        chunks = await asyncio.gather(*(_stream(side) for _ in range(_STREAMS)))
    used = side.cpu_seconds() - used_before
    assert set(chunks) == {_CHUNKS + 3}, f"{side.name}: streams of {sorted(set(chunks))} events"
    return used / sum(chunks) * 1e6


async def _stream(side: Side) -> int:
    """One streamed chat; the number of its events, `[DONE]` too. Raises AssertionError on another status."""
    target = urlsplit(side.url)
    body = json.dumps(chat_body(MODEL, stream=True, stream_options={"include_usage": True})).encode()
    key = f"authorization: Bearer {side.api_key}\r\n" if side.api_key else ""
    head = (
        f"POST {CHAT_PATH} HTTP/1.1\r\nhost: {target.netloc}\r\ncontent-type: application/json\r\n{key}"
        f"content-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    try:
        writer.write(head.encode() + body)
        status = await reader.readline()
        assert b" 200 " in status, f"{side.name}: {status!r}"
        events = 0
        tail = b""
        while b"[DONE]" not in tail:
            piece = await reader.read(65536)
            assert piece, f"{side.name}: the stream ended after {events} events"
            events += (tail[-5:] + piece).count(b"data: ") - tail[-5:].count(b"data: ")
            tail = (tail + piece)[-64:]
        return events
    finally:
        writer.close()
