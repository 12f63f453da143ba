"""Our objects are deleted, their children left as they are, and are applied again from specs, under load."""

from __future__ import annotations

from typing import Any

from tests.support.cluster.rehearsal.stage import API, MODEL, Stage, answered
from tests.support.polling import eventually

_KINDS = ("ModelRoute", "ModelDeployment")
_SECONDS = 90.0

Json = dict[str, Any]


def apply_again(stage: Stage) -> Json:
    """As a repository has them: without status, and without the replicas that somebody scaled to."""
    stage.scale_gateways(2)
    stage.wait_gateways(2)
    stage.scale_engines(3)
    before = stage.wait_engines(3)
    workload = _workload(stage)
    stage.start_load()
    stage.wait_asked(*before.values())
    held = {kind: stage.admin.get(API, kind, MODEL) for kind in _KINDS}
    for kind in _KINDS:
        stage.admin.delete(API, kind, MODEL, propagation="Orphan")
    for kind in _KINDS:
        stage.admin.wait_gone(API, kind, MODEL)
    made = {kind: stage.admin.apply(_from_repository(held[kind])) for kind in reversed(_KINDS)}
    uid = made["ModelDeployment"]["metadata"]["uid"]
    for kind in _KINDS:
        stage.admin.wait_for(API, kind, MODEL, until=_is_ready, within_seconds=_SECONDS)
    stage.admin.wait_for("apps/v1", "Deployment", MODEL, until=lambda one: _owners(one) == [uid])
    after = stage.wait_engines(3)
    answered_before = {address: answered(address) for address in after.values()}
    eventually(
        lambda: all(answered(address) > count for address, count in answered_before.items()),
        _SECONDS,
        "each engine answers again",
    )
    noticed = stage.end_load()
    return {
        "before": sorted(before),
        "after": sorted(after),
        "is_same_workload": _workload(stage) == workload,
        "noticed": noticed.to_json(),
    }


def _from_repository(held: Json) -> Json:
    spec = {name: value for name, value in held["spec"].items() if name != "replicas"}
    return {"apiVersion": API, "kind": held["kind"], "metadata": {"name": MODEL}, "spec": spec}


def _workload(stage: Stage) -> Json:
    """What the Deployment of the engines asks for, and since when."""
    found = stage.admin.get("apps/v1", "Deployment", MODEL)
    return {"uid": found["metadata"]["uid"], "spec": found["spec"]}


def _owners(child: Json) -> list[str]:
    return [owner["uid"] for owner in child["metadata"].get("ownerReferences", ())]


def _is_ready(found: Json) -> bool:
    conditions = found.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
