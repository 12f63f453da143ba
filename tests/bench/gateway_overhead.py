"""What the whole gateway costs a request, against the same Envoy as a plain proxy to the same upstream.

Rounds are interleaved (plain, gateway, plain, gateway, …) and compared within a round, so that a machine that
slows down slows both.
"""

from __future__ import annotations

import json

from tests.bench.arrangement import CHAT_PATH, MODEL, Side, plain_and_gateway
from tests.bench.envoy_bootstrap import answering_upstream
from tests.bench.envoy_process import EnvoyProcess, pin, processors
from tests.bench.load_generator import load
from tests.bench.measurement import Effort, Measurement
from tests.support.clients import chat_body
from tests.support.ports import free_ports

_BODY_BYTES = 1024
_CONNECTIONS = 16
"""Enough to keep one worker busy, few enough that queueing is not most of what is seen."""
_IDLE_SECONDS = 2.0
_BUSY_SECONDS = 3.0


def _body() -> bytes:
    empty = len(json.dumps(chat_body(MODEL, "")))
    return json.dumps(chat_body(MODEL, "x" * (_BODY_BYTES - empty))).encode()


async def measure(effort: Effort) -> list[Measurement]:
    """Requests per second (16 connections), p50 (1 connection) and processor time a request, both sides."""
    body = _body()
    upstream_port, admin_port = free_ports(2)
    samples: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        samples.setdefault(name, []).append(value)

    upstream = EnvoyProcess(answering_upstream({"answers": upstream_port}, admin_port), admin_port)
    with upstream:
        await upstream.ready()
        pin(upstream.pid, processors()[1])
        async with plain_and_gateway(upstream_port) as sides:
            for side in sides:
                await load(
                    side.url + CHAT_PATH, body, connections=_CONNECTIONS, seconds=1, api_key=side.api_key
                )
            for _ in range(effort.rounds):
                (plain_rps, plain_p50, plain_cpu), (rps, p50, cpu) = [
                    await _side(side, body) for side in sides
                ]
                note("requests_per_second_ratio", rps / plain_rps)
                note("p50_difference", p50 - plain_p50)
                note("cpu_ratio", cpu / plain_cpu)
                note("cpu_plain", plain_cpu)
                note("cpu_gateway", cpu)
                note("requests_per_second_plain", plain_rps)
                note("requests_per_second_gateway", rps)
                note("p50_plain", plain_p50)
                note("p50_gateway", p50)
    return [Measurement(name, _unit(name), tuple(values)) for name, values in samples.items()]


async def _side(side: Side, body: bytes) -> tuple[float, float, float]:
    """(requests per second when busy, p50 in milliseconds when idle, processor microseconds a request)."""
    url = side.url + CHAT_PATH
    idle = await load(url, body, connections=1, seconds=_IDLE_SECONDS, api_key=side.api_key)
    used_before = side.cpu_seconds()
    busy = await load(url, body, connections=_CONNECTIONS, seconds=_BUSY_SECONDS, api_key=side.api_key)
    used = side.cpu_seconds() - used_before
    return busy.requests_per_second, idle.p50_ms, used / busy.requests * 1e6


def _unit(name: str) -> str:
    if name.endswith("_ratio"):
        return "ratio"
    if name.startswith("p50"):
        return "ms"
    return "us/request" if name.startswith("cpu") else "requests/s"
