"""A route as Envoy reads it: which rule is for which request, what targets and clients are told."""

from typing import Any

import pytest

from pointsman.api import ModelRoute
from pointsman.routing import ProxySettings, Resource
from pointsman.routing.resources import SCOPE
from pointsman.routing.scopes import error_scopes
from tests.support.builders import deployment, route, routing_input, rule
from tests.support.envoy_messages import as_json, compiled, entries, message_of


def scope_of(chat: ModelRoute) -> Resource:
    given = routing_input(deployment("a"), deployment("b"), chat)
    return compiled(given)[SCOPE][chat.spec.models[0]]


STREAMED = {"name": "x-pm-stream", "string_match": {"exact": "true"}}


def entry_of(**said: Any) -> dict[str, Any]:
    *_, entry = entries(scope_of(route("chat", {"a": 1}, **said)))  # the one of answers in one piece is last
    return entry


@pytest.mark.parametrize(
    ("case", "stated", "want_headers"),
    [
        ("the default", rule(["a"]), None),
        (
            "a header",
            rule(["a"], headers={"x-tier": "gold"}),
            [{"name": "x-tier", "string_match": {"exact": "gold"}}],
        ),
        (
            "a regular expression",
            {**rule(["a"]), "match": {"headers": [{"name": "x-tier", "regex": "go(ld|od)"}]}},
            [{"name": "x-tier", "string_match": {"safe_regex": {"regex": "go(ld|od)"}}}],
        ),
        (
            "a prompt's size, in bytes",
            rule(["a"], min_prompt_tokens=30_000),
            [{"name": "x-pm-bytes", "range_match": {"start": "120000", "end": str(2**62)}}],
        ),
        (
            "all of it",
            rule(["a"], headers={"x-tier": "gold"}, min_prompt_tokens=1),
            [
                {"name": "x-tier", "string_match": {"exact": "gold"}},
                {"name": "x-pm-bytes", "range_match": {"start": "4", "end": str(2**62)}},
            ],
        ),
    ],
)
def test_which_requests_a_rule_is_for(
    case: str, stated: dict[str, Any], want_headers: list[dict[str, Any]] | None
) -> None:
    streamed, plain = entries(scope_of(route("chat", rules=[stated])))[:2]
    assert plain["match"].get("headers") == want_headers
    assert streamed["match"]["headers"] == [*(want_headers or []), STREAMED]
    assert plain["match"]["prefix"] == streamed["match"]["prefix"] == "/"


def test_rules_are_tried_in_their_order() -> None:
    chat = route("chat", {"b": 1}, rules=[rule(["a"], headers={"x-tier": n}) for n in ("gold", "silver")])
    names = [entry["name"] for entry in entries(scope_of(chat))]
    assert list(dict.fromkeys(names)) == [f"default/chat#{n}" for n in range(3)]


def test_a_request_that_no_rule_is_for_is_told_so() -> None:
    chat = route("chat", rules=[rule(["a"], headers={"x-tier": "gold"})])
    last = entries(scope_of(chat))[-1]
    assert last["direct_response"]["status"] == 404
    assert "no_matching_rule" in last["direct_response"]["body"]["inline_string"]


def test_a_rule_whose_targets_are_missing_does_not_hand_over_to_the_next() -> None:
    chat = route("chat", {"a": 1}, rules=[rule(["nowhere"], headers={"x-tier": "gold"})])
    first, second, *_ = entries(scope_of(chat))
    assert first["direct_response"]["status"] == 503
    assert first["match"]["headers"]
    assert "route" in second


def test_the_times_of_a_request() -> None:
    streamed, plain = entries(scope_of(route("chat", {"a": 1}, request="90s", idle="45s")))
    times = [(one["route"]["timeout"], one["route"]["idle_timeout"]) for one in (streamed, plain)]
    # An answer in one piece has no byte before it is done: being idle is no sign of trouble.
    assert times == [("90s", "45s"), ("90s", "90s")]
    assert "per_try_timeout" not in plain["route"]["retry_policy"]


