"""Objects around the pods: who owns them, how many, how they are replaced, and who may talk to them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.api.hardware import Capacity
from pointsman.catalog import shipped_catalog
from pointsman.placement.result import Placement
from pointsman.workloads import Images, Rendering, Surroundings, freeze, render
from tests.support.builders import deployment
from tests.support.placement_results import placed, pool

GROUP = placed(pool(devices=16, tensor=8), pipeline=2, nodes=2)
AGENT = "registry.example.com/pointsman:1"


def made(name: str = "m", **spec: Any) -> ModelDeployment:
    return deployment(name, metadata={"uid": "u-1"}, spec=spec)


def frozen(own: ModelDeployment, placement: Placement | None = None) -> Rendering:
    return freeze(own, placement or placed(), shipped_catalog(), Images(AGENT))


def rendered(
    own: ModelDeployment,
    placement: Placement | None = None,
    replicas: Mapping[str, int] | None = None,
    around: Surroundings | None = None,
) -> dict[str, Any]:
    """The objects by kind, Deployments by `kind/pool`."""
    objects = render(own, frozen(own, placement), replicas or {"default": 1}, around)
    return {
        f"{one['kind']}/{one['metadata']['labels']['pointsman.dev/pool']}"
        if one["kind"] == "Deployment"
        else one["kind"]: one
        for one in objects
    }


def test_every_object_is_owned_by_its_deployment() -> None:
    for kind, one in rendered(made(), None, {"default": 2}, Surroundings(pod_monitors=True)).items():
        (owner,) = one["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("ModelDeployment", "u-1", True), kind


def test_a_plan_without_a_cluster_names_no_owner() -> None:
    own = deployment("m")
    assert all("ownerReferences" not in one["metadata"] for one in render(own, frozen(own), {"default": 1}))


def test_a_count_changes_no_pod() -> None:
    one, ten = (rendered(made(), replicas={"default": count})["Deployment/default"] for count in (1, 10))
    assert (one["spec"]["replicas"], ten["spec"]["replicas"]) == (1, 10)
    assert one["spec"]["template"] == ten["spec"]["template"]


def triton_model(objects: Mapping[str, Any], pool_name: str) -> dict[str, Any]:
    """What the back end of a pool's Triton reads."""
    spec = objects[f"Deployment/{pool_name}"]["spec"]["template"]["spec"]
    (volume,) = (one["configMap"] for one in spec["volumes"] if "configMap" in one)
    (item,) = (one for one in volume["items"] if one["path"].endswith("/1/model.json"))
    read: dict[str, Any] = json.loads(objects["ConfigMap"]["data"][item["key"]])
    return read


def test_each_pool_of_triton_reads_how_it_is_spread_itself() -> None:
    own = deployment("m", engine="triton", spec={"model": {"servedNames": ["m"]}})
    one, four = pool("one", devices=1, tensor=1), pool("four", accelerator="L4", devices=4, tensor=4)
    objects = rendered(own, placed(one, four), {"one": 1, "four": 1})
    assert triton_model(objects, "one")["tensor_parallel_size"] == 1
    assert triton_model(objects, "four")["tensor_parallel_size"] == 4


SURGES = {
    "no device is known to be free": ("H100-SXM", frozenset[str](), {"maxSurge": 0, "maxUnavailable": 1}),
    "a device was shown to be free": (
        "H100-SXM",
        frozenset({"default"}),
        {"maxSurge": 1, "maxUnavailable": 0},
    ),
    "no device is needed": ("", frozenset[str](), {"maxSurge": 1, "maxUnavailable": 0}),
}


@pytest.mark.parametrize(("accelerator", "spare", "want"), SURGES.values(), ids=SURGES.keys())
def test_a_rollout_surges_only_where_there_is_room(
    accelerator: str, spare: frozenset[str], want: dict[str, int]
) -> None:
    found = rendered(made(), placed(pool(accelerator=accelerator)), around=Surroundings(spare=spare))
    assert found["Deployment/default"]["spec"]["strategy"]["rollingUpdate"] == want


