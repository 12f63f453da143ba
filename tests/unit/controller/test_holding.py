"""Replicas that run are kept while nobody has written how many there should be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.controller.modeldeployment.holding import HELD, is_written, keep
from tests.support.decided_cluster import Cluster, own_model

OURS = frozenset({"pointsman-operator"})


def orphaned(replicas: int, **spec: Any) -> Cluster:
    """Made again from a manifest without a number: the API fills in 1."""
    cluster = Cluster(own_model(replicas=replicas, **spec))
    cluster.settle()
    cluster.orphan()
    cluster.change(own_model(replicas=1, **spec))
    cluster.replicas_written = False
    return cluster


def test_what_ran_is_kept_and_said() -> None:
    cluster = orphaned(5)
    cluster.settle()
    cluster.run_pods()
    cluster.settle()
    assert cluster.workload()["spec"]["replicas"] == 5
    assert cluster.workload()["metadata"]["annotations"][HELD] == "5"
    assert cluster.deployment["status"]["replicas"] == 5
    assert cluster.condition("Ready") == ("True", "ReplicasReady")
    assert "5 replicas are kept" in cluster.message("Ready")


def test_it_is_kept_at_later_looks_and_for_a_new_rendering() -> None:
    cluster = orphaned(5)
    cluster.settle()
    cluster.change(own_model(replicas=1, model={"contextLength": 4096}))
    cluster.settle()
    assert cluster.workload()["spec"]["replicas"] == 5


def test_a_number_that_somebody_writes_is_followed() -> None:
    cluster = orphaned(5)
    cluster.settle()
    cluster.change(own_model(replicas=2))
    cluster.replicas_written = True
    cluster.settle()
    assert cluster.workload()["spec"]["replicas"] == 2
    assert HELD not in cluster.workload()["metadata"].get("annotations", {})
    # And the default after that does not bring back what was held.
    cluster.replicas_written = False
    cluster.change(own_model(replicas=1))
    cluster.settle()
    assert cluster.workload()["spec"]["replicas"] == 1


def test_none_that_ran_are_none_that_run() -> None:
    cluster = orphaned(0)
    cluster.settle()
    assert cluster.workload()["spec"]["replicas"] == 0


def test_a_new_one_has_the_default() -> None:
    cluster = Cluster(own_model(), replicas_written=False)
    cluster.settle()
    assert cluster.workload()["spec"]["replicas"] == 1
    assert "kept" not in cluster.message("Available")


def test_a_number_that_was_set_at_the_child_is_put_back() -> None:
    cluster = orphaned(5)
    cluster.settle()
    cluster.workload()["spec"]["replicas"] = 9
    cluster.settle()
    assert cluster.workload()["spec"]["replicas"] == 5


def entry(manager: str, operation: str, *, replicas: bool, subresource: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {"f:spec": {"f:engine": {}}}
    if replicas:
        fields["f:spec"]["f:replicas"] = {}
    return {
        "manager": manager,
        "operation": operation,
        "fieldsV1": fields,
        **({"subresource": subresource} if subresource else {}),
    }


CLIENT_SIDE = "kubectl-client-side-apply"
WRITERS: dict[str, tuple[list[Any], Any, bool]] = {
    "an apply without it": ([entry("kubectl", "Apply", replicas=False)], None, False),
    "an apply with it": ([entry("kubectl", "Apply", replicas=True)], None, True),
    "a client-side apply without it": ([entry(CLIENT_SIDE, "Update", replicas=True)], {"engine": {}}, False),
    "a client-side apply with it": ([entry(CLIENT_SIDE, "Update", replicas=True)], {"replicas": 3}, True),
    "a scale after a client-side apply": (
        [
            entry(CLIENT_SIDE, "Update", replicas=False),
            entry("kubectl", "Update", replicas=True, subresource="scale"),
        ],
        {"engine": {}},
        True,
    ),
    "a create, whose default cannot be told from a number": (
        [entry("kubectl-create", "Update", replicas=True)],
        None,
        True,
    ),
}


@pytest.mark.parametrize(("entries", "manifest", "written"), WRITERS.values(), ids=WRITERS.keys())
def test_who_wrote_it(entries: list[Any], manifest: Any, written: bool) -> None:
    annotations = {}
    if manifest is not None:
        text = json.dumps({"spec": manifest}, separators=(",", ":"))
        annotations["kubectl.kubernetes.io/last-applied-configuration"] = text
    kept = keep({"metadata": {"annotations": annotations, "managedFields": entries}}, OURS)
    assert is_written(kept) is written
    # It is kept again as the answer to a write, and as what a watch told.
    assert all(one.get("manager") != CLIENT_SIDE for one in kept["metadata"]["managedFields"])


def test_a_number_beside_the_default_was_written_by_somebody() -> None:
    assert is_written({"metadata": {}, "spec": {"replicas": 2}})
    assert not is_written({"metadata": {}, "spec": {"replicas": 1}})
