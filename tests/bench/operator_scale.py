"""1,000 ModelDeployments on a real API server, and nothing else: what the operator takes to bring them about.

No controller manager, no scheduler, no nodes: the numbers are the operator's and the API server's alone.
Peers on the same machine with the same number of objects and nothing else beside them: LLMKube had made its
children after 25.6 s and AIBrix after 34.4 s, and neither stopped writing (57 and 100 writes a second for
ever); a bare kopf handler that makes two objects each, without validation or conditions, took 6.1 s and
4 CPU seconds. After a restart LLMKube wrote 612 objects among 100, KAITO 1,000 among 1,000.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measurement import Effort, Measurement
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR_USER, Installation, OperatorProcess
from tests.support.polling import eventually

DEPLOYMENTS = 1_000
_CREATORS = 4
_NAMESPACE = "scale"
_MADE_SECONDS = 300.0
_QUIET_SECONDS = 3.0
"""Longer than whatever a look is put off for. While nothing changes, a watch and the lease cost 0.02 s."""
_QUIET_SHARE = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Cost:
    """Of one life of the operator, until it had nothing more to do."""

    seconds: float
    processor_seconds: float
    memory_mebibytes: float


async def measure(effort: Effort) -> list[Measurement]:
    """Seconds from the first object created, and requests per object."""
    return await asyncio.to_thread(_measure, 50 if effort.quick else DEPLOYMENTS)


def _measure(count: int) -> list[Measurement]:
    bare = Options(controller_manager=False, scheduler=False)
    with ControlPlane.start(bare) as control_plane, Installation(control_plane) as installation:
        control_plane.admin.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}}
        )
        with installation.operator() as operator:
            eventually(lambda: "leads" in operator.log_tail(), 60, "the operator leads")
            started = time.monotonic()
            _create(control_plane, count)
            eventually(lambda: _deployments(control_plane) == count, _MADE_SECONDS, "all are made", 0.1)
            made = time.monotonic() - started
            settled = _settle(operator, started)
            written = _writes(control_plane, 0)
        mark = control_plane.audit.mark()
        started = time.monotonic()
        with installation.operator() as operator:
            again = _settle(operator, started, known="leads")
            rewritten = _writes(control_plane, mark)
    per_object = Counter({resource: number / count for resource, number in written.items()})
    statuses = per_object.pop("modeldeployments/status", 0.0)
    per_object.pop("events", None)
    print(
        f"writes for each object: {dict(per_object)}, statuses {statuses}; after a restart: {dict(rewritten)}"
    )
    return [
        Measurement("children_made", "s", (made,)),
        Measurement("settled", "s", (settled.seconds,)),
        Measurement("processor", "s", (settled.processor_seconds,)),
        Measurement("memory", "MiB", (settled.memory_mebibytes,)),
        Measurement("writes_per_child", "writes", (max(per_object.values()),)),
        Measurement("status_writes", "writes", (statuses,)),
        Measurement("restart_settled", "s", (again.seconds,)),
        Measurement("restart_processor", "s", (again.processor_seconds,)),
        Measurement("restart_writes", "writes", (float(sum(rewritten.values())),)),
    ]


def _create(control_plane: ControlPlane, count: int) -> None:
    with ThreadPoolExecutor(_CREATORS) as pool:
        for _ in pool.map(
            lambda number: control_plane.admin.create(_model(number), _NAMESPACE), range(count)
        ):
            pass


def _model(number: int) -> dict[str, object]:
    return {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": f"model-{number}"},
        "spec": {
            "model": {
                "source": "hf://ggml-org/gemma-3-270m-GGUF/model.gguf",
                "revision": "0123456789abcdef0123456789abcdef01234567",  # none is looked up
                "contextLength": 2048,
                "quantization": "gguf",
                "facts": {"parameters": "270M", "layers": 18, "kvHeads": 1, "headDim": 256},
            },
            "engine": {"name": "llama.cpp"},
            "replicas": 1,
        },
    }


def _deployments(control_plane: ControlPlane) -> int:
    """How many there are, by one object and the number of the others: a poll of whole lists takes a core."""
    path = f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments"
    answer = control_plane.admin.request("GET", path, parameters={"limit": "1"})
    return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount", 0))


def _settle(operator: OperatorProcess, started: float, known: str = "") -> _Cost:
    """Wait until it has used a tenth of a core at most for a while; that while does not count."""
    looks: list[tuple[float, float]] = []

    def is_quiet() -> bool:
        now, used = time.monotonic(), _processor_seconds(operator.pid)
        looks.append((now, used))
        before = [look for look in looks if now - look[0] >= _QUIET_SECONDS]
        if not before or (known and known not in operator.log_tail()):
            return False
        return used - before[-1][1] <= _QUIET_SHARE * (now - before[-1][0])

    eventually(is_quiet, _MADE_SECONDS, "the operator has nothing to do", 0.2)
    ended, used = looks[-1]
    settled = next(at for at, by_then in looks if used - by_then <= _QUIET_SHARE * (ended - at))
    return _Cost(settled - started, used, _most_memory_mebibytes(operator.pid))


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _most_memory_mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _writes(control_plane: ControlPlane, since: int) -> Counter[str]:
    """Of the operator, by resource; its lease apart."""
    made = control_plane.audit.requests(since, user=OPERATOR_USER, writes_only=True)
    return Counter(one.resource for one in made if one.resource != "leases")
