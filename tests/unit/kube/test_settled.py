"""What is remembered of calls that came to nothing is bounded: objects go while they are written."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from pointsman.kube.difference import Difference, differences, keep_own_fields
from pointsman.kube.objects import KubeObject
from pointsman.kube.packed import Packed
from pointsman.kube.settled import Settled
from tests.support.kube_objects import config_map

_OBJECTS = 5_000
_BYTES = 500_000


def live(number: int) -> dict[str, Any]:
    found = config_map("one", "models")
    return {**found, "metadata": {**found["metadata"], "uid": f"uid-{number}", "resourceVersion": "1"}}


def test_calls_that_failed_are_forgotten() -> None:
    settled = Settled(most=10)
    wanted = config_map("one", "models", data={"a": "1"})
    assert settled.open_differences(live(-1), wanted, "us")
    tracemalloc.start()
    try:
        for number in range(_OBJECTS):
            assert settled.open_differences(live(number), wanted, "us")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < _BYTES


def workload(version: str, **more: Any) -> dict[str, Any]:
    fields = {"f:spec": {"f:replicas": {}}, "f:metadata": {"f:annotations": {"f:ours": {}}}}
    entry = {"manager": "us", "operation": "Apply", "fieldsV1": fields}
    meta = {"name": "one", "uid": "u", "resourceVersion": version, "managedFields": [entry]}
    notes = {"ours": "1", **more.pop("annotations", {})}
    found = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**meta, "annotations": notes}}
    return {**found, "spec": {"replicas": 1}, **more}


WANTED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "one", "annotations": {"ours": "1"}},
    "spec": {"replicas": 1},
}
LATER: dict[str, tuple[dict[str, Any], int]] = {
    "only the status": (workload("2", status={"replicas": 1}), 0),
    "an annotation of others": (workload("2", annotations={"theirs": "1"}), 0),
    "an annotation of ours": (workload("2", annotations={"ours": "2"}), 1),
    "the spec": (workload("2", spec={"replicas": 3}), 1),
}


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "as text"])
@pytest.mark.parametrize(("later", "compared"), LATER.values(), ids=LATER.keys())
def test_what_changed_beside_what_is_wanted_is_not_compared_again(
    later: dict[str, Any], compared: int, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = 0

    def counted(*known: Any, **how: Any) -> tuple[Difference, ...]:
        nonlocal times
        times += 1
        return differences(*known, **how)

    monkeypatch.setattr("pointsman.kube.settled.differences", counted)
    settled = Settled()
    settled.applied(workload("1"), WANTED, "us")
    held: KubeObject = Packed(keep_own_fields(later, frozenset({"us"}))) if packed else later
    assert bool(settled.open_differences(held, WANTED, "us")) is bool(compared)
    assert times == compared
    assert bool(settled.open_differences(held, WANTED, "us")) is bool(compared)


def test_a_field_that_is_ours_no_more_is_compared() -> None:
    settled = Settled()
    settled.applied(workload("1"), WANTED, "us")
    taken = workload("2")
    taken["metadata"]["managedFields"] = []
    assert settled.open_differences(taken, WANTED, "us")


def test_another_intent_is_compared() -> None:
    settled = Settled()
    settled.applied(workload("1"), WANTED, "us")
    assert settled.open_differences(workload("2"), {**WANTED, "spec": {"replicas": 2}}, "us")
