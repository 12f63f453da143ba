"""Whatever Envoy refuses, and whenever streams break: it ends up with all the rest, in an order that holds.

Messages are delivered one by one, between updates, broken streams and restarts of Envoy. The stand-in for
Envoy fails the test when a scope comes before what it needs or a cluster goes while it is needed.
"""

import sys
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pointsman.api import ModelRoute, ObjectKey
from pointsman.gateway.programming import route_programming
from pointsman.gateway.store import ResourceId, ResourceStore
from pointsman.routing import Resource, RoutingInput
from pointsman.routing.resources import CLUSTER, LISTENER, SCOPE, version_of
from tests.support import builders
from tests.support.discovery_wire import DiscoveryWire
from tests.support.envoy_resources import (
    admitted_by,
    cluster,
    endpoints,
    is_bad,
    listener,
    resource_set,
    scope,
    secret,
)
from tests.support.envoy_stand_in import EnvoyStandIn, clusters_of
from tests.support.reachable import texts_in

# Few, so that changes meet each other.
TARGETS = ("target-a", "target-b", "target-c")
ROUTES = ("route-p", "route-q")

GONE = "gone"
"""Stands for what a cluster asks for and does not exist."""

variants = st.sampled_from(["1", "2", "1", "2", "bad 1", "bad 2", "bad stub 1"])


@dataclass(frozen=True)
class TargetState:
    variant: str
    own: bool
    with_key: bool
    port: int
    endpoints_variant: str
    secret_variant: str


@dataclass(frozen=True)
class RouteState:
    variant: str
    targets: frozenset[str]
    admits: frozenset[str] | None


target_states = st.builds(
    TargetState,
    variants,
    own=st.booleans(),
    with_key=st.booleans(),
    port=st.sampled_from([8001, 8002]),
    endpoints_variant=st.sampled_from(["", "", "", "bad", GONE]),
    secret_variant=st.sampled_from(["1", "1", "2", "bad", GONE]),
)
clients = st.sampled_from([None, None, frozenset({"alice"}), frozenset({"alice", "bob"})])
route_states = st.builds(RouteState, variants, st.frozensets(st.sampled_from(TARGETS), max_size=2), clients)
worlds = st.tuples(
    st.fixed_dictionaries(dict.fromkeys(TARGETS, target_states)),
    st.dictionaries(st.sampled_from(ROUTES), route_states),
)
# As the names of all of them begin.
_OURS = ("target-", "route-")
World = tuple[dict[str, TargetState], dict[str, RouteState]]


def resources_of(world: World) -> dict[str, dict[str, Resource]]:
    """As the compiler has it: a cluster where a route uses it, endpoints and secrets for every target, and
    scopes of our own that are always there."""
    targets, routes = world
    made = [listener(), scope("!path", [])]
    for name, target in targets.items():
        if target.own and target.endpoints_variant != GONE:
            made.append(endpoints(name, target.port, target.endpoints_variant))
        if target.secret_variant != GONE:
            made.append(secret(f"{name}-key", target.secret_variant))
        users = [route for route, state in routes.items() if name in state.targets]
        if users:
            service, key = (name if target.own else ""), (f"{name}-key" if target.with_key else "")
            made.append(cluster(name, target.variant, endpoints=service, secret=key, routes=users))
    made += [
        scope(name, state.targets, state.variant, routes=[name], admits=state.admits)
        for name, state in routes.items()
    ]
    return resource_set(*made)


def objects_of(world: World) -> RoutingInput:
    routes: dict[ObjectKey, ModelRoute] = {
        builders.key(name): builders.route(name, list(state.targets) or ["none"])
        for name, state in world[1].items()
    }
    return RoutingInput(routes=routes)


def ids(resources: dict[str, dict[str, Resource]], *types: str) -> dict[ResourceId, Resource]:
    return {(type_url, name): r for type_url in types for name, r in resources[type_url].items()}


def good(one: Resource) -> bool:
    return not is_bad(one.type_url, one.name, one.body)


def accepted_forms(one: Resource) -> set[str]:
    """The versions of those of its two forms that Envoy takes."""
    forms = {one.version: one.body, **({version_of(one.stub): one.stub} if one.stub is not None else {})}
    return {version for version, body in forms.items() if not is_bad(one.type_url, one.name, body)}


