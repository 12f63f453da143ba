"""The whole walk: who gets a name, what becomes of what is missing, and how little is compiled again."""

import cProfile
from typing import Any

import pytest

from pointsman.api import ModelDeployment, Secret
from pointsman.routing import Compiler, ProxySettings, Resource, ResourceSet, RoutingInput
from pointsman.routing.compiler import unusable_targets
from pointsman.routing.resources import CLUSTER, ENDPOINTS, LISTENER, SCOPE, SECRET
from tests.support.builders import deployment, hosted, key, route, routing_input, rule, secret
from tests.support.envoy_messages import as_json, compiled, entries, groups

OPENAI = hosted("openai", "https://api.example.com/v1", secret=("keys", "one"))
KEYS = secret("keys", {"one": "sk-1", "ca": "PEM"}, allowed_hosts=["api.example.com"])


def names(made: ResourceSet, type_url: str) -> set[str]:
    """Without the part of a cluster's name that stands for its use, and without our own scopes."""
    return {name.split("~")[0] for name in made[type_url] if not name.startswith("!")}


def at(created: str) -> dict[str, str]:
    return {"creationTimestamp": created}


@pytest.mark.parametrize(
    ("case", "first", "second", "want_owner"),
    [
        ("the older one", "2026-02-02T00:00:00Z", "2026-01-01T00:00:00Z", "second"),
        ("of the same age: the first by name", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "first"),
        ("one that was never created is the youngest", "", "2026-01-01T00:00:00Z", "second"),
    ],
)
def test_a_name_belongs_to(case: str, first: str, second: str, want_owner: str) -> None:
    given = routing_input(
        deployment("a"),
        route("first", {"a": 1}, models=["chat"], metadata=at(first)),
        route("second", {"a": 1}, models=["chat"], metadata=at(second)),
    )
    made = compiled(given)
    assert made[SCOPE]["chat"].owners == {key(want_owner)}
    assert as_json(made[SCOPE]["chat"])["route_configuration"]["name"] == f"default/{want_owner}"


def test_a_route_without_a_name_of_its_own_gets_nothing() -> None:
    given = routing_input(
        deployment("a"),
        deployment("b"),
        route("chat", {"a": 1}, metadata=at("2026-01-01T00:00:00Z")),
        route("late", {"b": 1}, models=["chat"], metadata=at("2026-02-02T00:00:00Z")),
    )
    assert names(compiled(given), CLUSTER) == {"default/a"}


def test_a_route_keeps_the_names_that_are_its_own() -> None:
    given = routing_input(
        deployment("a"),
        route("chat", {"a": 1}, metadata=at("2026-01-01T00:00:00Z")),
        route("late", {"a": 1}, models=["chat", "large"], metadata=at("2026-02-02T00:00:00Z")),
    )
    made = compiled(given)
    assert {name: one.owners for name, one in made[SCOPE].items() if name in ("chat", "large")} == {
        "chat": {key("chat")},
        "large": {key("late")},
    }


def test_routes_of_two_namespaces_use_their_own_deployments() -> None:
    given = routing_input(
        deployment("a"),
        deployment("a", namespace="team-b"),
        route("chat", {"a": 1}),
        route("large", {"a": 1}, namespace="team-b"),
    )
    made = compiled(given)
    assert groups(entries(made[SCOPE]["chat"])[0])[0] == {"default/a": 1}
    assert groups(entries(made[SCOPE]["large"])[0])[0] == {"team-b/a": 1}


