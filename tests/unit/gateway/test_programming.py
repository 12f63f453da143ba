"""What is said of each route: accepted or not, in use or not, and why."""

import pytest

from pointsman.api import ModelRoute
from pointsman.gateway.programming import route_programming
from pointsman.gateway.store import ResourceStore
from pointsman.routing import Compiler, ProxySettings, RouteProgramming, RoutingInput
from tests.support.builders import deployment, key, route, routing_input
from tests.support.discovery_wire import DiscoveryWire
from tests.support.envoy_stand_in import EnvoyStandIn, Refuses, nothing_refused


def wire_with(given: RoutingInput, refuses: Refuses = nothing_refused) -> DiscoveryWire:
    wire = DiscoveryWire(ResourceStore(), EnvoyStandIn(refuses))
    wire.update(Compiler(ProxySettings()).compile(given))
    return wire


def told(given: RoutingInput, wire: DiscoveryWire) -> dict[str, RouteProgramming]:
    return {str(k): one for k, one in route_programming(given, wire.store, wire.session).items()}


CHAT = route("chat", {"a": 1}, generation=7)
OTHER = route("other", {"b": 1})
GIVEN = routing_input(deployment("a"), deployment("b"), CHAT, OTHER, endpoints={"a": [8001], "b": [8002]})


def test_a_route_in_use_is_said_with_its_generation() -> None:
    wire = wire_with(GIVEN)
    wire.settle()
    assert told(GIVEN, wire)["default/chat"] == RouteProgramming(True, True, "Programmed", "", 7)


def test_before_envoy_has_confirmed_it_a_route_is_pending() -> None:
    wire = wire_with(GIVEN)
    assert told(GIVEN, wire)["default/chat"].reason == "Pending"
    without_stream = route_programming(GIVEN, wire.store, None)
    assert {state.programmed for state in without_stream.values()} == {False}


def test_a_refused_scope_is_told_on_its_own_route_alone() -> None:
    wire = wire_with(GIVEN, lambda type_url, name, body: name == "chat" and b"pointsman.chain" in body)
    wire.settle()
    said = told(GIVEN, wire)
    assert (said["default/chat"].accepted, said["default/chat"].programmed) == (False, False)
    assert said["default/chat"].reason == "RefusedByEnvoy"
    assert said["default/chat"].message.startswith("Envoy refused ScopedRouteConfiguration chat: ")
    assert said["default/other"].programmed


def test_a_refused_cluster_is_told_on_every_route_that_uses_it() -> None:
    third = route("third", {"a": 1, "b": 1})
    given = routing_input(deployment("a"), deployment("b"), CHAT, OTHER, third)
    wire = wire_with(given, lambda type_url, name, body: name.startswith("default/a~"))
    wire.settle()
    refused = {name for name, state in told(given, wire).items() if not state.accepted}
    assert refused == {"default/chat", "default/third"}


@pytest.mark.parametrize(
    ("case", "younger", "want"),
    [
        ("the only name is taken", route("young", {"a": 1}, models=["chat"]), "Conflict"),
        ("one of two names is taken", route("young", {"a": 1}, models=["free", "chat"]), "Conflict"),
        ("no name is taken", route("young", {"a": 1}, models=["free"]), "Programmed"),
    ],
)
def test_a_second_claim_to_a_name_is_a_conflict(case: str, younger: ModelRoute, want: str) -> None:
    given = routing_input(deployment("a"), route("chat", {"a": 1}), younger)
    wire = wire_with(given)
    wire.settle()
    said = told(given, wire)
    assert said["default/young"].reason == want
    assert said["default/chat"].programmed
    if want == "Conflict":
        assert said["default/young"].message == 'the model name "chat" belongs to ModelRoute default/chat'


def test_a_changed_route_is_pending_until_its_new_form_is_confirmed() -> None:
    wire = wire_with(GIVEN)
    wire.settle()
    changed = RoutingInput(
        GIVEN.deployments,
        {**GIVEN.routes, key("chat"): route("chat", {"b": 1}, generation=8)},
        GIVEN.endpoints,
    )
    wire.update(Compiler(ProxySettings()).compile(changed))
    said = told(changed, wire)
    assert (said["default/chat"].reason, said["default/other"].reason) == ("Pending", "Programmed")
    wire.settle()
    assert told(changed, wire)["default/chat"] == RouteProgramming(True, True, "Programmed", "", 8)
