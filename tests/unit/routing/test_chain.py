"""A rule's attempts: their targets and order, what makes the next be tried, and how long each may take."""

from typing import Any

import pytest

from pointsman.api import FallbackReason
from pointsman.routing.chain import Chain, cluster_use, route_uses, rule_chain
from pointsman.routing.settings import HoldSettings
from pointsman.routing.targets import ClusterUse, Ejection
from tests.support.builders import deployment, hosted, key, route, rule

HOLD = HoldSettings(seconds=60)
HOSTED = "https://api.example.com/v1"
EXISTING = {
    one.key: one
    for one in (
        deployment("a"),
        deployment("b"),
        deployment("many", replicas=3),
        hosted("openai", HOSTED),
        deployment("tuned", adapters=["de", "acme/fr:v1.5"]),
    )
}


def chain_of(stated: dict[str, Any]) -> Chain | None:
    chat = route("chat", rules=[stated])
    return rule_chain(chat.spec.rules[0], chat, EXISTING, HOLD)


def attempts_of(stated: dict[str, Any]) -> list[dict[str, int]]:
    chain = chain_of(stated)
    assert chain is not None
    return [
        {name.split("~")[0].partition("/")[2]: weight for name, weight in group} for group in chain.groups
    ]


@pytest.mark.parametrize(
    ("case", "stated", "want_attempts"),
    [
        ("one target", rule(["a"]), [{"a": 1}, {"a": 1}]),
        ("weights", rule({"a": 90, "b": 10}), [{"a": 90, "b": 10}] * 2),
        (
            "adapters of one deployment, and its model",
            rule({"tuned/de": 80, "tuned/acme/fr:v1.5": 15, "tuned": 5}),
            [{"tuned/de": 80, "tuned/acme/fr:v1.5": 15, "tuned": 5}] * 2,
        ),
        (
            "an adapter before its model and after another target",
            rule(["tuned/de"], fallback=["tuned", "b", "tuned/acme/fr:v1.5"]),
            [{"tuned/de": 1}, {"tuned": 1}, {"b": 1}, {"tuned/acme/fr:v1.5": 1}],
        ),
        (
            "adapters that nobody lists are left out, and the others are asked",
            rule({"tuned/nl": 50, "a/de": 20, "tuned/de": 30}, fallback=["openai/de", "b"]),
            [{"tuned/de": 30}, {"b": 1}],
        ),
        ("a weight of nought is no target", rule({"a": 1, "b": 0}), [{"a": 1}] * 2),
        (
            "an only replica is not asked twice before the fallback",
            rule(["a"], fallback=["b"]),
            [{"a": 1}, {"b": 1}],
        ),
        (
            "another replica before the fallback",
            rule(["many"], fallback=["b"]),
            [{"many": 1}, {"many": 1}, {"b": 1}],
        ),
        (
            "one target of several has another replica",
            rule({"a": 1, "many": 1}, fallback=["b"]),
            [{"a": 1, "many": 1}, {"a": 1, "many": 1}, {"b": 1}],
        ),
        (
            "a target without weight lends no replica",
            rule({"a": 1, "many": 0}, fallback=["b"]),
            [{"a": 1}, {"b": 1}],
        ),
        (
            "a target whose adapter nobody lists lends no replica",
            rule({"a": 1, "many/nl": 1}, fallback=["b"]),
            [{"a": 1}, {"b": 1}],
        ),
        ("a hosted model counts as one replica", rule(["openai"], fallback=["a"]), [{"openai": 1}, {"a": 1}]),
        (
            "fallbacks in their order",
            rule(["a"], fallback=["openai", "b", "many"]),
            [{"a": 1}, {"openai": 1}, {"b": 1}, {"many": 1}, {"many": 1}],
        ),
        (
            "another replica of the last fallback, and of none before it",
            rule(["many"], fallback=["many", "b"]),
            [{"many": 1}, {"many": 1}, {"many": 1}, {"b": 1}],
        ),
        (
            "the last fallback that exists is the last",
            rule(["a"], fallback=["many", "nowhere"]),
            [{"a": 1}, {"many": 1}, {"many": 1}],
        ),
        (
            "who refuses refuses again",
            rule(["a"], fallback=["many"], when=["serverError", "refusal"]),
            [{"a": 1}, {"many": 1}],
        ),
        ("a fallback that does not exist", rule(["a"], fallback=["nowhere", "b"]), [{"a": 1}, {"b": 1}]),
        ("no fallback exists", rule(["a"], fallback=["nowhere"]), [{"a": 1}, {"a": 1}]),
        ("only the fallback exists", rule(["nowhere"], fallback=["b"]), [{"b": 1}]),
        ("one of two targets exists", rule({"a": 90, "nowhere": 10}), [{"a": 90}] * 2),
    ],
)
def test_the_order_of_attempts(
    case: str, stated: dict[str, Any], want_attempts: list[dict[str, int]]
) -> None:
    assert attempts_of(stated) == want_attempts
    chain = chain_of(stated)
    assert chain is not None
    assert chain.retry["num_retries"] == len(want_attempts) - 1


def test_without_any_target_there_is_no_chain() -> None:
    assert chain_of(rule(["nowhere"], fallback=["gone"])) is None


TRANSPORT = "connect-failure,refused-stream,reset"
SERVER_ERRORS = [500, 502, 503, 504, 529]


