"""What every pack at once adds to a write, what 200 policies add, and what the packs add to writes that no
rule is for.

Dry runs against a real API server, in turns in two namespaces: one that the rules are for, and one that none
is for. So both are measured in the same seconds.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psutil

from pointsman.policy.native import mutating, validating
from pointsman.policy.packs import shipped_library
from tests.bench.measurement import Effort, Measurement
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.definitions import install_definitions
from tests.support.policies import compiled, rule
from tests.support.polling import eventually

Json = dict[str, Any]

_HELD, _FREE, _CROWDED = "held", "free", "crowded"
_WRITES = 100
_POLICIES = 200
_LABEL = "kubernetes.io/metadata.name"
_MODELS = "/apis/pointsman.dev/v1alpha1/namespaces/{}/modeldeployments"
_CONFIG_MAPS = "/api/v1/namespaces/{}/configmaps"
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
    """Milliseconds of a creation, at the 95th percentile: those with rules less those without."""
    return await asyncio.to_thread(_measure, effort.rounds)


def _measure(rounds: int) -> list[Measurement]:
    bare = Options(controller_manager=False, scheduler=False, audit=False)
    with ControlPlane.start(bare) as control_plane:
        admin = control_plane.admin
        install_definitions(admin)
        for name in (_HELD, _FREE, _CROWDED):
            admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        _hold_all_packs(admin)
        added = _added(admin, _MODELS, _MODEL, rounds, _HELD)
        others = _added(admin, _CONFIG_MAPS, _OTHER, rounds, _HELD)
        _hold_many(admin)
        by_many = _added(admin, _MODELS, _MODEL, rounds, _CROWDED)
        processor = _processor_added(control_plane, rounds)
    return [
        Measurement("added_to_ours", "ms", added),
        Measurement("added_to_others", "ms", others),
        Measurement("added_by_200_policies", "ms", by_many),
        Measurement("processor_added_by_200_policies", "ms", processor),
    ]


def _hold_all_packs(admin: Admin) -> None:
    # Warnings and not refusals: each rule is evaluated, whatever the one before it found.
    spec = {
        "mode": "warn",
        "appliesTo": _only(_HELD),
        "packs": [{"name": name} for name in shipped_library().packs],
    }
    policy = compiled(spec)
    for manifest in (*validating(policy, datetime.now(UTC)), *mutating(policy)):
        admin.create(manifest)
    enforced = compiled({**spec, "mode": "enforce"}, name="probe")
    for manifest in validating(enforced, datetime.now(UTC)):
        admin.create(manifest)
    eventually(lambda: _is_refused(admin, _HELD, _MODEL), 30, "the policies are in force")
    for manifest in validating(enforced, datetime.now(UTC)):
        admin.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
    eventually(lambda: not _is_refused(admin, _HELD, _MODEL), 30, "the policies only warn")


def _hold_many(admin: Admin) -> None:
    """Each policy refuses a model of its own: so it is seen when all of them are in force."""
    for number in range(_POLICIES):
        rules = [
            rule("HOUSE-1", expression=f"object.metadata.name != 'refused-by-{number}'"),
            rule("HOUSE-2", expression="object.spec.?replicas.orValue(1) <= 4"),
        ]
        spec = {"mode": "enforce", "appliesTo": _only(_CROWDED), "rules": rules}
        for manifest in validating(compiled(spec, name=f"policy-{number}"), datetime.now(UTC)):
            admin.create(manifest)
    for number in range(_POLICIES):
        model = {**_MODEL, "metadata": {"name": f"refused-by-{number}"}}
        eventually(partial(_is_refused, admin, _CROWDED, model), 60, f"policy {number} is in force")


def _only(namespace: str) -> Json:
    return {"namespaceSelector": {"matchLabels": {_LABEL: namespace}}}


def _added(admin: Admin, path: str, body: Json, rounds: int, held_in: str) -> tuple[float, ...]:
    """Of each round, the 95th percentile with rules less that without."""
    found = []
    for _ in range(rounds):
        samples: dict[str, list[float]] = {held_in: [], _FREE: []}
        for _ in range(_WRITES):
            for name, times in samples.items():
                began = time.perf_counter()
                admin.request("POST", path.format(name), body, parameters={"dryRun": "All"})
                times.append((time.perf_counter() - began) * 1000.0)
        held, free = (sorted(times)[int(0.95 * _WRITES)] for times in samples.values())
        found.append(held - free)
    return tuple(found)


def _processor_added(control_plane: ControlPlane, rounds: int) -> tuple[float, ...]:
    """Of each round, milliseconds of the API server's processor time that a creation takes with 200 policies,
    less those without: the same on a busy machine.
    """
    server = psutil.Process(control_plane.component("kube-apiserver").pid)
    found = []
    for _ in range(rounds):
        taken = {}
        for name in (_CROWDED, _FREE):
            before = server.cpu_times()
            for _ in range(_WRITES):
                path = _MODELS.format(name)
                control_plane.admin.request("POST", path, _MODEL, parameters={"dryRun": "All"})
            after = server.cpu_times()
            seconds = after.user + after.system - before.user - before.system
            taken[name] = 1000.0 * seconds / _WRITES
        found.append(taken[_CROWDED] - taken[_FREE])
    return tuple(found)


def _is_refused(admin: Admin, namespace: str, model: Json) -> bool:
    try:
        admin.request("POST", _MODELS.format(namespace), model, parameters={"dryRun": "All"})
    except ApiError:
        return True
    return False
