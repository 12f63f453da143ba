"""1,000 ModelDeployments on a real API server, and nothing else: what the operator takes to bring them about.

No controller manager, no scheduler, no nodes: the numbers are the operator's and the API server's alone.
Peers on the same machine with the same number of objects and nothing else beside them: LLMKube had made its
children after 25.6 s and AIBrix after 34.4 s, and neither stopped writing (57 and 100 writes a second for
ever); a bare kopf handler that makes two objects each, without validation or conditions, took 6.1 s and
4 CPU seconds. After a restart LLMKube wrote 612 objects among 100, KAITO 1,000 among 1,000.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

from pointsman.api import ObjectKey
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import find_credentials
from pointsman.kube.objects import DEPLOYMENT, MODEL_DEPLOYMENT, key_of
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from pointsman.kube.writer import KubeWriter
from tests.bench.measurement import Effort, Measurement
from tests.bench.operator_fleet import (
    NAMESPACE,
    PATIENCE_SECONDS,
    create_fleet,
    fleet_size,
    model_name,
    settle,
    writes,
)
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR_USER, Installation
from tests.support.polling import eventually

_REPLICAS = 3


async def measure(effort: Effort) -> list[Measurement]:
    """Seconds from the first object created, seconds from an edit to its child, requests per object."""
    return await asyncio.to_thread(_measure, fleet_size(effort), effort.changes)


def _measure(count: int, edits: int) -> list[Measurement]:
    bare = Options(controller_manager=False, scheduler=False, audited_users=(OPERATOR_USER,))
    with ControlPlane.start(bare) as control_plane, Installation(control_plane) as installation:
        control_plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        with installation.operator() as operator:
            eventually(lambda: "leads" in operator.log_tail(), 60, "the operator leads")
            started = time.monotonic()
            create_fleet(control_plane, count)
            eventually(lambda: _deployments(control_plane) == count, PATIENCE_SECONDS, "all are made", 0.1)
            made = time.monotonic() - started
            settled = settle(operator, started)
            written = writes(control_plane, 0)
            numbers = [number * count // edits for number in range(edits)]
            edit_seconds = asyncio.run(_edits(control_plane.kubeconfig(), numbers))
            settle(operator, time.monotonic())
        mark = control_plane.audit.mark()
        started = time.monotonic()
        with installation.operator() as operator:
            again = settle(operator, started, known="leads")
            rewritten = writes(control_plane, mark)
    per_object = Counter({resource: number / count for resource, number in written.items()})
    statuses = per_object.pop("modeldeployments/status", 0.0)
    of_routes = per_object.pop("modelroutes/status", 0.0)
    per_object.pop("events", None)
    print(
        f"writes for each object: {dict(per_object)}, statuses {statuses}, those of routes {of_routes}; "
        f"after a restart: {dict(rewritten)}"
    )
    return [
        Measurement("children_made", "s", (made,)),
        Measurement("settled", "s", (settled.seconds,)),
        Measurement("processor", "s", (settled.processor_seconds,)),
        Measurement("memory", "MiB", (max(settled.memory_mebibytes, again.memory_mebibytes),)),
        Measurement("writes_per_child", "writes", (max(per_object.values()),)),
        Measurement("status_writes", "writes", (statuses,)),
        Measurement("edit", "s", edit_seconds, judged="p95"),
        Measurement("restart_settled", "s", (again.seconds,)),
        Measurement("restart_processor", "s", (again.processor_seconds,)),
        Measurement("restart_writes", "writes", (float(sum(rewritten.values())),)),
    ]


def _deployments(control_plane: ControlPlane) -> int:
    """How many there are, by one object and the number of the others: a poll of whole lists takes a core."""
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    answer = control_plane.admin.request("GET", path, parameters={"limit": "1"})
    return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount", 0))


async def _edits(kubeconfig: Path, numbers: list[int]) -> tuple[float, ...]:
    """One after another: seconds from before the write of a model's replicas to the watch telling that its
    Deployment has them.
    """
    seconds = []
    selection = Selection(DEPLOYMENT, NAMESPACE)
    async with Connection(find_credentials(str(kubeconfig), "")) as connection:
        reader, writer = KubeReader(connection), KubeWriter(connection)
        version = ""
        async for chunk in reader.chunks(selection):
            version = chunk.resource_version
        events = reader.watch(selection, version, int(PATIENCE_SECONDS))
        await anext(events)  # the watch is open
        for number in numbers:
            began = time.monotonic()
            key = ObjectKey(NAMESPACE, model_name(number))
            await writer.merge(MODEL_DEPLOYMENT, key, {"spec": {"replicas": _REPLICAS}})
            async for event in events:
                child = event.obj
                if key_of(child) == key and child["spec"]["replicas"] == _REPLICAS:
                    break
            seconds.append(time.monotonic() - began)
        await events.aclose()
    return tuple(seconds)
