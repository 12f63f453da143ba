"""What is kept of the cluster's objects, and what they come to."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.addresses import Address
from pointsman.api import ObjectKey
from pointsman_autoscaler.loop.acting import writer_of_replicas
from pointsman_autoscaler.loop.cluster import asked, scaled
from pointsman_autoscaler.loop.replicas import deployment_of, replica_of
from pointsman_autoscaler.loop.steps import MANAGER
from pointsman_autoscaler.signals.watched import Replica
from tests.support import manifests
from tests.support.builders import deployment

LABELS = {"pointsman.dev/deployment": "m", "pointsman.dev/pool": "spot", "pointsman.dev/role": "leader"}


def pod(ready: str = "", since: str = "2026-11-22T12:01:00Z", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": since}] if ready else []
    return {
        "metadata": {
            "name": "m-1",
            "namespace": "chat",
            "labels": LABELS,
            "creationTimestamp": "2026-11-22T12:00:00Z",
        },
        "status": {"podIP": "10.0.0.7", "conditions": conditions, **status},
    }


def read(found: dict[str, Any], former: Replica | None = None) -> Replica:
    made = replica_of(found, former)
    assert made is not None
    return made


def test_a_pod_is_a_replica_of_its_pool() -> None:
    assert deployment_of(pod()) == ObjectKey("chat", "m")
    one = read(pod("True"))
    assert (one.name, one.flavour, one.metrics) == ("m-1", "spot", Address("10.0.0.7", 9465))
    assert one.ready_seconds is not None
    assert one.ready_seconds - one.created_seconds == 60.0
    assert (one.is_ready, one.is_draining) == (True, False)


def test_when_it_was_ready_first_does_not_change() -> None:
    first = read(pod("True"))
    lost = read(pod("False", since="2026-11-22T13:00:00Z"), first)
    assert (lost.is_ready, lost.ready_seconds) == (False, first.ready_seconds)
    again = read(pod("True", since="2026-11-22T13:10:00Z"), lost)
    assert again.ready_seconds == first.ready_seconds


def test_another_of_its_name_has_not_been_ready() -> None:
    """After a watch that broke, the end of the former one is not seen."""
    first = read(pod("True"))
    another = pod("False")
    another["metadata"]["creationTimestamp"] = "2026-11-22T14:00:00Z"
    assert read(another, first).ready_seconds is None


def test_one_that_has_not_been_ready_has_no_such_time() -> None:
    assert read(pod("False")).ready_seconds is None
    assert read(pod()).ready_seconds is None


def test_one_that_ends_drains_and_one_that_has_ended_is_none() -> None:
    ending = pod("True")
    ending["metadata"]["deletionTimestamp"] = "2026-11-22T12:05:00Z"
    assert read(ending).is_draining
    assert replica_of(pod(phase="Failed")) is None


def test_a_worker_of_a_group_is_no_replica() -> None:
    worker = pod()
    worker["metadata"]["labels"] = {**LABELS, "pointsman.dev/role": "worker"}
    assert deployment_of(worker) is None


@pytest.mark.parametrize(
    ("scaling", "is_scaled"),
    [
        (None, False),
        ({"mode": "off", "maxReplicas": 2}, False),
        ({"maxReplicas": 2}, True),
        ({"mode": "advise", "maxReplicas": 2}, True),
        ({"mode": "sometimes", "maxReplicas": 2}, False),
    ],
)
def test_only_what_asks_for_it_is_scaled(scaling: dict[str, Any] | None, is_scaled: bool) -> None:
    manifest = manifests.deployment("m", spec={} if scaling is None else {"scaling": scaling})
    assert (scaled(manifest) is not None) is is_scaled


def test_one_that_was_switched_off_is_known_until_its_status_says_so() -> None:
    off = manifests.deployment("m", spec={"scaling": {"mode": "off", "maxReplicas": 2}})
    for state, is_known in (("Active", True), ("Pinned", True), ("Off", False), ("", False)):
        assert (scaled({**off, "status": {"scaling": {"state": state}}}) is not None) is is_known


POOLS = [{"name": "spot", "replicas": 2}, {"name": "reserved", "replicas": 1}]


@pytest.mark.parametrize(
    ("status", "want"),
    [
        pytest.param({}, {"spot": 0, "reserved": 0}, id="nothing was said yet"),
        pytest.param({"pools": POOLS}, {"spot": 2, "reserved": 1}, id="as the operator says"),
        pytest.param(
            {"pools": POOLS, "scaling": {"forReplicas": 3, "pools": [{"name": "reserved", "replicas": 3}]}},
            {"spot": 0, "reserved": 3},
            id="as was decided, though the operator does not say it yet",
        ),
        pytest.param(
            {"pools": POOLS, "scaling": {"forReplicas": 9, "pools": [{"name": "reserved", "replicas": 9}]}},
            {"spot": 2, "reserved": 1},
            id="what was decided for another number is past",
        ),
        pytest.param(
            {"pools": POOLS, "scaling": {"forReplicas": 3, "pools": [{"name": "old", "replicas": 3}]}},
            {"spot": 2, "reserved": 1},
            id="what was decided for pools that are gone is past",
        ),
        pytest.param(
            {
                "pools": POOLS,
                "scaling": {
                    "forReplicas": 3,
                    "pools": [{"name": "reserved", "replicas": 3}],
                    "state": "Advising",
                },
            },
            {"spot": 2, "reserved": 1},
            id="what was advised was not told",
        ),
    ],
)
def test_what_pools_are_told_to_have(status: dict[str, Any], want: dict[str, int]) -> None:
    made = deployment("m", replicas=3)
    made = made.model_copy(update={"status": type(made.status).model_validate(status)})
    assert asked(made, ("spot", "reserved")) == want
    assert asked(made, ("default",)) == {"default": 3}


def owned(*managers: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    entries = [{"manager": one, "operation": "Update", "fieldsV1": fields} for one in managers]
    of_status = {"manager": "pointsman-operator", "fieldsV1": {"f:status": {"f:replicas": {}}}}
    return {"metadata": {"managedFields": [*entries, of_status]}}


@pytest.mark.parametrize(
    ("managers", "want"), [((), ""), (("kubectl",), "kubectl"), (("kubectl", MANAGER), MANAGER)]
)
def test_who_wrote_the_number(managers: tuple[str, ...], want: str) -> None:
    assert writer_of_replicas(owned(*managers)) == want
