"""What holds for every compilation, whatever the objects say."""

import random
from collections import Counter
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.api import FallbackReason, ObjectKey
from pointsman.routing import Compiler, ProxySettings, Resource, ResourceSet, RoutingInput
from pointsman.routing.claims import claimed_names
from pointsman.routing.resources import CLUSTER, ENDPOINTS, LISTENER, SCOPE, SECRET, version_of
from tests.property.routing.routing_inputs import CLIENT_KEY, PROVIDER_KEY, World, edits, worlds
from tests.support.envoy_stand_in import clusters_of, names_of

MESSAGES = {
    SECRET: Secret,
    CLUSTER: Cluster,
    ENDPOINTS: ClusterLoadAssignment,
    LISTENER: Listener,
    SCOPE: ScopedRouteConfiguration,
}


def compiled(world: World) -> ResourceSet:
    return Compiler(ProxySettings()).compile(world.routing_input())


def every(resources: ResourceSet) -> list[Resource]:
    return [one for by_name in resources.values() for one in by_name.values()]


@settings(max_examples=40)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(world: World, chance: random.Random) -> None:
    given_ = world.routing_input()

    def shuffled(mapping: Any) -> dict[Any, Any]:
        return dict(chance.sample(list(mapping.items()), len(mapping)))

    endpoints = {key: tuple(chance.sample(found, len(found))) for key, found in given_.endpoints.items()}
    other = RoutingInput(
        shuffled(given_.deployments),
        shuffled(given_.routes),
        shuffled(endpoints),
        shuffled(given_.secrets),
        given_.fleet,
    )
    assert Compiler(ProxySettings()).compile(other) == compiled(world)


@settings(max_examples=40)
@given(edits())
def test_what_a_compiler_remembers_changes_no_result(history: list[World]) -> None:
    used = Compiler(ProxySettings())
    for world in history:
        assert used.compile(world.routing_input()) == compiled(world)


@settings(max_examples=40)
@given(worlds())
def test_whatever_is_named_exists(world: World) -> None:
    made = compiled(world)
    for scope in made[SCOPE].values():
        assert clusters_of(scope.body) <= scope.clusters <= set(made[CLUSTER])
    for cluster in made[CLUSTER].values():
        for body in filter(None, (cluster.body, cluster.stub)):
            named = names_of(body)
            assert named[ENDPOINTS] <= set(made[ENDPOINTS])
            assert named[SECRET] <= set(made[SECRET])
        assert {cluster.endpoints} - {""} == names_of(cluster.body)[ENDPOINTS]


@settings(max_examples=40)
@given(worlds())
def test_each_claimed_name_is_one_scope_of_its_route(world: World) -> None:
    made = compiled(world)
    owners = {name: route.key for name, route in claimed_names(world.routing_input().routes.values()).items()}
    scopes = {name: one for name, one in made[SCOPE].items() if not name.startswith("!")}
    assert {name: one.owners for name, one in scopes.items()} == {n: {key} for n, key in owners.items()}
    assert {owner for one in made[CLUSTER].values() for owner in one.owners} <= set(owners.values())


@settings(max_examples=40)
@given(worlds())
def test_every_message_parses_back_and_has_the_version_of_its_bytes(world: World) -> None:
    for one in every(compiled(world)):
        for body in filter(None, (one.body, one.stub)):
            message = MESSAGES[one.type_url].FromString(body)
            assert message.SerializeToString(deterministic=True) == body
            assert (message.cluster_name if one.type_url == ENDPOINTS else message.name) == one.name
        assert one.version == version_of(one.body)


