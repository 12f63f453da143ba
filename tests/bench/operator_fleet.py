"""A thousand models and a hundred routes, created at once, and what an operator takes for them."""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.measurement import Effort
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR_USER, OperatorProcess
from tests.support.polling import eventually

API = "pointsman.dev/v1alpha1"
NAMESPACE = "scale"
PATIENCE_SECONDS = 600.0
"""With this no neighbour on both cores spoils a run: what is judged are the ranges."""
_DEPLOYMENTS = 1_000
_DEPLOYMENTS_OF_A_ROUTE = 10
_CREATORS = 4
_QUIET_SECONDS = 3.0
"""Longer than whatever a look is put off for. While nothing changes, a watch and the lease cost 0.02 s."""
_QUIET_SHARE = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


def fleet_size(effort: Effort) -> int:
    """How many ModelDeployments; there is a ModelRoute for each ten."""
    return 50 if effort.quick else _DEPLOYMENTS


def create_fleet(control_plane: ControlPlane, count: int) -> None:
    """Create so many models and their routes over four connections."""
    objects = [_model(number) for number in range(count)]
    objects += [_route(number) for number in range(0, count, _DEPLOYMENTS_OF_A_ROUTE)]
    with ThreadPoolExecutor(_CREATORS) as pool:
        for _ in pool.map(lambda obj: control_plane.admin.create(obj, NAMESPACE), objects):
            pass


def model_name(number: int) -> str:
    return f"model-{number}"


def _model(number: int) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "ModelDeployment",
        "metadata": {"name": model_name(number)},
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


def _route(number: int) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "ModelRoute",
        "metadata": {"name": model_name(number)},
        "spec": {
            "models": [model_name(number)],
            "authentication": {"anonymous": True},
            "rules": [{"targets": [{"deployment": model_name(number)}]}],
        },
    }


@dataclass(frozen=True)
class Cost:
    """Of one life of the operator, until it had nothing more to do."""

    seconds: float
    processor_seconds: float
    memory_mebibytes: float


def settle(operator: OperatorProcess, started: float, known: str = "") -> Cost:
    """Wait until it has used a tenth of a core at most for a while; that while does not count."""
    looks: list[tuple[float, float]] = []

    def is_quiet() -> bool:
        now, used = time.monotonic(), _processor_seconds(operator.pid)
        looks.append((now, used))
        before = [look for look in looks if now - look[0] >= _QUIET_SECONDS]
        if not before or (known and known not in operator.log_tail()):
            return False
        return used - before[-1][1] <= _QUIET_SHARE * (now - before[-1][0])

    eventually(is_quiet, PATIENCE_SECONDS, "the operator has nothing to do", 0.2)
    ended, used = looks[-1]
    settled = next(at for at, by_then in looks if used - by_then <= _QUIET_SHARE * (ended - at))
    return Cost(settled - started, used, _most_memory_mebibytes(operator.pid))


def writes(control_plane: ControlPlane, since: int) -> Counter[str]:
    """Of the operator, by resource; its lease apart."""
    made = control_plane.audit.requests(since, user=OPERATOR_USER, writes_only=True)
    return Counter(one.resource for one in made if one.resource != "leases")


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _most_memory_mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