class Discovery(RuleBasedStateMachine):
    """One store and one Envoy over any history."""

    @initialize(world=worlds, names_culprits=st.booleans(), keeps_the_good=st.booleans())
    def start(self, world: World, names_culprits: bool, keeps_the_good: bool) -> None:
        envoy = EnvoyStandIn(self.refuses, names_culprits=names_culprits, keeps_the_good=keeps_the_good)
        self.port_is_taken = False
        self.wire = DiscoveryWire(ResourceStore(), envoy)
        self.firm: dict[ResourceId, Resource] = {}
        self.acceptable: dict[ResourceId, set[str]] = {}
        self.update(world)

    def refuses(self, type_url: str, name: str, body: bytes) -> bool:
        return is_bad(type_url, name, body) or (type_url == LISTENER and self.port_is_taken)

    @rule(is_taken=st.booleans())
    def the_port_is_taken(self, is_taken: bool) -> None:
        self.port_is_taken = is_taken

    @rule()
    def it_is_listened_on_again(self) -> None:
        self.wire.listen_again()

    @rule(name=st.sampled_from(ROUTES), state=route_states)
    def a_route_changes(self, name: str, state: RouteState) -> None:
        self.update((self.world[0], {**self.world[1], name: state}))

    @rule(name=st.sampled_from(ROUTES))
    def a_route_goes(self, name: str) -> None:
        self.update((self.world[0], {other: s for other, s in self.world[1].items() if other != name}))

    @rule(name=st.sampled_from(TARGETS), state=target_states)
    def a_target_changes(self, name: str, state: TargetState) -> None:
        self.update(({**self.world[0], name: state}, self.world[1]))

    @rule(world=worlds)
    def everything_changes(self, world: World) -> None:
        self.update(world)

    def update(self, world: World) -> None:
        self.world = world
        self.desired = resources_of(world)
        wanted = ids(self.desired, CLUSTER, SCOPE)
        for ident, one in wanted.items():
            self.acceptable.setdefault(ident, set()).update(accepted_forms(one))
        self.firm = {
            ident: held
            for ident, held in self.firm.items()
            if ident in wanted
            and (not good(wanted[ident]) or wanted[ident].version == held.version)
            and held.may_stand_in_for(wanted[ident])
        }
        self.wire.update(self.desired)

    @rule(count=st.integers(1, 3))
    def envoy_reads(self, count: int) -> None:
        for _ in range(count):
            self.wire.deliver_response()

    @rule(count=st.integers(1, 3))
    def the_session_reads(self, count: int) -> None:
        for _ in range(count):
            self.wire.deliver_request()

    @rule(envoy_too=st.booleans())
    def the_stream_breaks(self, envoy_too: bool) -> None:
        if envoy_too:
            self.wire.restart_envoy()
        else:
            self.wire.reconnect()

    @rule()
    def nothing_more_happens(self) -> None:
        self.wire.settle()
        self.port_is_taken = False
        self.wire.listen_again()
        self.wire.settle()
        assert self.wire.session.settled()
        assert not self.wire.envoy.warming
        assert not self.wire.envoy.is_without_scopes
        assert set(self.wire.envoy.held[LISTENER]) == {"front"}
        self._everything_good_is_held()
        self._the_refused_is_held_as_it_was_accepted_last()
        self._nobody_gets_in_who_should_not()
        self._nothing_else_is_held()
        self._exactly_the_routes_concerned_are_named()
        self._what_went_is_forgotten()
        assert self.wire.session.responses() == []

    def _everything_good_is_held(self) -> None:
        for type_url in (CLUSTER, SCOPE):
            held = self.wire.envoy.versions(type_url)
            for name, one in self.desired[type_url].items():
                if good(one):
                    assert held[name] == one.version
                    self.firm[type_url, name] = one

    def _the_refused_is_held_as_it_was_accepted_last(self) -> None:
        for ident, one in ids(self.desired, CLUSTER, SCOPE).items():
            if good(one):
                continue
            held = self.wire.envoy.versions(ident[0]).get(ident[1])
            if ident in self.firm:
                assert held == self.firm[ident].version
            else:
                assert held in self.acceptable[ident] or (held is None and not accepted_forms(one))

    def _nobody_gets_in_who_should_not(self) -> None:
        for name, held in self.wire.envoy.held[SCOPE].items():
            admits = self.desired[SCOPE][name].admits
            assert admits is None or admitted_by(held.body) <= admits

    def _named_by_scopes(self) -> set[str]:
        return {name for held in self.wire.envoy.held[SCOPE].values() for name in clusters_of(held.body)}

    def _nothing_else_is_held(self) -> None:
        scopes, named = self.wire.envoy.held[SCOPE], self._named_by_scopes()
        assert set(scopes) <= set(self.desired[SCOPE])
        assert set(self.wire.envoy.held[CLUSTER]) <= set(self.desired[CLUSTER]) | named

    def _exactly_the_routes_concerned_are_named(self) -> None:
        states = route_programming(objects_of(self.world), self.wire.store, self.wire.session)
        refused = {
            o for one in ids(self.desired, CLUSTER, SCOPE).values() if not good(one) for o in one.owners
        }
        assert {key for key, state in states.items() if not state.accepted} == refused
        assert {key for key, state in states.items() if state.programmed} == set(states) - refused

    def _what_went_is_forgotten(self) -> None:
        there = {name for resources in self.desired.values() for name in resources}
        there |= {name for held in self.wire.envoy.held.values() for name in held}
        there |= self.wire.envoy.asked() | self._named_by_scopes()
        # A form that is still in use may remember whom else it belonged to.
        known = texts_in(self.wire.store, self.wire.session, past=(ObjectKey,))
        assert {text for text in known if text.startswith(_OURS)} <= there

    def teardown(self) -> None:
        # After a failure the failure is what counts, not what else is wrong by then.
        if sys.exc_info()[0] is None:
            self.nothing_more_happens()


TestDiscovery = Discovery.TestCase
TestDiscovery.settings = settings(max_examples=250, stateful_step_count=40, report_multiple_bugs=False)
