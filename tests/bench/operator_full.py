"""1,000 ModelDeployments until all are Ready, with everything that a cluster has, and then 60 s of nothing.

Controller manager, scheduler and KWOK, which plays nodes and pods, share the two cores with the API server:
most of the time is theirs. Peers in the same arrangement: LLMKube 95.9 s and AIBrix 74.1 s to Ready, after
which they wrote 10,204 and 6,032 times a minute for ever; a bare kopf handler took 46.5 s.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

from pointsman.kube.connection import Connection
from pointsman.kube.credentials import find_credentials
from pointsman.kube.objects import MODEL_DEPLOYMENT, KubeObject, key_of
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from tests.bench.measurement import Effort, Measurement
from tests.bench.operator_fleet import (
    NAMESPACE,
    PATIENCE_SECONDS,
    create_fleet,
    fleet_size,
    settle,
    writes,
)
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.fake_nodes import make_fake_nodes
from tests.support.cluster.installation import OPERATOR_USER, Installation
from tests.support.polling import eventually

_NODES = 12
_IDLE_SECONDS = 60.0


async def measure(effort: Effort) -> list[Measurement]:
    """Seconds from the first object created until the last is Ready; writes, also while nothing changes."""
    idle_seconds = 5.0 if effort.quick else _IDLE_SECONDS
    return await asyncio.to_thread(_measure, fleet_size(effort), idle_seconds)


def _measure(count: int, idle_seconds: float) -> list[Measurement]:
    with (
        ControlPlane.start(Options(kwok=True, audited_users=(OPERATOR_USER,))) as control_plane,
        Installation(control_plane) as installation,
    ):
        admin = control_plane.admin
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        make_fake_nodes(admin, _NODES, pods=250, gpus=0)
        with installation.operator() as operator:
            eventually(lambda: "leads" in operator.log_tail(), 60, "the operator leads")
            started = time.monotonic()
            create_fleet(control_plane, count)
            ready = asyncio.run(_all_ready(control_plane.kubeconfig(), count)) - started
            settled = settle(operator, started)
            written = writes(control_plane, 0)
            mark = control_plane.audit.mark()
            over = time.monotonic() + idle_seconds  # what is measured is that nothing happens until then
            eventually(lambda: time.monotonic() >= over, PATIENCE_SECONDS, "the time is over", 1.0)
            idle = writes(control_plane, mark)
    per_object = Counter({resource: number / count for resource, number in written.items()})
    statuses = per_object.pop("modeldeployments/status", 0.0)
    of_routes = per_object.pop("modelroutes/status", 0.0)
    per_object.pop("events", None)
    print(
        f"writes for each object: {dict(per_object)}, statuses {statuses}, those of routes {of_routes}; "
        f"while idle: {dict(idle)}"
    )
    return [
        Measurement("ready", "s", (ready,)),
        Measurement("processor", "s", (settled.processor_seconds,)),
        Measurement("memory", "MiB", (settled.memory_mebibytes,)),
        Measurement("writes_per_child", "writes", (max(per_object.values()),)),
        Measurement("status_writes", "writes", (statuses,)),
        Measurement("idle_writes", "writes", (float(sum(idle.values())),)),
    ]


async def _all_ready(kubeconfig: Path, count: int) -> float:
    """When the last of so many models said that it is Ready (time.monotonic)."""
    selection = Selection(MODEL_DEPLOYMENT, NAMESPACE)
    ready = set()
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        Connection(find_credentials(str(kubeconfig), "")) as connection,
    ):
        reader = KubeReader(connection)
        version = ""
        async for chunk in reader.chunks(selection):
            version = chunk.resource_version
            ready |= {key_of(one) for one in chunk.items if _is_ready(one)}
        events = reader.watch(selection, version, int(PATIENCE_SECONDS))
        await anext(events)  # the watch is open
        while len(ready) < count:
            model = (await anext(events)).obj
            if _is_ready(model):
                ready.add(key_of(model))
        await events.aclose()
    return time.monotonic()


def _is_ready(model: KubeObject) -> bool:
    conditions = (model.get("status") or {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
