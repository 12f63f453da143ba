"""In which order a change reaches Envoy: clusters, endpoints, what names them; clusters that went, last."""

from collections import Counter
from typing import ClassVar

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from pointsman.gateway.session import DeltaSession
from pointsman.gateway.store import ResourceStore
from pointsman.routing.resources import CLUSTER, ENDPOINTS, LISTENER, SCOPE, SECRET, Resource
from tests.support.discovery_wire import DiscoveryWire
from tests.support.envoy_resources import cluster, endpoints, is_bad, listener, resource_set, scope, secret
from tests.support.envoy_stand_in import EnvoyStandIn

FIRST = resource_set(listener(), cluster("a", endpoints="a"), endpoints("a"), scope("chat", ["a"]))


def settled_wire(*, refuses_bad: bool = False) -> DiscoveryWire:
    envoy = EnvoyStandIn(is_bad) if refuses_bad else EnvoyStandIn()
    wire = DiscoveryWire(ResourceStore(), envoy)
    wire.update(FIRST)
    wire.settle()
    wire.sent.clear()
    return wire


def test_everything_arrives_in_a_new_envoy() -> None:
    wire = settled_wire()
    for type_url in (CLUSTER, ENDPOINTS, LISTENER, SCOPE):
        want_versions = {name: one.version for name, one in FIRST[type_url].items()}
        assert wire.envoy.versions(type_url) == want_versions
    assert wire.session.settled()


def test_what_comes_again_as_it_was_is_in_use_once_envoy_has_heard_of_all_between() -> None:
    """The answer to what was between is still on its way: until then Envoy may go by that."""
    wire = settled_wire()
    first = FIRST[ENDPOINTS]["a"]
    assert wire.session.goes_by(first)
    between = resource_set(
        listener(), cluster("a", endpoints="a"), endpoints("a", 8001), scope("chat", ["a"])
    )
    wire.update(between)
    wire.update(FIRST)
    looks = [wire.session.goes_by(first)]
    while wire.deliver_response():
        looks.append(wire.session.goes_by(first))
    assert wire.session.holds(first), "by what it said last"
    assert not any(looks)
    wire.settle()
    assert wire.session.goes_by(first)


def test_without_any_cluster_envoy_is_told_so_at_once() -> None:
    wire = DiscoveryWire(ResourceStore(), EnvoyStandIn())
    wire.update(resource_set(listener()))
    wire.deliver_request()
    assert wire.sent[CLUSTER] == 1
    wire.settle()
    assert set(wire.envoy.held[LISTENER]) == {"front"}


def test_nothing_is_sent_when_nothing_changes() -> None:
    wire = settled_wire()
    wire.update(dict(FIRST))
    assert wire.session.responses() == []
    assert wire.settle() == 0
    assert not wire.sent


def test_one_changed_replica_is_one_response() -> None:
    wire = settled_wire()
    wire.update({**FIRST, ENDPOINTS: {"a": endpoints("a", 9000)}})
    wire.settle()
    assert wire.sent == {ENDPOINTS: 1}


def test_a_replica_costs_no_look_at_clusters_and_scopes() -> None:
    class Watched(ResourceStore):
        looks: ClassVar[Counter[str]] = Counter()

        def served(self, type_url: str, name: str) -> Resource | None:
            self.looks[type_url] += 1
            return super().served(type_url, name)

    wire = DiscoveryWire(Watched(), EnvoyStandIn())
    wire.update(FIRST)
    wire.settle()
    Watched.looks.clear()
    wire.update({**FIRST, ENDPOINTS: {"a": endpoints("a", 9000)}})
    wire.settle()
    assert set(Watched.looks) == {ENDPOINTS}


def test_a_changed_scope_is_one_response() -> None:
    wire = settled_wire()
    wire.update({**FIRST, SCOPE: {"chat": scope("chat", ["a"], "2")}})
    wire.settle()
    assert wire.sent == {SCOPE: 1}


def test_a_changed_cluster_gets_its_endpoints_again() -> None:
    wire = settled_wire()
    wire.update({**FIRST, CLUSTER: {"a": cluster("a", "2", endpoints="a")}})
    wire.settle()
    assert wire.sent == {CLUSTER: 1, ENDPOINTS: 1}
    assert not wire.envoy.warming


def test_a_new_target_comes_before_the_scope_and_the_old_one_goes_after_it() -> None:
    wire = settled_wire()
    changed = resource_set(listener(), cluster("b", endpoints="b"), endpoints("b"), scope("chat", ["b"]))
    wire.update(changed)
    order: list[tuple[tuple[str, ...], str]] = []
    while wire.deliver_response() or wire.deliver_request():
        held = (tuple(sorted(wire.envoy.held[CLUSTER])), wire.envoy.versions(SCOPE)["chat"])
        if not order or order[-1] != held:
            order.append(held)
    before, after = FIRST[SCOPE]["chat"].version, changed[SCOPE]["chat"].version
    assert order == [(("a", "b"), before), (("a", "b"), after), (("b",), after)]


