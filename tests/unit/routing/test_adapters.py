"""Adapters as targets: only those that their deployment lists, over the replicas of its model."""

from pointsman.routing import Compiler, ProxySettings
from pointsman.routing.compiler import unusable_targets
from pointsman.routing.resources import CLUSTER, SCOPE
from pointsman.routing.targets import NO_ADAPTER
from tests.support.builders import deployment, route, routing_input
from tests.support.envoy_messages import as_json, compiled, entries, groups


def test_an_adapter_is_left_out_until_its_deployment_lists_it() -> None:
    """By one compiler: what it remembers of a route hangs on the adapters of what the route names."""
    chat = route("chat", {"a/de": 90, "b": 10}, mirror=("a/fr", 5))
    used = Compiler(ProxySettings())
    for adapters, want_group, want_mirrors, want_unusable in (
        ([], {"default/b": 10}, [], ["a/de", "a/fr"]),
        (["de"], {"default/a/de": 90, "default/b": 10}, [], ["a/fr"]),
        (["fr", "de"], {"default/a/de": 90, "default/b": 10}, ["default/a/fr"], []),
        (["fr"], {"default/b": 10}, ["default/a/fr"], ["a/de"]),
    ):
        given = routing_input(deployment("a", adapters=adapters), deployment("b"), chat)
        made = used.compile(given)
        entry, *_ = entries(made[SCOPE]["chat"])
        mirrors = [one["cluster"].split("~")[0] for one in entry["route"].get("request_mirror_policies", [])]
        assert (groups(entry)[0], mirrors) == (want_group, want_mirrors)
        assert {name.split("~")[0] for name in made[CLUSTER]} == {*want_group, *want_mirrors}
        assert {one.label: one.reason for one in unusable_targets(chat, given)} == dict.fromkeys(
            want_unusable, NO_ADAPTER
        )


def test_replicas_of_a_deployment_serve_its_model_and_its_adapters() -> None:
    made = compiled(
        routing_input(
            deployment("a", adapters=["de"]), route("chat", ["a", "a/de"]), endpoints={"a": [8001, 8002]}
        )
    )
    clusters = [as_json(one) for one in made[CLUSTER].values()]
    assert {one["eds_cluster_config"]["service_name"] for one in clusters} == {"default/a"}
    assert {one["alt_stat_name"] for one in clusters} == {"default/a"}
    assert len(clusters) == 2
