"""What Envoy is told of deployments that may be at zero, and of the routes that name them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from pointsman.api import FallbackReason, ModelDeployment
from pointsman.routing import Compiler, ProxySettings, Resource, RoutingInput
from pointsman.routing.resources import CLUSTER, ENDPOINTS, SCOPE
from pointsman.routing.settings import HoldSettings
from tests.support.builders import deployment, fleet, hosted, key, route, routing_input
from tests.support.envoy_messages import as_json, entries, groups

SETTINGS = ProxySettings(hold=HoldSettings(seconds=60, word="secret"))
IDLE = {"scaling": {"idle": {"after": "10m"}, "maxReplicas": 4}}


def test_its_bounds_are_those_of_the_fleet() -> None:
    stated = fleet(gateway={"hold": {"for": "2m", "requests": 3, "requestsInAll": 4, "bodies": "1Mi"}})
    found = HoldSettings.of(stated)
    assert (found.seconds, found.requests, found.requests_in_all) == (120.0, 3, 4)
    assert (found.body_bytes, found.body_bytes_in_all) == (2**20, 256 * 2**20)
    assert HoldSettings.of(fleet()) == HoldSettings()


def idle(name: str = "a", **more: Any) -> ModelDeployment:
    return deployment(name, spec=IDLE, **more)


def compiled_route(given: RoutingInput) -> list[dict[str, Any]]:
    return entries(Compiler(SETTINGS).compile(given)[SCOPE]["chat"])


def order(entry: dict[str, Any]) -> list[str]:
    """Whom the attempts ask."""
    return ["+".join(sorted(one.split("/")[1].split("~")[0] for one in group)) for group in groups(entry)]


def words(entry: dict[str, Any]) -> list[tuple[str, str]]:
    marks = entry["route"]["retry_policy"]["retriable_headers"]
    return [(mark["name"], mark["string_match"]["exact"]) for mark in marks]


@pytest.mark.parametrize(
    ("scaling", "want"),
    [
        (None, False),
        ({"maxReplicas": 2}, False),
        ({"maxReplicas": 2, "minReplicas": 0}, True),
        ({"maxReplicas": 2, "idle": {"after": "5m"}}, True),
        ({"maxReplicas": 2, "idle": {"after": "5m"}, "mode": "advise"}, True),
        ({"maxReplicas": 2, "idle": {"after": "5m"}, "mode": "off"}, False),
    ],
)
def test_who_may_rest(scaling: dict[str, Any] | None, want: bool) -> None:
    assert deployment("a", spec={"scaling": scaling} if scaling else None).may_rest is want
    assert not hosted("b", "https://api.example.com/v1").may_rest


@pytest.mark.parametrize(
    ("case", "primary", "fallback", "ready", "running", "resting"),
    [
        ("alone", ["a"], [], ["b"], ["a"] * 2, ["a"] * 4),
        ("with a fallback", ["a"], ["b"], ["b"], ["a", "b"], ["a", "a", "a", "b"]),
        ("beside another", ["a", "b"], [], ["b"], ["a+b"] * 2, ["a+b"] * 4),
        ("as the fallback", ["b"], ["a"], ["b"], ["b", "a"], ["b", "a", "a"]),
    ],
)
def test_a_hold_is_an_attempt_more(
    case: str,
    primary: list[str],
    fallback: list[str],
    ready: list[str],
    running: Sequence[str],
    resting: Sequence[str],
) -> None:
    objects = idle(), deployment("b"), route("chat", primary, fallback=fallback)
    there = {name: [8001] for name in ready}
    for endpoints, want in (({**there, "a": [8002]}, running), (there, resting)):
        for entry in compiled_route(routing_input(*objects, endpoints=endpoints)):
            assert order(entry) == list(want)
            assert entry["route"]["retry_policy"]["num_retries"] == len(want) - 1
            assert ("x-pm-hold", "secret") in words(entry), "also of one that has just come or gone"
            assert entry["response_headers_to_remove"] == ["x-pm-hold"]


def test_the_time_of_a_hold_is_no_time_of_the_request_nor_of_an_attempt() -> None:
    limits: dict[str, Any] = {"request": "90s", "first_token": "8s", "idle": "20s"}
    chat = route("chat", ["a"], fallback=["b"], when=[FallbackReason.TIMEOUT], **limits)
    objects = idle(), deployment("b"), chat
    times = {}
    for state, ports in (("running", [8001]), ("resting", [])):
        stream, plain = compiled_route(routing_input(*objects, endpoints={"a": ports, "b": [8002]}))
        times[state] = [
            one["route"][name] for one in (stream, plain) for name in ("timeout", "idle_timeout")
        ] + [one["route"]["retry_policy"]["per_try_timeout"] for one in (stream, plain)]
    assert times["running"] == ["90s", "20s", "90s", "90s", "8s", "45s"]
    assert times["resting"] == ["150s", "80s", "150s", "150s", "68s", "105s"]


def test_the_hold_of_a_fallback_lengthens_nothing() -> None:
    chat = route("chat", ["b"], fallback=["a"], first_token="8s", request="90s")
    stream, plain = compiled_route(routing_input(idle(), deployment("b"), chat, endpoints={"b": [8002]}))
    assert stream["route"]["retry_policy"]["per_try_timeout"] == "8s"
    assert plain["route"]["timeout"] == "90s"


def test_others_know_nothing_of_holds() -> None:
    given = routing_input(deployment("a"), route("chat", ["a"]))
    made = Compiler(SETTINGS).compile(given)
    said = str([as_json(one) for of_type in made.values() for one in of_type.values()])
    assert "x-pm-hold" not in said
    assert "hold.sock" not in said


def pipes(assignment: Resource) -> list[str]:
    first, _ = as_json(assignment)["endpoints"]
    addresses = [one["endpoint"]["address"] for one in first.get("lb_endpoints", [])]
    return [address["pipe"]["path"] if "pipe" in address else "replica" for address in addresses]


def test_at_zero_the_hold_stands_for_replicas_and_what_changes_is_little() -> None:
    compiler = Compiler(SETTINGS)
    chat, other = route("chat", ["a"]), route("other", ["b"])
    made = []
    objects = idle(), deployment("b"), chat, other
    base = routing_input(*objects, endpoints={"a": [8001], "b": [8002]})
    for ready in (True, False, False, True):
        endpoints = base.endpoints if ready else {key("b"): base.endpoints[key("b")]}
        given = RoutingInput(base.deployments, base.routes, endpoints, base.secrets, base.fleet)
        made.append(compiler.compile(given))
        assert made[-1] == Compiler(SETTINGS).compile(given), "what is remembered changes nothing"
    assert [pipes(one[ENDPOINTS]["default/a"]) for one in made] == [
        ["replica"],
        ["hold.sock"],
        ["hold.sock"],
        ["replica"],
    ]
    for before, after in pairwise(made):
        assert before[CLUSTER] == after[CLUSTER]
        assert before[SCOPE]["other"] is after[SCOPE]["other"]
    assert made[1][SCOPE] is made[2][SCOPE]


def test_a_deployment_that_may_not_rest_has_nowhere_to_wait() -> None:
    made = Compiler(SETTINGS).compile(routing_input(deployment("b"), route("chat", ["b"])))
    assert pipes(made[ENDPOINTS]["default/b"]) == []
