"""What a cluster cannot is said with what to install, nothing is written of it, and what runs goes on."""

from dataclasses import replace
from typing import Any

from pointsman.kube.objects import LEADER_WORKER_SET
from tests.support.builders import fleet
from tests.support.decided_cluster import Cluster, Json, own_model
from tests.support.placements import inventory_of

FLEET = fleet(accelerators=[{"name": "H100-SXM", "pricePerHour": {"onDemand": "1"}}])


def grouped(nodes: int = 2, **model: Any) -> Json:
    """A model whose replicas span nodes."""
    made = own_model(engine={"name": "vllm"}, hardware={"nodes": nodes}, replicas=1)
    made["spec"]["model"] = {"source": "pvc://models/qwen3-32b", "contextLength": 4096, **model}
    made["spec"]["model"]["facts"] = {"parameters": "32B", "layers": 64, "kvHeads": 8, "headDim": 128}
    return made


def cluster_with(manifest: Json, **abilities: Any) -> Cluster:
    cluster = Cluster(manifest, fleet=FLEET, inventory=inventory_of(**{"H100-SXM": 64}))
    cluster.surroundings = replace(cluster.surroundings, **abilities)
    return cluster


def can(cluster: Cluster, **abilities: Any) -> None:
    cluster.surroundings = replace(cluster.surroundings, **abilities)
    cluster.settle()


def test_without_its_kind_a_group_of_nodes_is_not_made_and_what_to_install_is_said() -> None:
    cluster = cluster_with(grouped(), leader_worker_sets=False)
    cluster.settle()
    assert cluster.kinds() == []
    assert cluster.condition("Placed") == ("False", "LeaderWorkerSetMissing")
    assert cluster.condition("Ready") == ("False", "LeaderWorkerSetMissing")
    assert "leaderworkersets.leaderworkerset.x-k8s.io" in cluster.message("Ready")
    assert "https://github.com/kubernetes-sigs/lws" in cluster.message("Ready")
    can(cluster, leader_worker_sets=True)
    assert "LeaderWorkerSet" in cluster.kinds()
    assert cluster.condition("Placed") == ("True", "Placed")


def test_one_node_needs_no_other_kind() -> None:
    cluster = cluster_with(grouped(nodes=1), leader_worker_sets=False)
    cluster.settle()
    assert "Deployment" in cluster.kinds()


def test_when_the_kind_goes_nothing_of_it_is_written_or_deleted_any_more() -> None:
    cluster = cluster_with(grouped())
    cluster.settle()
    can(cluster, leader_worker_sets=False)
    assert cluster.condition("Placed") == ("False", "LeaderWorkerSetMissing")
    plan = cluster.plan()
    assert not [one for one in plan.apply if one["kind"] == "LeaderWorkerSet"]
    assert not [one for one in plan.delete if one.kind == LEADER_WORKER_SET]


def test_what_ran_on_one_node_goes_on_while_two_cannot_be_had() -> None:
    cluster = cluster_with(grouped(nodes=1), leader_worker_sets=False)
    cluster.settle()
    cluster.run_pods()
    templates = cluster.templates()
    cluster.change(grouped(nodes=2))
    cluster.settle()
    assert cluster.templates() == templates
    assert cluster.condition("Placed") == ("False", "LeaderWorkerSetMissing")
    assert cluster.condition("Ready")[0] == "True"


def test_weights_in_an_image_are_refused_by_an_older_server_and_made_once_it_is_newer() -> None:
    cluster = Cluster(own_model())
    can(cluster, image_volumes=False, kubernetes="1.34")
    assert cluster.kinds() == []
    assert cluster.condition("Ready") == ("False", "NotRendered")
    assert "this cluster (Kubernetes 1.34) does not have" in cluster.message("Ready")
    can(cluster, image_volumes=True, kubernetes="1.35")
    assert "Deployment" in cluster.kinds()


def test_a_model_that_runs_is_not_asked_again_what_the_server_can() -> None:
    cluster = Cluster(own_model())
    cluster.settle()
    templates = cluster.templates()
    can(cluster, image_volumes=False, kubernetes="1.34")
    assert cluster.templates() == templates
    assert cluster.condition("Placed") == ("True", "Placed")


def test_monitors_of_pods_come_and_go_with_their_kind() -> None:
    cluster = Cluster(own_model())
    cluster.settle()
    assert "PodMonitor" not in cluster.kinds()
    can(cluster, pod_monitors=True)
    assert "PodMonitor" in cluster.kinds()
