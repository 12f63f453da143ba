"""What every pack at once adds to a write, and what it adds to writes that no rule is for.

Dry runs against a real API server, in turns in two namespaces: one that all packs are for, in the mode that
refuses, and one that none is for. So both are measured in the same seconds.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from pointsman.policy.native import mutating, validating
from pointsman.policy.packs import shipped_library
from tests.bench.measurement import Effort, Measurement
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.definitions import install_definitions
from tests.support.policies import compiled
from tests.support.polling import eventually

Json = dict[str, Any]

_HELD, _FREE = "held", "free"
_WRITES = 100
_LABEL = "kubernetes.io/metadata.name"
_MODEL: Json = {
    "apiVersion": "pointsman.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "model"},
    "spec": {
        "model": {
            "source": "hf://Qwen/Qwen3-32B",
            "revision": "9216db5781bf21249d130ec9da846c4624c16137",
        },
        "engine": {"name": "vllm", "args": ["--max-num-seqs=64"]},
        "hardware": {"accelerators": ["H100-SXM"]},
    },
}
_OTHER: Json = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "other"},
    "data": {"key": "value"},
}


async def measure(effort: Effort) -> list[Measurement]:
    """Milliseconds of a creation, at the 95th percentile: those with all packs less those without."""
    return await asyncio.to_thread(_measure, effort.rounds)


def _measure(rounds: int) -> list[Measurement]:
    bare = Options(controller_manager=False, scheduler=False, audit=False)
    with ControlPlane.start(bare) as control_plane:
        admin = control_plane.admin
        install_definitions(admin)
        for name in (_HELD, _FREE):
            admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        # Warnings and not refusals: each rule is evaluated, whatever the one before it found.
        spec = {
            "mode": "warn",
            "appliesTo": {"namespaceSelector": {"matchLabels": {_LABEL: _HELD}}},
            "packs": [{"name": name} for name in shipped_library().packs],
        }
        policy = compiled(spec)
        for manifest in (*validating(policy, datetime.now(UTC)), *mutating(policy)):
            admin.create(manifest)
        enforced = compiled({**spec, "mode": "enforce"}, name="probe")
        for manifest in validating(enforced, datetime.now(UTC)):
            admin.create(manifest)
        eventually(lambda: _is_refused(admin), 30, "the policies are in force")
        for manifest in validating(enforced, datetime.now(UTC)):
            admin.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
        eventually(lambda: not _is_refused(admin), 30, "the policies only warn")
        added = _added(admin, "/apis/pointsman.dev/v1alpha1/namespaces/{}/modeldeployments", _MODEL, rounds)
        others = _added(admin, "/api/v1/namespaces/{}/configmaps", _OTHER, rounds)
    return [
        Measurement("added_to_ours", "ms", added),
        Measurement("added_to_others", "ms", others),
    ]


def _added(admin: Admin, path: str, body: Json, rounds: int) -> tuple[float, ...]:
    """Of each round, the 95th percentile with all packs less that without."""
    found = []
    for _ in range(rounds):
        samples: dict[str, list[float]] = {_HELD: [], _FREE: []}
        for _ in range(_WRITES):
            for name, times in samples.items():
                began = time.perf_counter()
                admin.request("POST", path.format(name), body, parameters={"dryRun": "All"})
                times.append((time.perf_counter() - began) * 1000.0)
        held, free = (sorted(times)[int(0.95 * _WRITES)] for times in samples.values())
        found.append(held - free)
    return tuple(found)


def _is_refused(admin: Admin) -> bool:
    path = f"/apis/pointsman.dev/v1alpha1/namespaces/{_HELD}/modeldeployments"
    try:
        admin.request("POST", path, _MODEL, parameters={"dryRun": "All"})
    except ApiError:
        return True
    return False
