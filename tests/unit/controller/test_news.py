"""Of what a watch tells, a look follows what it would see, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pointsman.controller.modeldeployment.news import is_news
from pointsman.kube.objects import DEPLOYMENT, POD, POD_DISRUPTION_BUDGET, Kind
from pointsman.kube.packed import Packed

Json = dict[str, Any]

_OURS = [{"manager": "pointsman-operator", "operation": "Apply", "fieldsV1": "{}"}]
WORKLOAD: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "chat",
        "uid": "d",
        "resourceVersion": "1",
        "generation": 2,
        "labels": {"pointsman.dev/deployment": "chat"},
        "managedFields": _OURS,
    },
    "spec": {"replicas": 1},
    "status": {"observedGeneration": 2},
}
BUDGET: Json = {**WORKLOAD, "apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
WAITING: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "chat-1", "uid": "p", "resourceVersion": "1", "labels": {"a": "b"}},
    "spec": {},
    "status": {"phase": "Pending"},
}
REFUSED = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}
READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def changed(obj: Json, place: str, value: Any) -> Json:
    """The object a version later, with another value at `place`."""
    later = copy.deepcopy(obj)
    later["metadata"]["resourceVersion"] = "2"
    *path, name = place.split("/")
    at = later
    for part in path:
        at = at.setdefault(part, {})
    at[name] = value
    return later


PULL = {"name": "engine", "state": {"waiting": {"reason": "ErrImagePull"}}}
CASES: dict[str, tuple[Kind, Json, str, Any, bool]] = {
    "a count of replicas": (DEPLOYMENT, WORKLOAD, "status/readyReplicas", 1, False),
    "a time of a condition": (DEPLOYMENT, WORKLOAD, "status/conditions", [{"type": "Available"}], False),
    "that pods are refused": (DEPLOYMENT, WORKLOAD, "status/conditions", [REFUSED], True),
    "that a rollout is stuck": (DEPLOYMENT, WORKLOAD, "status/conditions", [STUCK], True),
    "a spec that is not taken yet": (DEPLOYMENT, WORKLOAD, "status/observedGeneration", 1, True),
    "the spec": (DEPLOYMENT, WORKLOAD, "spec/replicas", 3, True),
    "a member that was not there": (DEPLOYMENT, WORKLOAD, "data", {}, True),
    "the controller's own number": (
        DEPLOYMENT,
        WORKLOAD,
        "metadata/annotations",
        {"deployment.kubernetes.io/revision": "1"},
        False,
    ),
    "an annotation": (DEPLOYMENT, WORKLOAD, "metadata/annotations", {"a": "b"}, True),
    "a label": (DEPLOYMENT, WORKLOAD, "metadata/labels", {}, True),
    "a field that is ours no more": (DEPLOYMENT, WORKLOAD, "metadata/managedFields", [], True),
    "its end": (DEPLOYMENT, WORKLOAD, "metadata/deletionTimestamp", "2026-01-01T00:00:00Z", True),
    "what a budget allows now": (POD_DISRUPTION_BUDGET, BUDGET, "status/disruptionsAllowed", 1, False),
    "a pod's node": (POD, WAITING, "spec/nodeName", "node-1", False),
    "a pod's address": (POD, WAITING, "status/podIP", "10.0.0.1", False),
    "that a pod is scheduled": (
        POD,
        WAITING,
        "status/conditions",
        [{"type": "PodScheduled", "status": "True"}],
        False,
    ),
    "that no node takes a pod": (POD, WAITING, "status/conditions", [UNSCHEDULABLE], True),
    "that a pod is ready": (POD, WAITING, "status/conditions", [READY], True),
    "why a container waits": (POD, WAITING, "status/containerStatuses", [PULL], True),
    "how weights are fetched": (POD, WAITING, "status/initContainerStatuses", [PULL], True),
    "a pod's phase": (POD, WAITING, "status/phase", "Failed", True),
    "a pod's label": (POD, WAITING, "metadata/labels", {"a": "c"}, True),
    "a pod's end": (POD, WAITING, "metadata/deletionTimestamp", "2026-01-01T00:00:00Z", True),
}


@pytest.mark.parametrize(("kind", "before", "place", "value", "wanted"), CASES.values(), ids=CASES.keys())
def test_what_is_news(kind: Kind, before: Json, place: str, value: Any, wanted: bool) -> None:
    now = changed(before, place, value)
    assert is_news(kind, before, now) is wanted
    assert is_news(kind, Packed(before), Packed(now)) is wanted
    assert is_news(kind, Packed(now), Packed(before)) is wanted


def test_one_that_comes_or_goes_is_news() -> None:
    assert is_news(POD, None, WAITING)
    assert is_news(POD, WAITING, None)
