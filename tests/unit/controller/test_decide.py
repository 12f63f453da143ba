"""What is decided on a ModelDeployment, case by case: what is made, what goes, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pointsman.controller.modeldeployment.snapshot import Contest, Obstacle
from pointsman.kube.objects import CONTROLLER_REVISION, without_nothing
from pointsman.workloads.revision import frozen_rendering
from tests.support.builders import fleet
from tests.support.decided_cluster import Cluster, Json, hosted_model, of_revision, own_model

MADE = ["ControllerRevision", "Deployment", "NetworkPolicy", "Service"]
L40S = fleet(accelerators=[{"name": "L40S", "pricePerHour": {"onDemand": "1"}}])
QWEN = {"source": "hf://Qwen/Qwen3-8B", "contextLength": 2048}


def gpu_model(**spec: Any) -> Json:
    made = own_model(engine={"name": "vllm"}, **spec)
    made["spec"]["model"] = dict(QWEN)
    return made


def nothing(_: Cluster) -> None:
    pass


def started(cluster: Cluster) -> None:
    cluster.settle()
    cluster.run_pods()


def starting(cluster: Cluster) -> None:
    cluster.settle()
    cluster.run_pods(ready=False)


def another_context(cluster: Cluster) -> None:
    started(cluster)
    cluster.change(own_model(model={"contextLength": 4096}))


def another_flag_that_is_ours(cluster: Cluster) -> None:
    started(cluster)
    cluster.change(own_model(engine={"args": ["--port=1"]}))


def scaled_to_zero(cluster: Cluster) -> None:
    started(cluster)
    cluster.change(own_model(replicas=0))
    cluster.settle()
    cluster.run_pods()


def idle(cluster: Cluster) -> None:
    started(cluster)
    cluster.change(own_model(replicas=0, scaling={"maxReplicas": 2, "idle": {"after": "10m"}}))
    cluster.settle()
    cluster.run_pods()


def scaled_from_two_to_one(cluster: Cluster) -> None:
    cluster.change(own_model(replicas=2))
    started(cluster)
    cluster.change(own_model(replicas=1))


def contested(cluster: Cluster) -> None:
    started(cluster)
    cluster.contests = (Contest("Deployment chat", "somebody", "spec.replicas"),)


def blocked(cluster: Cluster) -> None:
    starting(cluster)
    cluster.obstacle = Obstacle("NameTaken", "Service chat is not Pointsman's", "Service chat")


def without_pods_by_quota(cluster: Cluster) -> None:
    cluster.settle()
    message = 'pods "chat-5d8f-x2c" is forbidden: exceeded quota: none'
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    cluster.workload()["status"] = {"conditions": [failure]}


def out_of_memory(cluster: Cluster) -> None:
    starting(cluster)
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    cluster.pods[0]["status"]["containerStatuses"] = [{"name": "engine", "ready": False, "state": ended}]


def unschedulable(cluster: Cluster) -> None:
    starting(cluster)
    cluster.pods[0]["status"]["conditions"] = [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }
    ]


def weights_missing(cluster: Cluster) -> None:
    starting(cluster)
    ended = {"terminated": {"exitCode": 1, "message": "NotFound: there is no such repository"}}
    cluster.pods[0]["status"]["initContainerStatuses"] = [
        {"name": "weights", "ready": False, "lastState": ended}
    ]


def past_its_deadline(cluster: Cluster) -> None:
    starting(cluster)
    cluster.workload()["status"]["conditions"] = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    ]


def revision_of_tomorrow(cluster: Cluster) -> None:
    started(cluster)
    [revision] = cluster.of((CONTROLLER_REVISION,))
    revision["data"] = {"rendering": json.dumps({"format": 99})}
    revision["metadata"]["uid"] += "-later"


def became_hosted(cluster: Cluster) -> None:
    started(cluster)
    cluster.pods = []
    cluster.change(hosted_model())


@dataclass(frozen=True)
class Case:
    """After `before`, a look leads to these children and conditions (type -> status and reason)."""

    before: Callable[[Cluster], None] = nothing
    manifest: Json = field(default_factory=own_model)
    fleet: Any = None
    inventory: Any = None
    kinds: list[str] = field(default_factory=lambda: MADE)
    said: dict[str, tuple[str, str]] = field(default_factory=dict)
    words: str = ""
    """A part of Ready's message."""