@pytest.mark.parametrize(
    ("case", "when", "want_on", "want_statuses", "want_marks"),
    [
        (
            "everything but refusal, unless said otherwise",
            [],
            f"{TRANSPORT},retriable-status-codes,retriable-headers",
            [429, *SERVER_ERRORS],
            ["contextOverflow", "noCapacity"],
        ),
        ("only a failed connection", ["connectFailure"], TRANSPORT, [], []),
        ("only server errors", ["serverError"], "retriable-status-codes", SERVER_ERRORS, []),
        ("only too many requests", ["rateLimited"], "retriable-status-codes", [429], []),
        ("only time", ["timeout"], "reset", [], []),
        ("only the first token's time", ["firstTokenTimeout"], "reset", [], []),
        ("only an overflow", ["contextOverflow"], "retriable-headers", [], ["contextOverflow"]),
        ("only a refusal", ["refusal"], "retriable-headers", [], ["refusal"]),
        ("only no capacity", ["noCapacity"], "retriable-headers", [], ["noCapacity"]),
        (
            "two of them",
            ["serverError", "refusal"],
            "retriable-status-codes,retriable-headers",
            SERVER_ERRORS,
            ["refusal"],
        ),
    ],
)
def test_what_makes_the_fallback_be_tried(
    case: str, when: list[str], want_on: str, want_statuses: list[int], want_marks: list[str]
) -> None:
    chain = chain_of(rule(["a"], fallback=["b"], when=when))
    assert chain is not None
    assert chain.retry["retry_on"] == want_on
    assert chain.retry["retriable_status_codes"] == sorted(want_statuses)
    marks = [one["string_match"]["exact"] for one in chain.retry["retriable_headers"]]
    assert sorted(marks) == sorted(want_marks)


def test_without_a_fallback_another_replica_is_tried_for_what_is_a_replicas_own_trouble() -> None:
    chain = chain_of(rule(["many"]))
    assert chain is not None
    assert chain.retry["retry_on"] == f"{TRANSPORT},retriable-status-codes"
    assert chain.retry["retriable_status_codes"] == [502, 503]


def test_every_reason_has_a_meaning() -> None:
    """A reason that is added to the API must be given to Envoy in some way."""
    for reason in FallbackReason:
        chain = chain_of(rule(["a"], fallback=["b"], when=[reason.value]))
        assert chain is not None
        assert chain.retry["retry_on"]


@pytest.mark.parametrize(
    ("case", "stated", "want_stream_seconds", "want_plain_seconds"),
    [
        ("no limit said", rule(["a"], fallback=["b"], when=["serverError"]), None, None),
        (
            "a first token's time limits streams",
            rule(["a"], fallback=["b"], when=["firstTokenTimeout"], first_token="8s"),
            8.0,
            None,
        ),
        (
            "a timeout shares the request's time",
            rule(["a"], fallback=["b", "openai"], when=["timeout"], request="90s"),
            None,
            30.0,
        ),
        (
            "both",
            rule(
                ["many"],
                fallback=["b"],
                when=["timeout", "firstTokenTimeout"],
                request="90s",
                first_token="500ms",
            ),
            0.5,
            30.0,
        ),
        ("without a fallback time is not shared", rule(["a"], request="90s"), None, None),
        ("a first token's time holds without a fallback too", rule(["a"], first_token="8s"), 8.0, None),
    ],
)
def test_how_long_an_attempt_may_take(
    case: str, stated: dict[str, Any], want_stream_seconds: float | None, want_plain_seconds: float | None
) -> None:
    chain = chain_of(stated)
    assert chain is not None
    assert (chain.stream_attempt_seconds, chain.plain_attempt_seconds) == (
        want_stream_seconds,
        want_plain_seconds,
    )


@pytest.mark.parametrize(
    ("case", "stated", "want"),
    [
        ("no fallback: never all at once", rule(["a"]), ClusterUse(Ejection(5, 30.0, 49), False)),
        ("a fallback: all of them", rule(["a"], fallback=["b"]), ClusterUse(Ejection(5, 30.0, 100), False)),
        (
            "a cooldown of one's own",
            rule(["a"], fallback=["b"], cooldown=(3, "1m30s")),
            ClusterUse(Ejection(3, 90.0, 100), False),
        ),
        (
            "affinity by a header",
            rule(["a"], affinity={"header": "x-session"}),
            ClusterUse(Ejection(5, 30.0, 49), True),
        ),
        (
            "affinity by the prompt's cache key",
            rule(["a"], affinity={"promptCacheKey": True}),
            ClusterUse(Ejection(5, 30.0, 49), True),
        ),
    ],
)
def test_what_a_rule_asks_of_its_clusters(case: str, stated: dict[str, Any], want: ClusterUse) -> None:
    assert cluster_use(route("chat", rules=[stated]).spec.rules[0]) == want


def test_each_adapter_is_a_use_of_its_own() -> None:
    chat = route("chat", rules=[rule(["tuned", "tuned/de"])], mirror=("tuned/acme/fr:v1.5", 5))
    plain, tuned = Ejection(5, 30.0, 49), key("tuned")
    assert route_uses(chat) == {
        (tuned, ClusterUse(plain, False)),
        (tuned, ClusterUse(plain, False, "de")),
        (tuned, ClusterUse(plain, False, "acme/fr:v1.5")),
    }


def test_a_route_uses_targets_fallbacks_and_the_mirror() -> None:
    chat = route(
        "chat",
        rules=[rule({"a": 1, "b": 0}, headers={"x-tier": "gold"}), rule(["a"], fallback=["many"])],
        mirror=("openai", 5),
    )
    plain, fallback = ClusterUse(Ejection(5, 30.0, 49), False), ClusterUse(Ejection(5, 30.0, 100), False)
    assert route_uses(chat) == {
        (key("a"), plain),
        (key("a"), fallback),
        (key("many"), fallback),
        (key("openai"), plain),
    }