def test_each_pool_is_a_deployment_of_its_own() -> None:
    own = made(
        hardware={
            "pools": [
                {"name": "spot", "accelerator": "L4", "capacity": "spot", "maxReplicas": 3},
                {"name": "base", "accelerator": "L4", "maxReplicas": 1},
            ]
        }
    )
    placement = placed(pool("spot", "L4", capacity=Capacity.SPOT), pool("base", "L4"))
    found = rendered(own, placement, {"spot": 3, "base": 1})
    spot, base = found["Deployment/spot"], found["Deployment/base"]
    assert (spot["spec"]["replicas"], base["spec"]["replicas"]) == (3, 1)
    assert spot["metadata"]["name"] != base["metadata"]["name"]
    operators = {
        name: {
            expression["operator"]
            for term in one["spec"]["template"]["spec"]["affinity"]["nodeAffinity"][
                "requiredDuringSchedulingIgnoredDuringExecution"
            ]["nodeSelectorTerms"]
            for expression in term["matchExpressions"]
            if expression["key"] == "karpenter.sh/capacity-type"
        }
        for name, one in (("spot", spot), ("base", base))
    }
    assert operators == {"spot": {"In"}, "base": {"NotIn"}}


def test_a_pool_that_is_not_counted_has_no_replicas() -> None:
    assert rendered(made(), replicas={"other": 3})["Deployment/default"]["spec"]["replicas"] == 0


def test_a_replica_over_nodes_is_a_group_whose_leader_answers() -> None:
    found = rendered(made(hardware={"nodes": 2}), GROUP, {"default": 3})
    group = found["LeaderWorkerSet"]
    template = group["spec"]["leaderWorkerTemplate"]
    assert (group["spec"]["replicas"], template["size"]) == (3, 2)
    assert group["spec"]["startupPolicy"] == "LeaderCreated"
    assert template["restartPolicy"] == "RecreateGroupAfterStart"
    assert group["metadata"]["name"] != found["Service"]["metadata"]["name"], "its own Service has that name"
    labels = {
        role: template[f"{role}Template"]["metadata"]["labels"]["pointsman.dev/role"]
        for role in ("leader", "worker")
    }
    assert labels == {"leader": "leader", "worker": "worker"}
    leaders = {"pointsman.dev/deployment": "m", "pointsman.dev/role": "leader"}
    assert found["Service"]["spec"]["selector"] == leaders
    # A worker that is evicted ends its whole group: the budget counts workers as well.
    everyone = {"pointsman.dev/deployment": "m"}
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == everyone
    assert [one["name"] for one in template["workerTemplate"]["spec"]["initContainers"]] == ["weights"]


def test_ranks_may_talk_to_each_other() -> None:
    def free(policy: dict[str, Any]) -> list[dict[str, Any]]:
        return [rule for rule in policy["spec"]["ingress"] if "ports" not in rule]

    assert free(rendered(made())["NetworkPolicy"]) == []
    assert len(free(rendered(made(hardware={"nodes": 2}), GROUP)["NetworkPolicy"])) == 1


def test_an_open_way_out_is_said() -> None:
    policy = rendered(made())["NetworkPolicy"]
    ports = [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 443]
    assert "TCP 443 anywhere" in policy["metadata"]["annotations"]["pointsman.dev/note"]


def test_named_networks_close_the_rest() -> None:
    around = Surroundings(egress_cidrs=("198.51.100.0/24",))
    policy = rendered(made(), around=around)["NetworkPolicy"]
    assert policy["spec"]["egress"][1:] == [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}]
    assert "443" not in policy["metadata"]["annotations"]["pointsman.dev/note"]


def test_a_monitor_only_where_its_kind_exists() -> None:
    assert "PodMonitor" not in rendered(made())
    assert "PodMonitor" in rendered(made(), around=Surroundings(pod_monitors=True))