@pytest.mark.parametrize(
    ("case", "objects", "want_reason"),
    [
        ("no such deployment", [], "ModelDeployment default/openai does not exist"),
        ("no such Secret", [OPENAI], "Secret default/keys does not exist"),
        (
            "no such key in it",
            [OPENAI, secret("keys", {"two": "x"}, allowed_hosts=["api.example.com"])],
            "Secret default/keys has no value for the key one",
        ),
        (
            "nothing but white space in it",
            [OPENAI, secret("keys", {"one": " \n"}, allowed_hosts=["api.example.com"])],
            "Secret default/keys has no value for the key one",
        ),
        (
            "two lines in it",
            [OPENAI, secret("keys", {"one": "sk-1\nsk-2\n"}, allowed_hosts=["api.example.com"])],
            "Secret default/keys has a line break or another control character amid the key one, "
            "which no header can carry",
        ),
        (
            "the host is not allowed",
            [OPENAI, secret("keys", {"one": "sk-1"}, allowed_hosts=["elsewhere.example.com"])],
            "Secret default/keys does not allow its keys to go to api.example.com "
            "(annotation pointsman.dev/allowed-hosts)",
        ),
        (
            "the certificates are missing",
            [
                hosted(
                    "openai",
                    "https://api.example.com/v1",
                    secret=("keys", "one"),
                    ca_certificates=("authorities", "ca"),
                ),
                KEYS,
            ],
            "Secret default/authorities does not exist",
        ),
    ],
)
def test_a_target_that_cannot_be_used_is_passed_over(
    case: str, objects: list[ModelDeployment | Secret], want_reason: str
) -> None:
    chat = route("chat", {"openai": 90, "a": 10})
    given = routing_input(deployment("a"), chat, *objects)
    made = compiled(given)
    assert groups(entries(made[SCOPE]["chat"])[0])[0] == {"default/a": 10}
    assert names(made, CLUSTER) == {"default/a"}
    assert made[SECRET] == {}
    assert [(one.deployment, one.reason) for one in unusable_targets(chat, given)] == [
        (key("openai"), want_reason)
    ]


def test_a_route_without_any_target_says_so() -> None:
    made = compiled(routing_input(route("chat", {"nowhere": 1})))
    (entry,) = entries(made[SCOPE]["chat"])
    assert entry["direct_response"]["status"] == 503
    assert "no_target" in entry["direct_response"]["body"]["inline_string"]


def test_a_route_that_says_nothing_of_clients_lets_nobody_in() -> None:
    chat = route("chat", {"a": 1})
    silent = chat.model_copy(update={"spec": chat.spec.model_copy(update={"authentication": None})})
    (entry,) = entries(compiled(routing_input(deployment("a"), silent))[SCOPE]["chat"])
    assert entry["direct_response"]["status"] == 403


def test_two_uses_of_a_target_are_two_clusters_and_one_list_of_replicas() -> None:
    given = routing_input(
        deployment("a"),
        deployment("b"),
        route("chat", {"a": 1}),
        route("large", {"a": 1}, fallback=["b"]),
        route("sticky", {"a": 1}, affinity={"header": "x-session"}),
        endpoints={"a": [8001]},
    )
    made = compiled(given)
    clusters = [one for name, one in made[CLUSTER].items() if name.startswith("default/a~")]
    assert {tuple(one.owners) for one in clusters} == {(key("chat"),), (key("large"),), (key("sticky"),)}
    assert {one.endpoints for one in clusters} == {"default/a"}
    assert set(made[ENDPOINTS]) == {"default/a", "default/b"}


def test_routes_with_the_same_use_share_a_cluster() -> None:
    given = routing_input(deployment("a"), route("chat", {"a": 1}), route("large", {"a": 1}))
    (cluster,) = compiled(given)[CLUSTER].values()
    assert cluster.owners == {key("chat"), key("large")}


def test_a_secret_that_targets_share_concerns_the_routes_of_both() -> None:
    other = hosted("other", "https://api.example.com/v2", secret=("keys", "one"))
    given = routing_input(OPENAI, other, KEYS, route("chat", {"openai": 1}), route("large", {"other": 1}))
    assert compiled(given)[SECRET]["default/keys/one#key"].owners == {key("chat"), key("large")}


