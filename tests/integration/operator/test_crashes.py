"""Wherever the operator ends, and whatever the API server does meanwhile: what comes of it is the same."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from tests.integration.operator.by_way_of import operator_behind, without_passing
from tests.integration.operator.deployments import API, KIND, own, scale, wait_for_replicas, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import Fault, FaultProxy, Forward, drop_after, drop_before, refuse, slow
from tests.support.cluster.installation import Installation, OperatorProcess
from tests.support.polling import eventually

Json = dict[str, Any]
CHILDREN = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)


def end_state(admin: Admin, namespace: str) -> Json:
    """What the operator made and said, as one making of it is like another."""
    made: Json = {}
    for api_version, kind in CHILDREN:
        child = admin.get(api_version, kind, "chat", namespace)
        made[kind] = without_passing({**child, "status": None})
        made[kind]["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    revisions = admin.list("apps/v1", "ControllerRevision", namespace)
    made["revisions"] = sorted((one["revision"], one["metadata"]["name"]) for one in revisions)
    made["status"] = without_passing(admin.get(API, KIND, "chat", namespace)["status"])
    for condition in made["status"]["conditions"]:
        condition.pop("observedGeneration", None)
    made["status"].pop("observedGeneration", None)
    return made


STEPS = (
    {"spec": {"model": {"contextLength": 4096}}},
    {"spec": {"replicas": 3}},
)


SLOW_SECONDS = 300
"""Within that a step is done whose operator is started twenty times, on a machine that does much else."""


def through_all_steps(admin: Admin, namespace: str, within_seconds: float = 120) -> None:
    """Created, changed, scaled; each step is waited for."""
    admin.create(own("chat"), namespace)
    done = {"Progressing": ("True", "Complete"), "Ready": ("True", "ReplicasReady")}
    wait_until(admin, "chat", namespace, within_seconds, **done)
    for step in STEPS:
        changed = admin.patch(API, KIND, "chat", step, namespace)
        has_seen = partial(_is_of, int(changed["metadata"]["generation"]))
        admin.wait_for(API, KIND, "chat", namespace, until=has_seen, within_seconds=within_seconds)
        wait_until(admin, "chat", namespace, within_seconds, **done)


def _is_of(generation: int, deployment: Json) -> bool:
    return int(deployment["status"].get("observedGeneration", 0)) >= generation


@pytest.fixture
def undisturbed(admin: Admin, installation: Installation, namespace: str) -> Json:
    """The end state where nothing happens on the way, in a namespace of its own."""
    quiet = f"{namespace}-quiet"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": quiet}})
    admin.wait_for("v1", "ServiceAccount", "default", quiet)
    with installation.operator():
        through_all_steps(admin, quiet)
    found = end_state(admin, quiet)
    admin.delete("v1", "Namespace", quiet)
    return found


class Killer:
    """Kills the operator before a write reaches the API server, and after the same write the next time."""

    def __init__(self, operator: OperatorProcess, namespace: str) -> None:
        self.kills: list[tuple[str, str]] = []
        self._operator = operator
        self._namespace = namespace

    async def fault(self, request: web.Request, forward: Forward) -> web.StreamResponse:
        is_write = request.method in ("PATCH", "DELETE", "POST", "PUT")
        is_ours = f"/namespaces/{self._namespace}/" in request.path and "/events" not in request.path
        if not (is_write and is_ours):
            return await forward()
        before = ("before", request.path)
        if self.kills and self.kills[-1] == before:
            self.kills.append(("after", request.path))
            answer = await forward()
            self._operator.kill()
            return answer
        self.kills.append(before)
        self._operator.kill()
        return web.Response(status=503)


@pytest.mark.timeout(900)
def test_killed_before_and_after_each_single_write(
    admin: Admin, namespace: str, control_plane: ControlPlane, proxy: FaultProxy, undisturbed: Json
) -> None:
    operator = operator_behind(control_plane, proxy, "operator-0")
    killer = Killer(operator, namespace)
    proxy.inject(killer.fault, times=100_000)
    with operator, Revived(operator):
        through_all_steps(admin, namespace, SLOW_SECONDS)
    assert end_state(admin, namespace) == undisturbed
    killed_at = {path for _, path in killer.kills}
    # Each child, the revision of each spec, and the status.
    assert len(killed_at) >= len(CHILDREN) + 2 + 1
    assert {path for when, path in killer.kills if when == "after"} == killed_at


@pytest.mark.timeout(900)
def test_killed_before_and_after_each_single_deletion(
    admin: Admin, namespace: str, control_plane: ControlPlane, proxy: FaultProxy
) -> None:
    """What ran here is hosted from now on: everything that was made goes, one deletion after the other."""
    operator = operator_behind(control_plane, proxy, "operator-0")
    killer = Killer(operator, namespace)
    with operator, Revived(operator):
        admin.create(own("chat", engine={"name": "llama.cpp", "chatTemplate": "{{ messages }}"}), namespace)
        wait_until(admin, "chat", namespace, 120, Ready=("True", "ReplicasReady"))
        proxy.inject(killer.fault, times=100_000)
        hosted = {"provider": "openai", "baseURL": "https://api.openai.com/v1", "model": "gpt-5-mini"}
        spec = {"hosted": hosted, **dict.fromkeys(("model", "engine", "drain"))}
        admin.patch(API, KIND, "chat", {"spec": spec}, namespace)
        wait_until(admin, "chat", namespace, SLOW_SECONDS, Ready=("True", "Hosted"))
    deleted = {path.split("/")[-2] for _, path in killer.kills}
    assert {"deployments", "services", "controllerrevisions", "configmaps"} <= deleted
    for api_version, kind in (*CHILDREN, ("apps/v1", "ControllerRevision")):
        assert admin.list(api_version, kind, namespace) == [], kind


@pytest.mark.timeout(400)
def test_killed_while_a_deployment_is_deleted(
    admin: Admin, namespace: str, installation: Installation
) -> None:
    """Nothing of it is made again by whoever comes next, and nothing stays."""
    with installation.operator():
        admin.create(own("chat", replicas=2), namespace)
        wait_until(admin, "chat", namespace, 120, Ready=("True", "ReplicasReady"))
        admin.delete(API, KIND, "chat", namespace, propagation="Foreground")
    with installation.operator():
        admin.wait_gone(API, KIND, "chat", namespace)
        admin.create(own("after", replicas=2), namespace)
        wait_until(admin, "after", namespace, 120, Ready=("True", "ReplicasReady"))
    for api_version, kind in CHILDREN:
        names = [child["metadata"]["name"] for child in admin.list(api_version, kind, namespace)]
        assert names == ["after"], kind


class Revived:
    """Starts the operator again whenever it has ended."""

    def __init__(self, operator: OperatorProcess) -> None:
        self._operator = operator
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            if not self._operator.is_running:
                self._operator.start()


CONFLICT = json.dumps(
    {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Conflict", "code": 409}
)
TROUBLES: dict[str, tuple[Fault, int]] = {
    "too many requests": (refuse(429, retry_after="1"), 4),
    "an internal error": (refuse(500), 3),
    "a conflict of nobody's": (refuse(409, body=CONFLICT), 3),
    "no answer after the write": (drop_after(), 5),
    "no connection": (drop_before(), 5),
    "slow answers": (slow(1.0), 8),
}


@pytest.mark.parametrize(("fault", "times"), TROUBLES.values(), ids=TROUBLES.keys())
def test_writes_in_trouble_end_the_same(
    admin: Admin,
    namespace: str,
    control_plane: ControlPlane,
    proxy: FaultProxy,
    fault: Fault,
    times: int,
) -> None:
    with operator_behind(control_plane, proxy, "operator-0"):
        proxy.inject(fault, times=times, method="PATCH", path=f"/namespaces/{namespace}/")
        through_all_steps(admin, namespace)
    found = end_state(admin, namespace)
    assert found["Deployment"]["spec"]["replicas"] == 3
    assert [number for number, _ in found["revisions"]] == [1, 2]
    assert found["status"]["readyReplicas"] == 3


def test_watches_that_are_too_old_are_begun_anew(
    admin: Admin, namespace: str, control_plane: ControlPlane, proxy: FaultProxy
) -> None:
    """kopf ends at such an answer to a watch, and with it the process: it never sees one."""
    operator = operator_behind(control_plane, proxy, "operator-0")
    with operator:
        through_all_steps(admin, namespace)
        gone = '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}'
        proxy.inject(refuse(410, body=gone), times=12, method="GET", path="watch=")
        proxy.cut_watches()
        admin.patch("apps/v1", "Deployment", "chat", {"spec": {"replicas": 7}}, namespace)
        wait_for_replicas(admin, namespace, 3)
        scale(admin, namespace, 2)
        wait_for_replicas(admin, namespace, 2)
        assert operator.is_running


def test_the_api_server_is_restarted(
    admin: Admin, namespace: str, control_plane: ControlPlane, operator: OperatorProcess
) -> None:
    admin.create(own("chat"), namespace)
    wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
    control_plane.restart_api_server()
    eventually(lambda: admin.find(API, KIND, "chat", namespace), 60, "the API server answers")
    scale(admin, namespace, 2)
    wait_for_replicas(admin, namespace, 2)
    assert operator.is_running