@settings(max_examples=40)
@given(worlds())
def test_weights_are_those_of_the_rule(world: World) -> None:
    given_ = world.routing_input()
    made = compiled(world)
    for name, route in claimed_names(given_.routes.values()).items():
        entries = rule_entries(made[SCOPE][name])
        namespace = route.key.namespace
        for index, rule in enumerate(route.spec.rules):
            weights = {f"{namespace}/{one.label}": one.weight for one in rule.targets}
            primary = Counter({t: weight for t, weight in weights.items() if weight and is_used(made, t)})
            stated = rule.fallback.targets if rule.fallback else ()
            named = [one for one in stated if is_used(made, f"{namespace}/{one.label}")]
            fallbacks = [Counter({f"{namespace}/{one.label}": 1}) for one in named]
            if rule.fallback and named and FallbackReason.REFUSAL not in rule.fallback.when:
                last = given_.deployments[ObjectKey(namespace, named[-1].deployment)]
                if last.spec.hosted is None and last.spec.replicas > 1:
                    fallbacks.append(fallbacks[-1])
            for groups in entries.get(f"{route.key}#{index}", ()):
                firsts = len(groups) - len(fallbacks)
                assert groups[firsts:] == fallbacks
                assert groups[:firsts] == [primary] * firsts
                assert bool(primary) == (firsts > 0)


def is_used(made: ResourceSet, target: str) -> bool:
    return any(name.startswith(f"{target}~") for name in made[CLUSTER])


@settings(max_examples=40)
@given(worlds())
def test_no_adapter_is_asked_for_but_those_that_a_deployment_lists(world: World) -> None:
    listed = {
        f"{key}/{adapter}"
        for key, one in world.routing_input().deployments.items()
        for adapter in one.adapter_names
    }
    asked = {name.split("~")[0] for name in compiled(world)[CLUSTER]}
    assert {target for target in asked if target.count("/") > 1} <= listed


def rule_entries(scope: Resource) -> dict[str, list[list[Counter[str]]]]:
    """Of each rule's entries, the groups of targets with their weights."""
    message = MessageToDict(ScopedRouteConfiguration.FromString(scope.body))
    found: dict[str, list[list[Counter[str]]]] = {}
    for entry in message["routeConfiguration"]["virtualHosts"][0]["routes"]:
        plugin = entry.get("route", {}).get("inlineClusterSpecifierPlugin")
        if plugin is None:
            continue
        groups = plugin["extension"]["typedConfig"]["value"]["priority_groups"]
        found.setdefault(entry["name"], []).append(
            [
                Counter({c["cluster_name"].split("~")[0]: int(c["weight"]) for c in group["clusters"]})
                for group in groups
            ]
        )
    return found


@settings(max_examples=40)
@given(worlds())
def test_no_secret_is_anywhere_but_where_it_is_needed(world: World) -> None:
    made = compiled(world)
    for one in every(made):
        bodies = one.body + (one.stub or b"")
        if one.type_url != SECRET:
            assert PROVIDER_KEY.encode() not in bodies
        if one.type_url != SCOPE:
            assert CLIENT_KEY.encode() not in bodies
        assert PROVIDER_KEY not in repr(one)
        assert CLIENT_KEY not in repr(one)
    for scope in made[SCOPE].values():
        message = ScopedRouteConfiguration.FromString(scope.body)
        for host in message.route_configuration.virtual_hosts:
            host.typed_per_filter_config["envoy.filters.http.api_key_auth"].Clear()
        assert CLIENT_KEY.encode() not in message.SerializeToString()


@settings(max_examples=40)
@given(worlds())
def test_a_provider_key_is_there_only_for_a_host_that_its_secret_allows(world: World) -> None:
    given_ = world.routing_input()
    made = compiled(world)
    wanted = set()
    for key, deployment in given_.deployments.items():
        hosted = deployment.spec.hosted
        if hosted is None or hosted.credentials is None:
            continue
        reference = hosted.credentials.secret_ref
        secret = given_.secrets.get(ObjectKey(key.namespace, reference.name))
        host = hosted.base_url.removeprefix("https://").split("/")[0]
        if secret is not None and any(host.startswith((one, f"[{one}]")) for one in secret.allowed_hosts):
            wanted.add(f"{secret.key}/{reference.key}#key")
    assert {name for name in made[SECRET] if name.endswith("#key")} <= wanted