def test_a_scope_waits_until_endpoints_were_asked_for() -> None:
    wire = settled_wire()
    desired = {**FIRST, CLUSTER: {**FIRST[CLUSTER], "b": cluster("b", endpoints="b")}}
    desired[ENDPOINTS] = {**FIRST[ENDPOINTS], "b": endpoints("b")}
    desired[SCOPE] = {"chat": scope("chat", ["a", "b"])}
    wire.update(desired)
    wire.deliver_response()  # The cluster: Envoy asks for its endpoints, and accepts.
    wire.deliver_request()  # The question has arrived, the acceptance not yet.
    assert wire.sent == {CLUSTER: 1, ENDPOINTS: 1}
    wire.settle()
    assert wire.envoy.versions(SCOPE)["chat"] == desired[SCOPE]["chat"].version


def test_a_name_that_does_not_exist_is_answered() -> None:
    wire = DiscoveryWire(ResourceStore(), EnvoyStandIn())
    wire.update(resource_set(listener(), cluster("a", secret="a-key"), scope("chat", ["a"])))
    wire.settle()
    assert wire.session.settled()
    assert wire.sent[SECRET] == 1


def test_a_secret_that_went_and_came_back_is_sent_again() -> None:
    wire = DiscoveryWire(ResourceStore(), EnvoyStandIn())
    with_secret = resource_set(listener(), cluster("a", secret="a-key"), secret("a-key"))
    wire.update(with_secret)
    wire.settle()
    wire.update({**with_secret, SECRET: {}})
    wire.settle()
    assert "a-key" not in wire.envoy.held[SECRET]
    wire.update(with_secret)
    wire.settle()
    assert "a-key" in wire.envoy.held[SECRET]


def test_a_gateway_is_not_ready_before_its_scopes_were_asked_for() -> None:
    store = ResourceStore()
    store.replace(resource_set(listener(), scope("chat", [])))
    session = DeltaSession(store)
    for type_url in (CLUSTER, LISTENER):
        session.receive(DeltaDiscoveryRequest(type_url=type_url))
        for response in session.responses():
            session.receive(DeltaDiscoveryRequest(type_url=type_url, response_nonce=response.nonce))
    assert not session.settled()


def test_a_gateway_that_is_ready_stays_so_while_a_change_is_on_its_way() -> None:
    wire = settled_wire()
    wire.update({**FIRST, SCOPE: {"chat": scope("chat", ["a"], "2")}})
    assert (wire.session.settled(), wire.session.has_settled) == (False, True)
    wire.restart_envoy()
    assert not wire.session.has_settled
    wire.settle()
    assert wire.session.has_settled


def test_a_broken_stream_is_taken_up_without_sending_clusters_and_scopes_again() -> None:
    wire = settled_wire()
    wire.reconnect()
    resources = []
    while wire.deliver_request():
        pass
    while (response := wire.next_response()) is not None:
        resources += [(response.type_url, one.name) for one in response.resources]
        wire.deliver_response()
        wire.deliver_request()
    assert resources == [(ENDPOINTS, "a")]
    assert wire.session.settled()


def test_a_cluster_that_changed_before_the_stream_broke_gets_its_endpoints() -> None:
    wire = settled_wire()
    wire.update({**FIRST, CLUSTER: {"a": cluster("a", "2", endpoints="a")}})
    wire.deliver_response()
    assert wire.envoy.warming == {"a"}
    wire.reconnect()
    wire.settle()
    assert not wire.envoy.warming


def test_no_cluster_goes_before_the_scopes_of_a_new_stream_are_known() -> None:
    wire = DiscoveryWire(ResourceStore(), EnvoyStandIn())
    wire.update(resource_set(listener(), cluster("a"), scope("chat", ["a"])))
    wire.settle()
    wire.reconnect()
    wire.update(resource_set(listener(), scope("chat", [])))
    wire.settle()  # The stand-in fails if the cluster goes first.
    assert wire.envoy.held[CLUSTER] == {}


def test_a_restarted_envoy_gets_everything() -> None:
    wire = settled_wire()
    wire.restart_envoy()
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": FIRST[SCOPE]["chat"].version}
    assert wire.envoy.versions(CLUSTER) == {"a": FIRST[CLUSTER]["a"].version}


def test_replicas_that_come_and_go_all_the_time_do_not_keep_a_changed_route_waiting() -> None:
    wire = settled_wire()
    changed = {**FIRST, SCOPE: {"chat": scope("chat", ["a"], "2")}}
    changed[CLUSTER] = {**FIRST[CLUSTER], "b": cluster("b")}
    wire.update({**changed, ENDPOINTS: {"a": endpoints("a", 8099)}})
    wire.settle()
    changed = {**FIRST, SCOPE: {"chat": scope("chat", ["a"], "3")}}
    wire.update({**changed, ENDPOINTS: {"a": endpoints("a", 8100)}})
    for port in range(8101, 8109):
        wire.deliver_response()
        # The next replica comes before the verdict on the last.
        wire.update({**changed, ENDPOINTS: {"a": endpoints("a", port)}})
        wire.deliver_request()
    assert wire.envoy.versions(SCOPE) == {"chat": changed[SCOPE]["chat"].version}
    assert set(wire.envoy.held[CLUSTER]) == {"a"}, "and what went is taken away"
    wire.settle()
    assert wire.envoy.versions(ENDPOINTS) == {"a": endpoints("a", 8108).version}
