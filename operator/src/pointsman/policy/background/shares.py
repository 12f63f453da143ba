"""What the deployments of a namespace take together."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pointsman.policy.background.looked import HOLDS, NOT_FOR_IT, Judgement, Looked

_SHOWN = 3


def namespace_accelerators(looked: Looked) -> Judgement | None:
    """Of a Namespace. From files the sum is of those in the files: too much of these is too much of all."""
    deployments = looked.beside.deployments
    if deployments is None:
        return None
    taken = sorted((-accelerators(one), _name(one)) for one in deployments)
    total, most = -sum(count for count, _ in taken), looked.number("maxNamespaceAccelerators")
    if not total:
        return NOT_FOR_IT
    if total <= most:
        return HOLDS
    largest = ", ".join(f"{name} {-count}" for count, name in taken[:_SHOWN])
    return Judgement(f"{total} accelerators, where {most} are allowed; the largest are {largest}")


def accelerators(deployment: Mapping[str, Any]) -> int:
    """How many a deployment takes at its largest as COST-02 counts: a replica takes one at least."""
    spec = deployment.get("spec") or {}
    if "engine" not in spec:
        return 0
    hardware, scaling = spec.get("hardware") or {}, spec.get("scaling")
    pools = hardware.get("pools") or ()
    if pools:
        return sum(int(one.get("acceleratorsPerReplica", 1)) * int(one["maxReplicas"]) for one in pools)
    parallelism = hardware.get("parallelism") or {}
    replicas = int(spec.get("replicas", 1))
    if scaling is not None and scaling.get("mode") != "off":
        replicas = max(replicas, int(scaling["maxReplicas"]))
    split = int(parallelism.get("tensor", 1)) * int(parallelism.get("pipeline", 1))
    return max([split, *_stated(spec)]) * replicas


def _stated(spec: Mapping[str, Any]) -> Iterator[int]:
    """Devices that the pods' own resources ask for; what is no plain number is too many, as in COST-02."""
    limits = ((spec.get("template") or {}).get("resources") or {}).get("limits") or {}
    for key, amount in limits.items():
        if "/" in key and "kubernetes.io/" not in key:
            yield int(str(amount)) if re.fullmatch("[0-9]{1,6}", str(amount)) else 1_000_000


def _name(deployment: Mapping[str, Any]) -> str:
    return str((deployment.get("metadata") or {}).get("name", ""))
