"""A deployment whose spec changes is placed as if its own replicas were gone: they make room for new ones."""

from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, inventory
from tests.support.builders import fleet
from tests.support.decided_cluster import Cluster, Json, own_model

SETTINGS = fleet(
    accelerators=[
        {"name": "L40S", "pricePerHour": {"onDemand": "9"}},
        {"name": "H100-SXM", "pricePerHour": {"onDemand": "1"}},
    ]
)


def node(name: str, product: str, count: int) -> Json:
    return {
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product}},
        "status": {"allocatable": {"nvidia.com/gpu": str(count)}},
    }


NODES = [node("h", "NVIDIA-H100-80GB-HBM3", 2), node("l", "NVIDIA-L40S", 8)]


def model(context: int) -> Json:
    made = own_model(engine={"name": "vllm"}, replicas=2)
    made["spec"]["model"] = {"source": "hf://Qwen/Qwen3-8B", "contextLength": context}
    return made


def seen(pods: list[Json]) -> Inventory:
    return inventory(NODES, SETTINGS, shipped_catalog(), pods)


def on_node(pod: Json) -> Json:
    limits = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    return {**pod, "spec": {"nodeName": "h", "containers": [limits]}}


def accelerator(cluster: Cluster) -> str:
    return str(cluster.deployment["status"]["placement"]["accelerator"])


def test_it_stays_where_nobody_but_itself_is_in_the_way() -> None:
    cluster = Cluster(model(2048), fleet=SETTINGS, inventory=seen([]))
    cluster.settle()
    cluster.run_pods()
    cluster.pods = [on_node(pod) for pod in cluster.pods]
    cluster.inventory = seen(cluster.pods)
    cluster.settle()
    assert accelerator(cluster) == "H100-SXM"
    cluster.change(model(4096))
    cluster.settle()
    assert accelerator(cluster) == "H100-SXM"
    # Both devices are still taken: one replica is replaced after the other.
    [workload] = [child for child in cluster.children.values() if child["kind"] == "Deployment"]
    assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_it_moves_where_others_are() -> None:
    cluster = Cluster(model(2048), fleet=SETTINGS, inventory=seen([]))
    cluster.settle()
    cluster.inventory = seen([on_node({"status": {}}), on_node({"status": {}})])
    cluster.change(model(4096))
    cluster.settle()
    assert accelerator(cluster) == "L40S"
