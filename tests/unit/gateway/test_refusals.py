"""What Envoy refuses touches its own route alone, is found in few steps, and is served as it was before."""

import math

import pytest

from pointsman.gateway.store import ResourceStore
from pointsman.routing import Resource
from pointsman.routing.resources import CLUSTER, LISTENER, SCOPE, version_of
from tests.support.discovery_wire import DiscoveryWire
from tests.support.envoy_resources import cluster, is_bad, listener, resource_set, scope, secret
from tests.support.envoy_stand_in import EnvoyStandIn, nothing_refused


def wire_to(envoy: EnvoyStandIn, *resources: Resource) -> DiscoveryWire:
    wire = DiscoveryWire(ResourceStore(), envoy)
    wire.update(resource_set(listener(), *resources))
    wire.settle()
    wire.sent.clear()
    return wire


def stub_version(one: Resource) -> str:
    assert one.stub is not None
    return version_of(one.stub)


@pytest.mark.parametrize("count", [1, 2, 7, 64, 1000])
@pytest.mark.parametrize("names_culprits", [True, False])
@pytest.mark.parametrize("keeps_the_good", [True, False])
def test_one_bad_scope_among_many_is_found_in_few_responses(
    count: int, names_culprits: bool, keeps_the_good: bool
) -> None:
    envoy = EnvoyStandIn(is_bad, names_culprits=names_culprits, keeps_the_good=keeps_the_good)
    culprit = count // 3
    scopes = [scope(f"m{n}", [], "bad" if n == culprit else "1") for n in range(count)]
    wire = DiscoveryWire(ResourceStore(), envoy)
    wire.update(resource_set(listener(), *scopes))
    wire.settle()
    # The first response, at most two for each halving, and the stub.
    assert wire.sent[SCOPE] <= 2 + 2 * math.ceil(math.log2(count))
    want = {one.name: one.version for one in scopes}
    want[f"m{culprit}"] = stub_version(scopes[culprit])
    assert envoy.versions(SCOPE) == want
    assert set(wire.store.refusals) == {(SCOPE, f"m{culprit}")}


def test_many_bad_ones_are_all_found() -> None:
    scopes = [scope(f"m{n}", [], "bad" if n % 3 == 0 else "1") for n in range(60)]
    wire = wire_to(EnvoyStandIn(is_bad), *scopes)
    assert {name for _, name in wire.store.refusals} == {f"m{n}" for n in range(0, 60, 3)}
    assert wire.session.settled()


def test_a_reason_that_names_an_innocent_one_does_not_mislead() -> None:
    envoy = EnvoyStandIn(is_bad)
    envoy.refuses = lambda type_url, name, body: type_url == SCOPE and name in ("team-a", "a")
    wire = wire_to(envoy, scope("a", []), scope("team-a", []), scope("x-team-a", []), scope("b", []))
    assert {name for _, name in wire.store.refusals} == {"a", "team-a"}
    assert {"b", "x-team-a"} <= set(envoy.held[SCOPE])


def test_the_reason_is_kept_on_one_line() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), scope("chat", [], "bad"))
    assert wire.store.refusals[SCOPE, "chat"].reason == "Error adding/updating: chat: not valid"


def test_a_refused_change_leaves_the_last_accepted_form_in_use() -> None:
    good = scope("chat", [], "1")
    wire = wire_to(EnvoyStandIn(is_bad), good)
    wire.update(resource_set(listener(), scope("chat", [], "bad")))
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": good.version}
    wire.restart_envoy()
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": good.version}


def test_a_restarted_envoy_is_not_asked_again_to_take_what_it_refused() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), scope("chat", [], "bad"), scope("other", []))
    wire.restart_envoy()
    wire.sent.clear()
    wire.settle()
    assert wire.sent[SCOPE] == 1


def test_a_mended_resource_is_taken() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), scope("chat", [], "bad"))
    mended = scope("chat", [], "2")
    wire.update(resource_set(listener(), mended))
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": mended.version}
    assert wire.store.refusals == {}


def test_what_is_refused_with_its_stub_is_left_out() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), scope("chat", [], "bad stub"), scope("other", []))
    assert set(wire.envoy.held[SCOPE]) == {"other"}
    assert wire.session.settled()


def test_the_clusters_of_the_last_accepted_form_stay_for_as_long_as_it_is_in_use() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), cluster("a"), scope("chat", ["a"]))
    wire.update(resource_set(listener(), cluster("b"), scope("chat", ["b"], "bad")))
    wire.settle()
    assert set(wire.envoy.held[CLUSTER]) == {"a", "b"}
    wire.restart_envoy()
    wire.settle()
    assert set(wire.envoy.held[CLUSTER]) == {"a", "b"}
    wire.update(resource_set(listener(), cluster("b"), scope("chat", ["b"], "2")))
    wire.settle()
    assert set(wire.envoy.held[CLUSTER]) == {"b"}