CASES = {
    "a new one is made and starts": Case(
        said={
            "Placed": ("True", "Placed"),
            "WeightsAvailable": ("False", "Fetching"),
            "Progressing": ("True", "Starting"),
            "Available": ("False", "NoReplicaReady"),
            "Ready": ("False", "Fetching"),
        },
        words="is being fetched",
    ),
    "pods that wait have no weights yet": Case(starting, said={"Ready": ("False", "Fetching")}),
    "with all replicas ready it is ready": Case(
        started,
        said={
            "WeightsAvailable": ("True", "Available"),
            "Progressing": ("True", "Complete"),
            "Available": ("True", "ReplicasReady"),
            "Ready": ("True", "ReplicasReady"),
        },
    ),
    "a provider's model has nothing here": Case(
        manifest=hosted_model(), kinds=[], said={"Ready": ("True", "Hosted")}
    ),
    "what ran before it was hosted goes": Case(became_hosted, kinds=[], said={"Ready": ("True", "Hosted")}),
    "a mistake at first makes nothing": Case(
        manifest=own_model(engine={"args": ["--port=1"]}),
        kinds=[],
        said={"Placed": ("Unknown", "Waiting"), "Ready": ("False", "InvalidSpec")},
        words="--port",
    ),
    "a mistake later leaves what runs": Case(
        another_flag_that_is_ours,
        said={"Progressing": ("False", "InvalidSpec"), "Ready": ("True", "ReplicasReady")},
    ),
    "what fits nowhere makes nothing": Case(
        manifest=gpu_model(hardware={"accelerators": ["H100"]}),
        fleet=L40S,
        kinds=[],
        said={"Ready": ("False", "InvalidSpec")},
    ),
    "while another version starts, the former serves": Case(
        another_context,
        kinds=["ControllerRevision", *MADE],
        said={
            "Progressing": ("True", "Starting"),
            "Available": ("True", "FormerVersionServes"),
            "Ready": ("True", "FormerVersionServes"),
        },
    ),
    "scaled to zero it keeps its objects": Case(
        scaled_to_zero,
        said={"Available": ("False", "ScaledToZero"), "Ready": ("False", "ScaledToZero")},
    ),
    "at zero while nobody asks it is well": Case(
        idle, said={"Available": ("True", "Idle"), "Ready": ("True", "Idle")}, words="requests are held"
    ),
    "of several replicas one may be disturbed at a time": Case(
        manifest=own_model(replicas=2), kinds=[*MADE, "PodDisruptionBudget"]
    ),
    "the budget of several goes when one is left": Case(scaled_from_two_to_one),
    "who keeps a field is named": Case(
        contested, said={"Progressing": ("False", "FieldContested"), "Ready": ("True", "ReplicasReady")}
    ),
    "a child could not be written, which says more than that weights are on their way": Case(
        blocked, said={"Progressing": ("False", "NameTaken"), "Ready": ("False", "NameTaken")}
    ),
    "a quota keeps pods away": Case(
        without_pods_by_quota,
        said={"Progressing": ("False", "PodsRefused"), "Ready": ("False", "PodsRefused")},
    ),
    "an engine that needs more memory": Case(
        out_of_memory, said={"Progressing": ("False", "OutOfMemory"), "Ready": ("False", "OutOfMemory")}
    ),
    "no node has room": Case(
        unschedulable, said={"Placed": ("False", "NotEnoughMemory"), "Ready": ("False", "NotEnoughMemory")}
    ),
    "weights that are not there": Case(
        weights_missing,
        said={"WeightsAvailable": ("False", "NotFound"), "Ready": ("False", "NotFound")},
        words="no such repository",
    ),
    "a start that takes too long": Case(
        past_its_deadline, said={"Progressing": ("False", "DeadlineExceeded")}
    ),
    "a rendering that cannot be read moves nothing": Case(
        revision_of_tomorrow,
        said={"Progressing": ("False", "RevisionUnreadable"), "Ready": ("True", "FormerVersionServes")},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_look(case: Case) -> None:
    cluster = Cluster(case.manifest, fleet=case.fleet, inventory=case.inventory)
    case.before(cluster)
    cluster.settle()
    assert cluster.kinds() == sorted(case.kinds)
    assert {kind: cluster.condition(kind) for kind in case.said} == case.said
    assert case.words in cluster.message("Ready")
    assert cluster.deployment["status"]["observedGeneration"] == cluster.deployment["metadata"]["generation"]


def test_one_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    cluster = Cluster(own_model())
    cluster.settle()
    cluster.deployment["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    plan = cluster.plan()
    assert (plan.apply, plan.delete, plan.status) == ((), (), None)


def test_the_rendering_is_written_before_anything_that_is_made_from_it() -> None:
    plan = Cluster(own_model()).plan()
    assert plan.apply[0]["kind"] == "ControllerRevision"
    assert plan.apply[-1]["kind"] == "Deployment"


def test_back_to_a_former_spec_is_back_to_its_very_pods() -> None:
    cluster = Cluster(own_model())
    cluster.settle()
    first = cluster.templates()
    cluster.change(own_model(model={"contextLength": 4096}))
    cluster.settle()
    assert cluster.templates() != first
    cluster.change(own_model())
    cluster.settle()
    assert cluster.templates() == first


def test_five_renderings_are_kept() -> None:
    cluster = Cluster(own_model())
    for number in range(9):
        cluster.change(own_model(model={"contextLength": 2048 + number}))
        cluster.settle()
    kept = sorted(cluster.of((CONTROLLER_REVISION,)), key=lambda one: int(one["revision"]))
    assert [one["revision"] for one in kept] == [5, 6, 7, 8, 9]
    assert frozen_rendering(kept[-1]).placement.context_length == 2056


def test_pods_of_a_former_rendering_do_not_make_it_complete() -> None:
    cluster = Cluster(own_model(replicas=2))
    started(cluster)
    cluster.pods[0] = of_revision(cluster.pods[0], "former")
    cluster.settle()
    assert cluster.condition("Progressing") == ("True", "Starting")
    assert cluster.condition("Available") == ("True", "ReplicasReady")


def test_pools_get_their_replicas_and_prices() -> None:
    pools = [
        {"name": "spot", "accelerator": "L40S", "maxReplicas": 4, "capacity": "spot"},
        {"name": "reserved", "accelerator": "L40S", "minReplicas": 1, "maxReplicas": 4},
    ]
    prices = fleet(accelerators=[{"name": "L40S", "pricePerHour": {"onDemand": "2", "spot": "0.5"}}])
    cluster = Cluster(gpu_model(replicas=3, hardware={"pools": pools}), fleet=prices)
    cluster.settle()
    status = cluster.deployment["status"]
    assert {one["name"]: one["replicas"] for one in status["pools"]} == {"spot": 2, "reserved": 1}
    assert status["costPerHour"] == "3"
    assert cluster.kinds().count("Deployment") == 2


def test_events_are_for_troubles_and_for_ready_and_come_once() -> None:
    cluster = Cluster(own_model())
    first = cluster.plan()
    assert first.announcements == ()
    cluster.carry_out(first)
    out_of_memory(cluster)
    [trouble] = cluster.plan().announcements
    assert (trouble.reason, trouble.is_warning) == ("OutOfMemory", True)
    cluster.settle()
    assert cluster.plan().announcements == ()
    cluster.run_pods()
    [ready] = cluster.plan().announcements
    assert (ready.reason, ready.message, ready.is_warning) == (
        "ReplicasReady",
        "requests are answered",
        False,
    )


def test_orphans_are_adopted_with_the_very_pods_that_run() -> None:
    cluster = Cluster(own_model(replicas=2))
    started(cluster)
    templates = cluster.templates()
    uid = cluster.workload()["metadata"]["uid"]
    cluster.orphan()
    cluster.settle()
    assert cluster.templates() == templates
    assert cluster.workload()["metadata"]["uid"] == uid
    for child in cluster.children.values():
        assert [owner["uid"] for owner in child["metadata"]["ownerReferences"]] == ["uid-1-again"]


def test_what_an_orphan_keeps_is_adopted_as_it_is_written() -> None:
    """The data of a ControllerRevision can never be written again, whoever wrote it in whatever form."""
    cluster = Cluster(own_model())
    started(cluster)
    [revision] = cluster.of((CONTROLLER_REVISION,))
    revision["data"] = kept = without_nothing(json.loads(revision["data"]["rendering"]))
    cluster.orphan()
    cluster.settle()
    [adopted] = cluster.of((CONTROLLER_REVISION,))
    assert adopted["data"] == kept
    assert [owner["uid"] for owner in adopted["metadata"]["ownerReferences"]] == ["uid-1-again"]
