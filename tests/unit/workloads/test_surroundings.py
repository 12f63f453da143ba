"""What the fleet settings say of the network and of the weights is found in the objects."""

from typing import Any

import pytest

from pointsman.api import FleetSettings
from pointsman.api.examination import examine
from pointsman.catalog import shipped_catalog
from pointsman.workloads import Images, freeze, render, surroundings_of
from tests.support.builders import deployment
from tests.support.placement_results import placed

Json = dict[str, Any]

DNS: Json = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
PROXY: Json = {"url": "http://proxy.example.com:3128", "cidrs": ["10.1.2.3/32"]}

_PART_OF = "app.kubernetes.io/part-of"


def made(settings: Json) -> dict[str, Json]:
    """The objects of a model on such a fleet, by kind."""
    fleet = FleetSettings.model_validate(settings)
    around = surroundings_of(fleet)
    own = deployment("m", engine="vllm", source="hf://a/b")
    rendering = freeze(own, placed(), shipped_catalog(), Images("agent:1"), fleet=fleet, surroundings=around)
    return {one["kind"]: one for one in render(own, rendering, {"default": 1}, around)}


def variables(container: Json) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container["env"]}


def to(*cidrs: str, port: int | None = None) -> Json:
    blocks = {"to": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]}
    return blocks if port is None else {**blocks, "ports": [{"protocol": "TCP", "port": port}]}


EGRESS: dict[str, tuple[Json, list[Json], str]] = {
    "nothing is said": ({}, [DNS, {"ports": [{"protocol": "TCP", "port": 443}]}], "TCP 443 anywhere"),
    "networks": ({"cidrs": ["10.0.0.0/8"]}, [DNS, to("10.0.0.0/8")], "the networks and the proxy of"),
    "a proxy": ({"proxy": PROXY}, [DNS, to("10.1.2.3/32", port=3128)], "the networks and the proxy of"),
    "a proxy whose port goes without saying": (
        {"proxy": {**PROXY, "url": "https://proxy.example.com"}},
        [DNS, to("10.1.2.3/32", port=443)],
        "the networks and the proxy of",
    ),
    "both": (
        {"proxy": PROXY, "cidrs": ["10.0.0.0/8", "2001:db8::/32"]},
        [DNS, to("10.1.2.3/32", port=3128), to("10.0.0.0/8", "2001:db8::/32")],
        "the networks and the proxy of",
    ),
}


@pytest.mark.parametrize(("egress", "want", "note"), EGRESS.values(), ids=EGRESS)
def test_pods_reach_what_the_fleet_says_and_it_is_said(egress: Json, want: list[Json], note: str) -> None:
    policy = made({"egress": egress} if egress else {})["NetworkPolicy"]
    assert policy["spec"]["egress"] == want
    assert note in policy["metadata"]["annotations"]["pointsman.dev/note"]


def test_the_download_and_the_engine_are_told_of_the_proxy_and_the_agent_is_not() -> None:
    spec = made({"egress": {"proxy": {**PROXY, "noProxy": ["10.0.0.0/8", ".corp"]}}})["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    download, agent = pod["initContainers"]
    for container in (download, *pod["containers"]):
        said = variables(container)
        assert said["HTTPS_PROXY"] == PROXY["url"]
        assert said["NO_PROXY"] == "localhost,127.0.0.1,::1,.svc,.cluster.local,10.0.0.0/8,.corp"
    # It talks to the engine beside it and to nobody else.
    assert "env" not in agent


def test_without_a_proxy_no_variable_speaks_of_one() -> None:
    pod = made({})["Deployment"]["spec"]["template"]["spec"]
    assert not [name for name in variables(pod["containers"][0]) if "PROXY" in name]


def test_weights_are_shared_by_the_claim_and_the_engine_only_reads_them() -> None:
    pod = made({"weights": {"cacheClaim": "shared"}})["Deployment"]["spec"]["template"]["spec"]
    assert {"name": "weights", "persistentVolumeClaim": {"claimName": "shared"}} in pod["volumes"]
    mounts = {
        one["name"]: [mount for mount in one["volumeMounts"] if mount["name"] == "weights"]
        for one in (pod["initContainers"][0], *pod["containers"])
    }
    assert mounts["weights"] == [{"name": "weights", "mountPath": "/weights/store"}]
    assert mounts["engine"] == [{"name": "weights", "mountPath": "/weights/store", "readOnly": True}]


def test_local_mode_says_that_they_are_not_for_it() -> None:
    text = "egress: {cidrs: [10.0.0.0/8]}\nweights: {cacheClaim: shared}\n"
    assert [finding.text() for finding in examine({"fleet.yaml": text}, "local").findings] == [
        "fleet.yaml:1: warning: FleetSettings: egress: is for pods of a cluster; "
        "it changes nothing in local mode",
        "fleet.yaml:2: warning: FleetSettings: weights: is for pods of a cluster; "
        "it changes nothing in local mode",
    ]
    assert examine({"fleet.yaml": text}, "cluster").findings == ()


def test_no_policy_lets_anybody_to_where_a_replica_is_taken_out() -> None:
    objects = made({})
    [engine] = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    taken_out_at = engine["lifecycle"]["preStop"]["httpGet"]["port"]
    ingress = objects["NetworkPolicy"]["spec"]["ingress"]
    let_in = {port["port"] for rule in ingress for port in rule["ports"]}
    assert taken_out_at not in let_in


def test_only_pods_of_the_installation_are_let_in_as_its_own() -> None:
    """Whoever may make pods may give them any label, but not a namespace that is not theirs."""
    around = surroundings_of(FleetSettings(), "models-platform")
    ours = [one for one in (*around.gateways, *around.scrapers) if _PART_OF in one.pod_labels]
    assert [one.pod_labels["app.kubernetes.io/component"] for one in ours] == [
        "gateway",
        "operator",
        "autoscaler",
    ]
    assert {tuple(one.namespace_labels.items()) for one in ours} == {
        (("kubernetes.io/metadata.name", "models-platform"),)
    }