def test_a_cluster_stays_while_a_scope_that_names_it_may_still_be_accepted() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), cluster("a"), scope("chat", []))
    wire.update(resource_set(listener(), cluster("a"), scope("chat", ["a"])))  # On its way, …
    wire.update(resource_set(listener(), scope("chat", [], "bad")))  # … and followed by a refused one.
    wire.settle()
    assert set(wire.envoy.held[CLUSTER]) == {"a"}


def test_an_older_form_is_never_sent_after_a_newer() -> None:
    envoy = EnvoyStandIn(is_bad, names_culprits=False, keeps_the_good=False)
    wire = wire_to(envoy, scope("chat", [], "1"), scope("other", [], "1"))
    wire.update(resource_set(listener(), scope("chat", [], "2"), scope("other", [], "bad")))
    newest = scope("chat", [], "3")
    wire.update(resource_set(listener(), newest, scope("other", [], "bad")))
    wire.settle()
    assert wire.envoy.versions(SCOPE)["chat"] == newest.version


def test_a_late_refusal_of_an_older_form_does_not_cost_the_accepted_one() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), scope("chat", [], "1"))
    wire.update(resource_set(listener(), scope("chat", [], "bad 1")))
    wire.update(resource_set(listener(), scope("chat", [], "bad 2")))
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": scope("chat", [], "1").version}


def test_forms_that_stand_in_for_a_refused_one_do_not_take_turns() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), scope("chat", [], "1"))
    for variant in ("bad 1", "2", "bad 1"):
        wire.update(resource_set(listener(), scope("chat", [], variant)))
    wire.settle()
    assert wire.session.settled()
    held = wire.envoy.versions(SCOPE)["chat"]
    assert held in {scope("chat", [], "1").version, scope("chat", [], "2").version}


def test_a_form_used_out_of_a_refused_response_goes_when_nothing_can_stand_in() -> None:
    wire = wire_to(EnvoyStandIn(is_bad, names_culprits=False))
    wire.update(resource_set(listener(), scope("chat", [], "1"), scope("other", [], "bad")))
    wire.deliver_response()
    assert "chat" in wire.envoy.held[SCOPE]
    wire.update(resource_set(listener(), scope("chat", [], "bad stub")))
    wire.settle()
    assert "chat" not in wire.envoy.held[SCOPE]


def test_what_went_and_came_back_at_once_is_still_what_was_accepted() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), cluster("a"), cluster("b"), scope("chat", ["a"]))
    with_chat = resource_set(listener(), cluster("a"), cluster("b"), scope("chat", ["a"]))
    wire.update(resource_set(listener(), cluster("a"), cluster("b", "2")))  # Scopes wait for the cluster, …
    wire.update(with_chat)  # … so this one never went.
    wire.settle()
    wire.update({**with_chat, SCOPE: {"chat": scope("chat", [], "bad")}})
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": with_chat[SCOPE]["chat"].version}


def test_a_verdict_that_was_lost_with_its_stream_counts() -> None:
    wire = wire_to(EnvoyStandIn(is_bad), scope("chat", [], "1"))
    second = scope("chat", [], "2")
    wire.update(resource_set(listener(), second))
    wire.deliver_response()  # Envoy has it; its acceptance goes down with the stream.
    wire.reconnect()
    wire.settle()
    wire.update(resource_set(listener(), scope("chat", [], "bad")))
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": second.version}


def test_an_envoy_that_refuses_what_another_took_gets_the_stub() -> None:
    one = scope("chat", [], "1")
    envoy = EnvoyStandIn(nothing_refused)
    wire = wire_to(envoy, one)
    envoy.refuses = lambda type_url, name, body: body.startswith(one.body)
    wire.restart_envoy()
    wire.update(resource_set(listener(), scope("chat", [], "1")))  # The same, compiled anew.
    wire.settle()
    assert envoy.versions(SCOPE) == {"chat": stub_version(one)}


def test_what_went_while_its_response_was_refused_is_sent_when_it_comes_back() -> None:
    envoy = EnvoyStandIn(is_bad, names_culprits=False, keeps_the_good=False)
    wire = wire_to(envoy, scope("other", []))
    wire.update(resource_set(listener(), scope("chat", []), scope("other", [], "bad")))
    wire.update(resource_set(listener(), scope("other", [])))
    wire.deliver_response()
    wire.deliver_request()
    wire.update(resource_set(listener(), scope("chat", []), scope("other", [])))
    wire.settle()
    assert set(wire.envoy.held[SCOPE]) == {"chat", "other"}


