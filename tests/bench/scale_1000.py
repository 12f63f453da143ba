"""1,000 routes with two targets each: how soon a change is in use, and how soon the gateway serves at all.

A change is in use when a request is answered by the upstream that only the change can have led it to. The
clock starts before `gateway.update`.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from pointsman.api import ModelRoute
from pointsman.routing import Endpoint, RoutingInput
from tests.bench.envoy_bootstrap import UPSTREAM_HEADER, answering_upstream
from tests.bench.envoy_process import EnvoyProcess
from tests.bench.gateway_under_test import GatewayUnderTest
from tests.bench.measurement import Effort, Measurement
from tests.support.builders import deployment, key, route, routing_input
from tests.support.clients import chat_body
from tests.support.polling import eventually
from tests.support.ports import free_port, free_ports

ROUTES = 1_000
_STARTS = 5
_IN_USE_SECONDS = 20.0
_BETWEEN_PROBES_SECONDS = 0.001


def _route(index: int, first: str, second: str, generation: int) -> ModelRoute:
    return route(
        f"model-{index}", [f"{first}-{index}"], fallback=[f"{second}-{index}"], generation=generation
    )


def fleet_of(routes: int, ports: dict[str, int]) -> RoutingInput:
    """So many routes, each with a target `a-N` at upstream a and a fallback `b-N` at upstream b."""
    deployments = (deployment(f"{side}-{index}") for index in range(routes) for side in "ab")
    return routing_input(
        *deployments,
        *(_route(index, "a", "b", 1) for index in range(routes)),
        endpoints={f"{side}-{index}": [ports[side]] for index in range(routes) for side in "ab"},
    )


class Probe:
    """Asks for one model over a kept connection, and says which upstream answered."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)

    def upstream(self, model: str) -> str:
        """The upstream's name; the status where the gateway answered by itself; empty without any answer."""
        try:
            self._connection.request(
                "POST",
                "/v1/chat/completions",
                json.dumps(chat_body(model)),
                {"content-type": "application/json"},
            )
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return ""
        return response.headers.get(UPSTREAM_HEADER) or str(response.status)

    def seconds_until(self, model: str, upstream: str, began: float) -> float:
        """Seconds from `began` until `model` is answered by `upstream`. Raises AssertionError if never."""
        eventually(
            lambda: self.upstream(model) == upstream,
            _IN_USE_SECONDS,
            f"{model} is answered by {upstream}",
            interval_seconds=_BETWEEN_PROBES_SECONDS,
        )
        return time.monotonic() - began

    def close(self) -> None:
        self._connection.close()


async def measure(effort: Effort) -> list[Measurement]:
    """Seconds until route and endpoint changes are in use, seconds from nothing, memory of Envoy."""
    admin_port = free_port()
    ports = dict(zip("abc", free_ports(3), strict=True))
    with ExitStack() as stack:
        upstream = stack.enter_context(EnvoyProcess(answering_upstream(ports, admin_port), admin_port))
        await upstream.ready()
        whole = fleet_of(ROUTES, ports)
        starts = [await _start(whole) for _ in range(2 if effort.quick else _STARTS)]
        async with GatewayUnderTest(whole) as gateway:
            probe = Probe(gateway.port)
            stack.callback(probe.close)
            await asyncio.to_thread(probe.seconds_until, f"model-{ROUTES - 1}", "a", time.monotonic())
            memory = gateway.envoy_rss_bytes() / 1e6
            route_changes = await _changes(gateway, probe, _route_changes(whole, effort.changes))
            endpoint_changes = await _changes(
                gateway, probe, _endpoint_changes(whole, effort.changes, ports["c"])
            )
    return [
        Measurement("route_change", "s", route_changes, judged="p99"),
        Measurement("endpoint_change", "s", endpoint_changes, judged="p99"),
        Measurement("start_to_first_answer", "s", tuple(starts), judged="max"),
        Measurement("envoy_memory", "MB", (memory,)),
    ]


async def _start(whole: RoutingInput) -> float:
    began = time.monotonic()
    async with GatewayUnderTest(whole) as gateway:
        probe = Probe(gateway.port)
        try:
            return await asyncio.to_thread(probe.seconds_until, f"model-{ROUTES - 1}", "a", began)
        finally:
            probe.close()


Change = tuple[RoutingInput, str, str]
"""(input after the change, model that it is seen by, upstream that answers then)"""


def _spread(count: int) -> Iterator[int]:
    """Indices all over the fleet, none twice in a run."""
    return (number * ROUTES // count for number in range(count))


def _route_changes(whole: RoutingInput, count: int) -> Iterator[Change]:
    routes = dict(whole.routes)
    for index in _spread(count):
        routes[key(f"model-{index}")] = _route(index, "b", "a", 2)
        yield replace(whole, routes=dict(routes)), f"model-{index}", "b"


def _endpoint_changes(whole: RoutingInput, count: int, port: int) -> Iterator[Change]:
    endpoints = dict(whole.endpoints)
    # One further than the route changes, whose routes lead elsewhere now.
    for index in _spread(count):
        endpoints[key(f"a-{index + 1}")] = (Endpoint("127.0.0.1", port),)
        yield replace(whole, endpoints=dict(endpoints)), f"model-{index + 1}", "c"


async def _changes(gateway: GatewayUnderTest, probe: Probe, changes: Iterator[Change]) -> tuple[float, ...]:
    seconds = []
    for after, model, upstream in changes:
        began = time.monotonic()
        gateway.update(after)
        seconds.append(await asyncio.to_thread(probe.seconds_until, model, upstream, began))
    return tuple(seconds)