def test_the_grace_covers_the_drain_and_the_engines_own_stop() -> None:
    template = rendered(made(drain={"timeout": "2m"}))["Deployment/default"]["spec"]["template"]
    stop = shipped_catalog().engines["vllm"].shutdown.stop_seconds
    assert template["spec"]["terminationGracePeriodSeconds"] == 120 + stop + 15


def test_pods_run_without_rights() -> None:
    spec = rendered(made())["Deployment/default"]["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in (*spec["initContainers"], *spec["containers"]):
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["allowPrivilegeEscalation"] is False
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_a_queue_of_kueue_stands_on_the_workload_alone() -> None:
    own = made(template={"labels": {"kueue.x-k8s.io/queue-name": "gold", "team": "a"}})
    workload = rendered(own)["Deployment/default"]
    assert workload["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gold"
    pods = workload["spec"]["template"]["metadata"]["labels"]
    assert "kueue.x-k8s.io/queue-name" not in pods
    assert pods["team"] == "a"


def test_nodes_are_found_by_the_fleets_own_labels() -> None:
    fleet = FleetSettings.model_validate(
        {
            "accelerators": [
                {
                    "name": "H100-SXM",
                    "nodeSelector": {"gpu": "h100"},
                    "tolerations": [{"key": "gpu", "operator": "Exists"}],
                }
            ]
        }
    )
    rendering = freeze(made(), placed(), shipped_catalog(), Images(AGENT), fleet=fleet)
    spec = rendering.pools[0].template["spec"]
    assert spec["nodeSelector"] == {"gpu": "h100"}
    assert "affinity" not in spec
    assert {toleration["key"] for toleration in spec["tolerations"]} == {"nvidia.com/gpu", "gpu"}


def test_a_stated_label_does_not_take_the_place_of_the_fleets() -> None:
    """With it, pods would run on devices that no rule and no quota was asked of."""
    accelerator = {"name": "H100-SXM", "nodeSelector": {"gpu": "h100"}}
    fleet = FleetSettings.model_validate({"accelerators": [accelerator]})
    own = made(template={"nodeSelector": {"gpu": "b200", "zone": "a"}})

    spec = freeze(own, placed(), shipped_catalog(), Images(AGENT), fleet=fleet).pools[0].template["spec"]

    assert spec["nodeSelector"] == {"gpu": "h100", "zone": "a"}
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [{"key": "gpu", "operator": "In", "values": ["b200"]}]


def test_other_reasons_and_prices_move_no_pod() -> None:
    own, placement = made(), placed()
    before = frozen(own, placement)
    after = frozen(own, replace(placement, reason="prices fell", price_per_hour=None))
    assert before.name != after.name
    assert before.revisions == after.revisions
    assert render(own, before, {"default": 1}) == render(own, after, {"default": 1})


def test_a_changed_file_makes_other_pods() -> None:
    first, second = (frozen(made(engine={"chatTemplate": text})) for text in ("a", "b"))
    assert first.files["chat-template.jinja"] == "a"
    assert first.revisions != second.revisions


@pytest.mark.parametrize(
    ("own", "placement", "replicas", "has_budget"),
    [
        (made(), None, {"default": 1}, False),
        (made(), None, {"default": 0}, False),
        (made(), None, {"default": 2}, True),
        (made(), None, {"spot": 1, "steady": 1}, True),
        (made(hardware={"nodes": 2}), GROUP, {"default": 1}, True),
    ],
    ids=["one pod", "none", "two", "one in each of two pools", "a group of pods"],
)
def test_a_budget_is_made_where_it_says_anything(
    own: ModelDeployment, placement: Placement | None, replicas: Mapping[str, int], has_budget: bool
) -> None:
    assert ("PodDisruptionBudget" in rendered(own, placement, replicas)) is has_budget
