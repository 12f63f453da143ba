"""A rollout starts one replica more only where an accelerator was seen to be free, and never waits for it."""

import copy
from typing import Any

from pointsman.placement import Inventory, InventoryEntry
from tests.support.builders import fleet
from tests.support.decided_cluster import Cluster, Json, own_model
from tests.support.placements import inventory_of

L40S = fleet(accelerators=[{"name": "L40S", "pricePerHour": {"onDemand": "1"}}])
ONE_MORE = {"maxSurge": 1, "maxUnavailable": 0}
ONE_BY_ONE = {"maxSurge": 0, "maxUnavailable": 1}


def model(context: int = 2048) -> Json:
    made = own_model(engine={"name": "vllm"}, replicas=2)
    made["spec"]["model"] = {"source": "hf://Qwen/Qwen3-8B", "contextLength": context}
    return made


def steps(cluster: Cluster) -> Any:
    return cluster.workload()["spec"]["strategy"]["rollingUpdate"]


def running(inventory: Inventory) -> Cluster:
    cluster = Cluster(model(), fleet=L40S, inventory=inventory)
    cluster.settle()
    cluster.run_pods()
    cluster.settle()
    return cluster


def began(cluster: Cluster) -> list[Json]:
    """The spec changes; gives the pods of the new version, which do not run yet, beside the former ones."""
    former = copy.deepcopy(cluster.pods)
    cluster.change(model(context=4096))
    cluster.settle()
    cluster.run_pods(ready=False)
    later = cluster.pods
    cluster.pods = former
    cluster.settle()
    return later


def lacking(pod: Json) -> Json:
    """The pod as the scheduler leaves it where no device is free."""
    pod["status"]["conditions"] = [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        }
    ]
    return pod


def leaving(pod: Json) -> Json:
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return pod


FULL = Inventory({"L40S": InventoryEntry(total=2, free=0)})


def test_with_room_one_more_is_started_first() -> None:
    cluster = running(inventory_of(L40S=4))
    began(cluster)
    assert steps(cluster) == ONE_MORE
    assert cluster.condition("Progressing") == ("True", "Starting")


def test_without_room_they_are_replaced_one_by_one_and_it_is_said() -> None:
    cluster = running(FULL)
    began(cluster)
    assert steps(cluster) == ONE_BY_ONE
    assert cluster.condition("Progressing") == ("True", "ReplacingOneByOne")
    assert "no accelerator is free" in cluster.message("Progressing")


def test_a_replica_that_waits_for_the_accelerator_of_one_that_drains_is_no_trouble() -> None:
    cluster = running(FULL)
    first, *_ = began(cluster)
    cluster.pods = [leaving(cluster.pods[0]), cluster.pods[1], lacking(first)]
    cluster.settle()
    assert cluster.condition("Placed") == ("True", "Placed")
    assert cluster.condition("Progressing") == ("True", "ReplacingOneByOne")


def test_the_only_replica_is_replaced_once_it_has_left() -> None:
    one = model()
    one["spec"]["replicas"] = 1
    cluster = running(FULL)
    cluster.change(one)
    cluster.settle()
    first, *_ = began(cluster)
    cluster.pods = [leaving(cluster.pods[0]), lacking(first)]
    cluster.settle()
    assert cluster.condition("Progressing") == ("True", "ReplacingOneByOne")
    assert cluster.condition("Placed") == ("True", "Placed")


def test_one_that_waits_while_nobody_leaves_is() -> None:
    cluster = running(FULL)
    first, *_ = began(cluster)
    cluster.pods = [cluster.pods[1], lacking(first)]
    cluster.settle()
    assert cluster.condition("Placed") == ("False", "NoAcceleratorFree")


def test_when_somebody_else_takes_what_was_free_it_goes_on_one_by_one() -> None:
    cluster = running(inventory_of(L40S=4))
    first, *_ = began(cluster)
    assert steps(cluster) == ONE_MORE
    cluster.inventory = FULL
    cluster.settle()
    assert steps(cluster) == ONE_MORE
    cluster.pods = [*cluster.pods, lacking(first)]
    cluster.settle()
    assert steps(cluster) == ONE_BY_ONE
    # It stays so: what is free for a moment is not waited for again.
    cluster.inventory = inventory_of(L40S=4)
    cluster.settle()
    assert steps(cluster) == ONE_BY_ONE


def test_more_replicas_than_there_are_accelerators_change_no_steps() -> None:
    cluster = running(inventory_of(L40S=4))
    more = model()
    more["spec"]["replicas"] = 3
    cluster.change(more)
    cluster.settle()
    cluster.run_pods()
    lacking(cluster.pods[-1])
    cluster.settle()
    assert steps(cluster) == ONE_MORE


def test_the_next_rollout_looks_anew() -> None:
    cluster = running(FULL)
    assert steps(cluster) == ONE_BY_ONE
    cluster.inventory = inventory_of(L40S=4)
    began(cluster)
    assert steps(cluster) == ONE_MORE
