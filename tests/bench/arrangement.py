"""What the comparisons share: a plain proxy and a whole gateway before the same upstream."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pointsman.routing import RoutingInput
from tests.bench.envoy_bootstrap import plain_proxy
from tests.bench.envoy_process import EnvoyProcess, cpu_seconds, pin, processors
from tests.bench.gateway_under_test import GatewayUnderTest
from tests.support.builders import hosted, route, routing_input, secret
from tests.support.ports import free_ports

MODEL = "chat"
CLIENT_KEY = "client-key-of-the-benchmark"
CHAT_PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Side:
    """One of the two things that are compared."""

    name: str
    url: str
    envoy_pid: int
    api_key: str = ""

    def cpu_seconds(self) -> float:
        """Processor time that its Envoy has used."""
        return cpu_seconds(self.envoy_pid)


def whole_path(upstream_port: int) -> RoutingInput:
    """A gateway's input with everything on a request's path.

    The client shows a key, the model is read from the body, and model name, path, host and credentials are
    rewritten for a provider with a price, so that usage and cost are counted; there is a fallback and a
    first-token timeout, so that retries and the gate are in place.
    """
    base = f"http://127.0.0.1:{upstream_port}/openai/v1"
    return routing_input(
        hosted("first", base, model="first-model", secret=("provider", "key"), price=("0.25", "2.00")),
        hosted("second", base, model="second-model", secret=("provider", "key"), price=("0.25", "2.00")),
        route(MODEL, ["first"], fallback=["second"], first_token="30s", api_keys={"clients": "bench"}),
        secret("provider", {"key": "provider-key"}, allowed_hosts=["127.0.0.1"]),
        secret("clients", {"bench": CLIENT_KEY}, labels={"clients": "bench"}),
    )


@asynccontextmanager
async def plain_and_gateway(upstream_port: int) -> AsyncIterator[tuple[Side, Side]]:
    """The plain proxy and the gateway, each with one worker, both before the upstream on this port.

    Each Envoy has a processor that is kept free of everything else; they never run at the same time.
    """
    measured, rest = processors()
    before = os.sched_getaffinity(0)
    port, admin_port = free_ports(2)
    try:
        with EnvoyProcess(plain_proxy(port, upstream_port, admin_port), admin_port) as plain:
            await plain.ready()
            async with GatewayUnderTest(whole_path(upstream_port)) as gateway:
                await gateway.answers(MODEL, CLIENT_KEY)
                for pid in (plain.pid, gateway.envoy_pid):
                    pin(pid, measured)
                # Children inherit it: the load generator runs beside, not on, the measured processor.
                os.sched_setaffinity(0, rest)
                yield (
                    Side("plain", f"http://127.0.0.1:{port}", plain.pid),
                    Side("gateway", gateway.url, gateway.envoy_pid, CLIENT_KEY),
                )
    finally:
        os.sched_setaffinity(0, before)
