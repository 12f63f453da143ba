"""Who may call a route: which Secrets hold its clients' keys, and what Envoy is told of them."""

from typing import Any

import pytest

from pointsman.api import LabelSelector, ModelRoute, Secret
from pointsman.routing.authentication import (
    OPEN_KEY,
    Admission,
    LabelledSecrets,
    admission,
    anyone_of,
    key_filter,
)
from pointsman.routing.names import OPEN_HEADER
from pointsman.routing.resources import SCOPE
from tests.support.builders import deployment, route, routing_input, secret
from tests.support.envoy_messages import compiled, virtual_host

CHAT = route("chat", {"a": 1}, api_keys={"team": "x"})
FILTER = "envoy.filters.http.api_key_auth"


def without_authentication(stated: ModelRoute) -> ModelRoute:
    return stated.model_copy(update={"spec": stated.spec.model_copy(update={"authentication": None})})


def clients(name: str, values: dict[str, str], team: str = "x", namespace: str = "default") -> Secret:
    return secret(name, values, labels={"team": team}, namespace=namespace)


def _with_term(labels: dict[str, str], key: str, operator: str) -> dict[str, Any]:
    return {"matchLabels": labels, "matchExpressions": [{"key": key, "operator": operator}]}


@pytest.mark.parametrize(
    ("case", "chat", "secrets", "want"),
    [
        ("anyone", route("chat", {"a": 1}), [clients("m", {"ann": "k1"})], Admission(open=True)),
        ("nothing said", without_authentication(CHAT), [], None),
        ("no Secret", CHAT, [], Admission(open=False)),
        ("a Secret", CHAT, [clients("m", {"ann": "k1"})], Admission(False, (("ann", "k1"),))),
        ("another team's Secret", CHAT, [clients("m", {"ann": "k1"}, team="y")], Admission(False)),
        ("a Secret without labels", CHAT, [secret("m", {"ann": "k1"})], Admission(False)),
        (
            "another namespace's Secret",
            CHAT,
            [clients("m", {"ann": "k1"}, namespace="team-b")],
            Admission(False),
        ),
        (
            "several Secrets",
            CHAT,
            [clients("n", {"bob": "k2"}), clients("m", {"cyd": "k3", "ann": "k1"})],
            Admission(False, (("ann", "k1"), ("bob", "k2"), ("cyd", "k3"))),
        ),
        (
            "one key twice: the first Secret by name has it",
            CHAT,
            [clients("n", {"aaa": "k1"}), clients("m", {"zed": "k1"})],
            Admission(False, (("zed", "k1"),)),
        ),
        (
            "one client with two keys",
            CHAT,
            [clients("m", {"ann": "k1"}), clients("n", {"ann": "k2"})],
            Admission(False, (("ann", "k1"), ("ann", "k2"))),
        ),
        (
            "empty keys let nobody in",
            CHAT,
            [clients("m", {"ann": "", "bob": " \n"})],
            Admission(False),
        ),
        (
            "white space around a key",
            CHAT,
            [clients("m", {"ann": " k1\n"})],
            Admission(False, (("ann", "k1"),)),
        ),
    ],
)
def test_who_may_call(case: str, chat: ModelRoute, secrets: list[Secret], want: Admission | None) -> None:
    for order in (secrets, secrets[::-1]):
        assert admission(chat, LabelledSecrets(order).of_clients(chat)[1]) == want


@pytest.mark.parametrize(
    ("case", "selector", "want"),
    [
        ("one label", {"matchLabels": {"team": "x"}}, "abc"),
        ("two labels", {"matchLabels": {"team": "x", "tier": "gold"}}, "b"),
        ("a label that nobody has", {"matchLabels": {"team": "z"}}, ""),
        ("a label and a term", _with_term({"team": "x"}, "tier", "DoesNotExist"), "ac"),
        ("a term alone", _with_term({}, "tier", "Exists"), "bd"),
        ("all of the namespace", {}, "abcd"),
    ],
)
def test_secrets_are_found_by_their_labels(case: str, selector: dict[str, Any], want: str) -> None:
    labels = {"a": {"team": "x"}, "b": {"team": "x", "tier": "gold"}, "c": {"team": "x", "y": "z"}}
    labels["d"] = {"team": "y", "tier": "gold"}
    secrets = [secret(name, {"k": name}, labels=labels[name]) for name in "cbda"]
    secrets.append(secret("e", {"k": "e"}, labels={"team": "x", "tier": "gold"}, namespace="team-b"))
    stated = CHAT.spec.authentication
    assert stated is not None
    assert stated.api_keys is not None
    keys = stated.api_keys.model_copy(update={"secret_selector": LabelSelector.model_validate(selector)})
    chat = CHAT.model_copy(
        update={
            "spec": CHAT.spec.model_copy(
                update={"authentication": stated.model_copy(update={"api_keys": keys})}
            )
        }
    )
    _, found = LabelledSecrets(secrets).of_clients(chat)
    assert "".join(one.metadata.name for one in found) == want


@pytest.mark.parametrize(
    ("case", "admissions", "want"),
    [
        ("no route at all", [], Admission(True)),
        ("one is open", [Admission(False, (("ann", "k1"),)), Admission(True)], Admission(True)),
        (
            "all clients of all routes",
            [Admission(False, (("ann", "k1"),)), Admission(False, (("bob", "k2"), ("ann", "k1")))],
            Admission(False, (("ann", "k1"), ("bob", "k2"))),
        ),
        (
            "one key with two names: the first route's counts",
            [Admission(False, (("ann", "k1"),)), Admission(False, (("bob", "k1"),))],
            Admission(False, (("ann", "k1"),)),
        ),
        ("nobody", [Admission(False)], Admission(False)),
    ],
)
def test_who_may_see_the_list(case: str, admissions: list[Admission], want: Admission) -> None:
    assert anyone_of(admissions) == want


def filter_of(chat: ModelRoute, *secrets: Secret) -> dict[str, Any]:
    scope = compiled(routing_input(deployment("a"), chat, *secrets))[SCOPE]["chat"]
    found: dict[str, Any] = virtual_host(scope)["typed_per_filter_config"][FILTER]
    return found


def test_clients_send_their_keys_as_the_sdks_do_and_they_go_no_further() -> None:
    told = filter_of(CHAT, clients("m", {"ann": "k1"}))
    assert told["credentials"] == [{"key": "k1", "client": "ann"}]
    assert [one["header"] for one in told["key_sources"]] == ["Authorization", "x-api-key", "api-key"]
    assert told["forwarding"] == {"header": "x-pm-client", "hide_credentials": True}


def test_a_route_for_anyone_reads_no_header_that_a_client_could_send() -> None:
    """Else a key for another service, sent out of habit, would be refused."""
    told = filter_of(route("chat", {"a": 1}))
    assert told["credentials"] == [{"key": OPEN_KEY, "client": OPEN_KEY}]
    assert [one["header"] for one in told["key_sources"]] == [OPEN_HEADER]


def test_a_route_without_any_client_lets_nobody_in() -> None:
    told = filter_of(CHAT)
    assert "credentials" not in told
    assert OPEN_HEADER not in [one["header"] for one in told["key_sources"]]


def test_a_request_without_a_route_is_not_asked_for_a_key() -> None:
    told = key_filter()["typed_config"]
    assert told["credentials"] == [{"key": OPEN_KEY, "client": OPEN_KEY}]


def test_keys_are_not_shown() -> None:
    assert repr(Admission(False, (("ann", "k1"),))) == "Admission(open=False, 1 keys)"