def test_replicas_and_keys_are_there_for_targets_that_no_route_names() -> None:
    """A route that Envoy refuses goes on in its earlier form, whose targets no route may name any more."""
    made = compiled(routing_input(deployment("a"), OPENAI, KEYS, endpoints={"a": [8001]}))
    assert (set(made[ENDPOINTS]), set(made[SECRET])) == ({"default/a"}, {"default/keys/one#key"})
    assert made[CLUSTER] == {}


def test_without_any_object_there_is_still_a_gateway() -> None:
    made = compiled(RoutingInput())
    assert set(made[LISTENER]) == {"front", "tombstone"}
    assert set(made[SCOPE]) == {"!models", "!path", "!method", "!content-type", "!malformed", "!model"}


def changed(before: ResourceSet, after: ResourceSet) -> set[tuple[str, str]]:
    """Type and name of what was compiled again: what is remembered is the same Python object."""
    return {
        (type_url.rsplit(".", 1)[-1], name.split("~")[0])
        for type_url, found in after.items()
        for name, one in found.items()
        if before[type_url].get(name) is not one
    }


A, B = deployment("a"), deployment("b")
CHAT, LARGE = route("chat", {"a": 1}), route("large", {"b": 1}, api_keys={"team": "x"})
CLIENTS = secret("clients", {"ann": "ck-1"}, labels={"team": "x"})
GIVEN = routing_input(A, B, CHAT, LARGE, CLIENTS, endpoints={"a": [8001], "b": [8002]})


@pytest.mark.parametrize(
    ("case", "after", "want_changed"),
    [
        ("nothing", GIVEN, set()),
        (
            "equal objects, read again",
            routing_input(
                deployment("a"),
                deployment("b"),
                route("chat", {"a": 1}),
                route("large", {"b": 1}, api_keys={"team": "x"}),
                secret("clients", {"ann": "ck-1"}, labels={"team": "x"}),
                endpoints={"a": [8001], "b": [8002]},
            ),
            set(),
        ),
        (
            "a status alone",
            routing_input(
                A.model_copy(update={"status": A.status.model_copy(update={"replicas": 3})}),
                B,
                CHAT,
                LARGE,
                CLIENTS,
                endpoints={"a": [8001], "b": [8002]},
            ),
            set(),
        ),
        (
            "one replica came",
            routing_input(A, B, CHAT, LARGE, CLIENTS, endpoints={"a": [8001, 8003], "b": [8002]}),
            {("ClusterLoadAssignment", "default/a")},
        ),
        (
            "one route changed",
            routing_input(
                A, B, route("chat", {"a": 1}, idle="7s"), LARGE, CLIENTS, endpoints={"a": [8001], "b": [8002]}
            ),
            {("ScopedRouteConfiguration", "chat")},
        ),
        (
            "one target changed",
            routing_input(
                deployment("a", max_concurrency=9000),
                B,
                CHAT,
                LARGE,
                CLIENTS,
                endpoints={"a": [8001], "b": [8002]},
            ),
            {("Cluster", "default/a")},
        ),
        (
            "a client's key changed",
            routing_input(
                A,
                B,
                CHAT,
                LARGE,
                secret("clients", {"ann": "ck-2"}, labels={"team": "x"}),
                endpoints={"a": [8001], "b": [8002]},
            ),
            {("ScopedRouteConfiguration", "large")},
        ),
        (
            "a route came",
            routing_input(
                A,
                B,
                CHAT,
                LARGE,
                CLIENTS,
                route("new", {"a": 1}, affinity={"promptCacheKey": True}),
                endpoints={"a": [8001], "b": [8002]},
            ),
            {
                ("ScopedRouteConfiguration", "new"),
                ("ScopedRouteConfiguration", "!models"),
                ("Cluster", "default/a"),
            },
        ),
    ],
)
def test_only_what_changed_is_compiled_again(
    case: str, after: RoutingInput, want_changed: set[tuple[str, str]]
) -> None:
    compiler = Compiler(ProxySettings())
    before = compiler.compile(GIVEN)
    assert changed(before, compiler.compile(after)) == want_changed