def test_a_cluster_that_was_accepted_after_it_went_is_known_when_it_comes_back() -> None:
    with_a = resource_set(listener(), cluster("a"), scope("chat", ["a"]))
    wire = wire_to(EnvoyStandIn(is_bad), scope("chat", []))
    wire.update(with_a)
    wire.update(resource_set(listener(), scope("chat", [])))
    wire.deliver_response()  # The cluster, which nobody wants any more.
    wire.deliver_request()
    wire.update(with_a)
    wire.update(resource_set(listener(), scope("chat", [], "bad")))
    wire.settle()  # The stand-in fails if the cluster goes while the scope names it.
    assert wire.session.settled()


def test_a_form_that_was_read_with_a_refused_response_gets_into_use_when_it_is_wanted_again() -> None:
    envoy = EnvoyStandIn(is_bad, names_culprits=False, keeps_the_good=False)
    wire = wire_to(envoy, cluster("a"), scope("chat", [], "1"), scope("other", []))
    second = scope("chat", [], "2")
    wire.update(resource_set(listener(), cluster("a"), second, scope("other", [], "bad")))
    # Scopes wait for the cluster: the third form never goes.
    wire.update(resource_set(listener(), cluster("a", "2"), scope("chat", [], "3"), scope("other", [])))
    wire.deliver_response()
    wire.deliver_request()
    wire.update(resource_set(listener(), cluster("a", "2"), second, scope("other", [])))
    wire.settle()
    assert envoy.versions(SCOPE)["chat"] == second.version


def test_a_form_that_was_read_on_a_broken_stream_gets_into_use_on_the_next() -> None:
    envoy = EnvoyStandIn(is_bad, names_culprits=False, keeps_the_good=False)
    wire = wire_to(envoy, scope("chat", [], "1"), scope("other", []))
    second = scope("chat", [], "2")
    wire.update(resource_set(listener(), second, scope("other", [], "bad")))
    wire.deliver_response()
    wire.update(resource_set(listener(), second, scope("other", [])))
    wire.reconnect()
    wire.settle()
    assert envoy.versions(SCOPE)["chat"] == second.version


def test_a_name_that_does_not_exist_is_answered_also_beside_what_is_refused() -> None:
    envoy = EnvoyStandIn(is_bad, keeps_the_good=False)
    wire_to(envoy, cluster("a", secret="a-key"), cluster("b", secret="b-key"), secret("a-key", "bad"))
    assert set(envoy.held[LISTENER]) == {"front"}, "Envoy waits for no secret any more"


def test_a_refused_listener_that_is_tried_again_counts_as_refused_until_it_is_taken() -> None:
    envoy = EnvoyStandIn(lambda type_url, name, body: type_url == LISTENER)
    wire = wire_to(envoy, scope("chat", []))
    for _ in range(2):
        assert set(wire.store.refusals) == {(LISTENER, "front")}
        wire.store.retry(LISTENER)
        assert set(wire.store.refusals) == {(LISTENER, "front")}
        wire.settle()
        assert wire.sent[LISTENER], "it was tried"
        wire.sent.clear()
    envoy.refuses = nothing_refused
    wire.store.retry(LISTENER)
    wire.settle()
    assert wire.store.refusals == {}
    assert set(envoy.held[LISTENER]) == {"front"}
    assert set(envoy.held[SCOPE]) == {"chat"}
    wire.sent.clear()
    wire.store.retry(LISTENER)
    assert wire.settle() == 0


@pytest.mark.parametrize(
    ("case", "before", "after", "stays"),
    [
        ("the same clients", ["alice", "bob"], ["alice", "bob"], True),
        ("one more client", ["alice"], ["alice", "bob"], True),
        ("one client less", ["alice", "bob"], ["alice"], False),
        ("clients instead of anyone", None, ["alice"], False),
        ("anyone instead of clients", ["alice"], None, True),
        ("no client any more", ["alice"], [], False),
    ],
)
def test_the_last_accepted_form_stays_only_if_it_lets_in_nobody_who_is_kept_out_now(
    case: str, before: list[str] | None, after: list[str] | None, stays: bool
) -> None:
    good, bad = scope("chat", ["a"], "1", admits=before), scope("chat", ["a"], "bad", admits=after)
    wire = wire_to(EnvoyStandIn(is_bad), cluster("a"), good)
    wire.update(resource_set(listener(), cluster("a"), bad))
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": good.version if stays else stub_version(bad)}
    wire.restart_envoy()
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": good.version if stays else stub_version(bad)}


def test_a_form_that_let_in_more_is_not_taken_up_by_a_late_verdict() -> None:
    former = scope("chat", [], "1", admits=["alice", "bob"])
    wire = wire_to(EnvoyStandIn(is_bad))
    wire.update(resource_set(listener(), former))
    bad = scope("chat", [], "bad", admits=["alice"])
    wire.update(resource_set(listener(), bad))
    wire.settle()
    assert wire.envoy.versions(SCOPE) == {"chat": stub_version(bad)}