def test_streams_and_other_answers_are_limited_apart() -> None:
    chat = route("chat", {"a": 1}, fallback=["b"], when=["timeout"], request="90s", first_token="8s")
    streamed, plain = entries(scope_of(chat))
    assert streamed["match"]["headers"] == [{"name": "x-pm-stream", "string_match": {"exact": "true"}}]
    assert streamed["route"]["retry_policy"]["per_try_timeout"] == "8s"
    assert plain["route"]["retry_policy"]["per_try_timeout"] == "45s"
    assert streamed["name"] == plain["name"] == "default/chat#0"


def test_equal_limits_are_one_entry() -> None:
    chat = route("chat", {"a": 1}, fallback=["b"], when=["timeout"], request="16s", first_token="8s")
    (entry,) = entries(scope_of(chat))
    assert entry["route"]["retry_policy"]["per_try_timeout"] == "8s"


def test_each_attempt_chooses_its_cluster_anew() -> None:
    """RetryPolicy.refresh_cluster_on_retry: a field that the generated messages do not know."""
    chat = route("chat", {"a": 1}, fallback=["b"], when=["timeout"], first_token="8s")
    message = message_of(scope_of(chat))
    assert message.SerializeToString().count(b"\x70\x01") == 2


@pytest.mark.parametrize(
    ("case", "affinity", "want_header"),
    [
        ("none", None, None),
        ("a header of the client", {"header": "x-session"}, "x-session"),
        ("the prompt's cache key", {"promptCacheKey": True}, "x-pm-affinity"),
    ],
)
def test_affinity_hashes(case: str, affinity: dict[str, Any] | None, want_header: str | None) -> None:
    action = entry_of(affinity=affinity)["route"]
    hashed = [one["header"]["header_name"] for one in action.get("hash_policy", [])]
    assert hashed == ([want_header] if want_header else [])
    specifier = action["inline_cluster_specifier_plugin"]["extension"]["typed_config"]["value"]
    assert specifier.get("use_hash_policy", False) is (want_header is not None)


@pytest.mark.parametrize(
    ("case", "mirror", "want"),
    [
        ("none", None, []),
        ("another target", ("b", 5), [("default/b", 5)]),
        ("a target that does not exist", ("nowhere", 5), []),
    ],
)
def test_a_mirror(case: str, mirror: tuple[str, int] | None, want: list[tuple[str, int]]) -> None:
    policies = entry_of(mirror=mirror)["route"].get("request_mirror_policies", [])
    found = [
        (p["cluster"].split("~")[0], p["runtime_fraction"]["default_value"]["numerator"]) for p in policies
    ]
    assert found == want


def test_a_name_of_the_route_is_a_key_and_a_name_of_the_scope() -> None:
    scope = as_json(scope_of(route("x", {"a": 1}, models=["team-a/chat:v1"])))
    assert scope["name"] == "team-a/chat:v1"
    assert scope["key"]["fragments"] == [{"string_key": "team-a/chat:v1"}]


def test_a_verdict_that_is_told_to_the_route_alone_does_not_reach_a_client() -> None:
    """What else of a target's headers is nobody's business, the filter of attempts takes out."""
    configuration = as_json(scope_of(route("chat", {"a": 1})))["route_configuration"]
    assert configuration["response_headers_to_remove"] == ["x-pm-retry"]
    # What the route removes cannot choose the replica.
    assert "request_headers_to_remove" not in configuration


def test_a_client_is_told_the_target_and_the_attempts() -> None:
    told = {one["header"]["key"]: one["header"]["value"] for one in entry_of()["response_headers_to_add"]}
    assert told == {
        "x-pointsman-target": "%UPSTREAM_METADATA(pointsman:target)%",
        "x-pointsman-attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    }


@pytest.mark.parametrize(
    ("name", "want_status"),
    [("!path", 404), ("!method", 405), ("!content-type", 415), ("!malformed", 400), ("!model", 400)],
)
def test_requests_that_name_no_model_have_scopes_of_their_own(name: str, want_status: int) -> None:
    scopes = {one.name: one for one in error_scopes(ProxySettings())}
    (entry,) = entries(scopes[name])
    assert entry["direct_response"]["status"] == want_status
    headers = {one["header"]["key"] for one in entry["response_headers_to_add"]}
    assert ("allow" in headers) is (name == "!method")
