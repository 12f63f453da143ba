"""10,000 endpoints in EndpointSlices of a real API server, followed by `pointsman gateway` with a real Envoy.

A change is in use when a request is answered by the upstream that only the change can have led it to. The
clock starts before the slice is written. The start is that of the process, with Python's.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.envoy_bootstrap import answering_upstream
from tests.bench.envoy_process import EnvoyProcess
from tests.bench.measurement import Effort, Measurement
from tests.bench.scale_1000 import Probe
from tests.support import manifests
from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation
from tests.support.own_address import own_address
from tests.support.polling import eventually
from tests.support.ports import free_port, free_ports
from tests.support.processes import tree_rss_bytes

_ENDPOINTS = 10_000
_IN_A_SLICE = 100
_ASKED = 20
"""Models that are asked for, whose one replica is real; the rest belongs to models that nobody asks for."""
_NAMESPACE = "served"
_SLICE = "discovery.k8s.io/v1"
_BETWEEN_CHANGES_SECONDS = 0.1
_STARTS = 3


async def measure(effort: Effort) -> list[Measurement]:
    """Seconds from nothing to an answer, and from a changed slice to an answer of what it names."""
    admin_port = free_port()
    ports = dict(zip("ab", free_ports(2), strict=True))
    with ExitStack() as stack:
        upstream = answering_upstream(ports, admin_port, host=own_address())
        await stack.enter_context(EnvoyProcess(upstream, admin_port)).ready()
        return await asyncio.to_thread(_measure, ports, effort)


def _measure(ports: dict[str, int], effort: Effort) -> list[Measurement]:
    bare = Options(controller_manager=False, scheduler=False)
    with ControlPlane.start(bare) as control_plane, Installation(control_plane) as installation:
        _fill(control_plane.admin, ports["a"])
        fleet = control_plane.folder / "fleet.yaml"
        fleet.write_text(f"gateway: {{allowedPrivateHosts: ['{own_address()}']}}\n")
        starts = [_start(installation, fleet) for _ in range(1 if effort.quick else _STARTS)]
        with installation.gateway(arguments=("--fleet", str(fleet))) as gateway:
            probe = Probe(gateway.port)
            try:
                for number in range(_ASKED):
                    probe.seconds_until(_name(number), "a", time.monotonic())
                changes = _changes(control_plane.admin, probe, ports, effort.changes)
                memory = tree_rss_bytes(gateway.pid) / 1e6
            finally:
                probe.close()
    return [
        Measurement("start_to_first_answer", "s", tuple(starts), judged="max"),
        Measurement("endpoint_change", "s", changes, judged="p99"),
        Measurement("memory", "MB", (memory,)),
    ]


def _start(installation: Installation, fleet: Path) -> float:
    began = time.monotonic()
    with installation.gateway(arguments=("--fleet", str(fleet))) as gateway:
        probe = Probe(gateway.port)
        try:
            return probe.seconds_until(_name(0), "a", began)
        finally:
            probe.close()


def _changes(admin: Admin, probe: Probe, ports: dict[str, int], count: int) -> tuple[float, ...]:
    """Each model in turn is served by the other upstream."""
    seconds = []
    for number in range(count):
        model = _name(number % _ASKED)
        upstream = "ba"[number // _ASKED % 2]
        _rest()
        began = time.monotonic()
        admin.patch(_SLICE, "EndpointSlice", model, {"ports": [_port(ports[upstream])]}, _NAMESPACE)
        seconds.append(probe.seconds_until(model, upstream, began))
    return tuple(seconds)


def _rest() -> None:
    """One change and not a burst: what is measured is its delay."""
    over = time.monotonic() + _BETWEEN_CHANGES_SECONDS
    eventually(lambda: time.monotonic() >= over, 1.0, "the former change is over")


def _fill(admin: Admin, port: int) -> None:
    """A model, a route and a slice for each hundred endpoints, and for each model that is asked for."""
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}})
    for number in range(_ASKED + (_ENDPOINTS - _ASKED) // _IN_A_SLICE):
        name = _name(number)
        admin.create(manifests.deployment(name, namespace=_NAMESPACE), _NAMESPACE)
        admin.create(manifests.route(name, [name], namespace=_NAMESPACE), _NAMESPACE)
        addresses = [own_address()] if number < _ASKED else _nowhere(number)
        admin.create(
            {
                "apiVersion": _SLICE,
                "kind": "EndpointSlice",
                "metadata": {
                    "name": name,
                    "labels": {"pointsman.dev/deployment": name, "kubernetes.io/service-name": name},
                },
                "addressType": "IPv4",
                "ports": [_port(port)],
                "endpoints": [
                    {"addresses": [address], "conditions": {"ready": True}} for address in addresses
                ],
            },
            _NAMESPACE,
        )


def _nowhere(number: int) -> list[str]:
    """Addresses of replicas that are never asked (RFC 2544: for benchmarks)."""
    return [f"198.18.{number}.{replica}" for replica in range(1, _IN_A_SLICE + 1)]


def _port(port: int) -> dict[str, Any]:
    return {"name": "http", "port": port, "protocol": "TCP"}


def _name(number: int) -> str:
    return f"model-{number}"
