"""200 policies and 5,000 objects that break them, on a real API server: what the operator takes for them,
and how large statuses become.

The objects are hosted models, which have no children. Without policies first, then with them: the difference
is theirs. A quarter of the policies is for every namespace, the others for a team's; the objects break one
rule of each.
"""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.measurement import Effort, Measurement
from tests.bench.operator_fleet import PATIENCE_SECONDS, settle
from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR_USER, Installation
from tests.support.polling import eventually

Json = dict[str, Any]

_API = "pointsman.dev/v1alpha1"
_NATIVE = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")
_BINDING = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding")
_OBJECTS, _POLICIES, _TEAMS = 5_000, 200, 50
_WIDE_EVERY = 4
_CREATORS = 4
_NAMESPACE = "kubernetes.io/metadata.name"
_RULES = [
    {
        "id": "HOUSE-1",
        "kinds": ["ModelDeployment"],
        "expression": "has(object.spec.license)",
        "message": "no license is stated; state spec.license",
    },
    {
        "id": "HOUSE-2",
        "kinds": ["ModelDeployment"],
        "expression": "object.spec.?replicas.orValue(1) <= 4 && object.metadata.name.matches('^[a-z0-9-]+$')",
        "message": "more than 4 replicas; ask the platform team",
    },
]


async def measure(effort: Effort) -> list[Measurement]:
    """Processor seconds and MiB that policies add, KiB of the largest status, milliseconds to put back."""
    share = 20 if effort.quick else 1
    return await asyncio.to_thread(_measure, _OBJECTS // share, _POLICIES // share, effort.changes)


def _measure(objects: int, policies: int, changes: int) -> list[Measurement]:
    options = Options(scheduler=False, audited_users=(OPERATOR_USER,))
    with ControlPlane.start(options) as control_plane, Installation(control_plane) as installation:
        admin = control_plane.admin
        for number in range(_TEAMS):
            admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _team(number)}})
        _create(admin, [_hosted(number) for number in range(objects)])
        with installation.operator() as operator:
            last = f"model-{objects - 1}"
            admin.wait_for(
                _API,
                "ModelDeployment",
                last,
                _team(objects - 1),
                until=lambda found: found.get("status"),
                within_seconds=PATIENCE_SECONDS,
            )
            alone = settle(operator, time.monotonic())
            started = time.monotonic()
            _create(admin, [_policy(number) for number in range(policies)])
            wanted = [_expected(number, objects) for number in range(policies)]
            eventually(lambda: _found(admin, policies) == wanted, PATIENCE_SECONDS, "all is found", 2.0)
            found = time.monotonic() - started
            crowded = settle(operator, started)
            put_back = [_put_back(admin, number % policies) for number in range(changes)]
        sizes = [len(json.dumps(one["status"])) for one in admin.list(_API, "GuardrailPolicy")]
    print(
        f"alone: {alone.processor_seconds:.0f} s of processor, {alone.memory_mebibytes:.0f} MiB; "
        f"with policies: {crowded.processor_seconds:.0f} s, {crowded.memory_mebibytes:.0f} MiB"
    )
    return [
        Measurement("found", "s", (found,)),
        Measurement("processor", "s", (crowded.processor_seconds - alone.processor_seconds,)),
        Measurement("memory_added", "MiB", (crowded.memory_mebibytes - alone.memory_mebibytes,)),
        Measurement("status", "KiB", tuple(size / 1024 for size in sizes), judged="max"),
        Measurement("put_back", "ms", tuple(put_back)),
    ]


def _put_back(admin: Admin, number: int) -> float:
    """Milliseconds until a native policy that was changed, or a binding that was deleted, is as it was."""
    kind = _BINDING if number % 2 else _NATIVE
    name = f"pointsman-policy-{number:03}-modeldeployment-warn"
    before = admin.get(*kind, name)["spec"]
    began = time.perf_counter()
    if kind == _BINDING:
        admin.delete(*kind, name)
    else:
        admin.patch(*kind, name, {"spec": {"failurePolicy": "Ignore"}})
    eventually(lambda: (admin.find(*kind, name) or {}).get("spec") == before, 60, f"{name} is put back", 0.01)
    return (time.perf_counter() - began) * 1000.0


def _create(admin: Admin, objects: list[Json]) -> None:
    with ThreadPoolExecutor(_CREATORS) as pool:
        for _ in pool.map(admin.create, objects):
            pass


def _team(number: int) -> str:
    return f"team-{number % _TEAMS}"


def _hosted(number: int) -> Json:
    hosted = {"provider": "openai", "baseURL": "https://api.openai.com/v1", "model": "gpt-5-mini"}
    return {
        "apiVersion": _API,
        "kind": "ModelDeployment",
        "metadata": {"name": f"model-{number}", "namespace": _team(number)},
        "spec": {"hosted": hosted},
    }


def _policy(number: int) -> Json:
    spec: Json = {"mode": "warn", "rules": _RULES}
    if number % _WIDE_EVERY:
        spec["appliesTo"] = {"namespaceSelector": {"matchLabels": {_NAMESPACE: _team(number)}}}
    return {
        "apiVersion": _API,
        "kind": "GuardrailPolicy",
        "metadata": {"name": f"policy-{number:03}"},
        "spec": spec,
    }


def _expected(number: int, objects: int) -> int:
    """How many objects break one rule of the policy."""
    if number % _WIDE_EVERY == 0:
        return objects
    return sum(_team(one) == _team(number) for one in range(objects))


def _found(admin: Admin, policies: int) -> list[int]:
    statuses = {
        one["metadata"]["name"]: one.get("status") or {} for one in admin.list(_API, "GuardrailPolicy")
    }
    found = [statuses.get(f"policy-{number:03}", {}) for number in range(policies)]
    ready = [
        any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ()))
        for status in found
    ]
    return [
        (status.get("violations") or {}).get("total", -1) if is_ready else -1
        for status, is_ready in zip(found, ready, strict=True)
    ]