def fleet(routes: int, *, changed: str = "") -> RoutingInput:
    """Routes with a target, a provider, and clients of their own."""
    objects: list[Any] = []
    for n in range(routes):
        idle = "7s" if changed == "route" and n == 1 else "30s"
        client = "new" if changed == "client" and n == 1 else "old"
        objects += [
            deployment(f"own-{n}"),
            hosted(f"provider-{n}", "https://api.example.com/v1", secret=("keys", "one")),
            secret(f"clients-{n}", {"ann": f"{client}-{n}"}, labels={"team": f"t{n}"}),
            route(f"r{n}", [f"own-{n}"], fallback=[f"provider-{n}"], api_keys={"team": f"t{n}"}, idle=idle),
        ]
    return routing_input(KEYS, *objects)


@pytest.mark.parametrize("changed", ["route", "client"])
def test_the_work_of_a_change_does_not_grow_faster_than_the_fleet(changed: str) -> None:
    """In calls of functions, which no busy machine makes more."""

    def calls(routes: int) -> int:
        compiler = Compiler(ProxySettings())
        compiler.compile(fleet(routes))
        after = fleet(routes, changed=changed)
        with cProfile.Profile() as profile:
            compiler.compile(after)
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(160) < 5 * calls(40)


def test_a_second_replica_changes_the_attempts_of_its_routes() -> None:
    chat = route("chat", {"a": 1}, fallback=["b"])
    compiler = Compiler(ProxySettings())
    for replicas, want_attempts in ((1, 2), (2, 3), (1, 2)):
        made = compiler.compile(routing_input(deployment("a", replicas=replicas), B, chat))
        assert len(groups(entries(made[SCOPE]["chat"])[0])) == want_attempts
        last = compiler.compile(routing_input(deployment("b", replicas=replicas), A, chat))
        assert len(groups(entries(last[SCOPE]["chat"])[0])) == want_attempts


def test_a_secret_that_comes_makes_its_target_usable() -> None:
    chat = route("chat", {"openai": 1})
    without = routing_input(OPENAI, chat)
    compiler = Compiler(ProxySettings())
    assert compiler.compile(without)[CLUSTER] == {}
    with_secret = RoutingInput(without.deployments, without.routes, {}, {KEYS.key: KEYS}, without.fleet)
    assert names(compiler.compile(with_secret), CLUSTER) == {"default/openai"}


def test_what_went_is_gone() -> None:
    compiler = Compiler(ProxySettings())
    compiler.compile(GIVEN)
    made = compiler.compile(routing_input(A, CHAT, endpoints={"a": [8001]}))
    assert "large" not in made[SCOPE]
    assert names(made, CLUSTER) == set(made[ENDPOINTS]) == {"default/a"}


def test_stubs_answer_at_once() -> None:
    made = compiled(routing_input(A, CHAT))
    scope, (cluster,) = made[SCOPE]["chat"], made[CLUSTER].values()
    assert scope.stub is not None
    (entry,) = as_json(scope, scope.stub)["route_configuration"]["virtual_hosts"][0]["routes"]
    assert entry["direct_response"]["status"] == 503
    own, tombstone = as_json(cluster, cluster.stub)["load_assignment"]["endpoints"]
    assert (len(own.get("lb_endpoints", [])), len(tombstone["lb_endpoints"])) == (0, 1)


def test_a_resource_shows_no_bytes() -> None:
    one = compiled(routing_input(A, CHAT))[SCOPE]["chat"]
    assert isinstance(one, Resource)
    assert "body" not in repr(one)


def test_a_rule_counts_from_nought_in_the_names_of_entries() -> None:
    two = route("chat", rules=[rule({"a": 1}, headers={"x-tier": "gold"}), rule({"b": 1})])
    made = compiled(routing_input(A, B, two))
    names = [entry["name"] for entry in entries(made[SCOPE]["chat"])]
    assert list(dict.fromkeys(names)) == ["default/chat#0", "default/chat#1"]
