"""Which names the routes of a namespace may have, by the labels that the namespace has now."""

from __future__ import annotations

import pytest

from pointsman.api import FleetSettings, ModelRoute
from pointsman.api.checks.claims import NameClaims
from tests.support.builders import fleet, key, route

BY_TEAM = {
    "names": [
        {"namespaceSelector": {"matchLabels": {"team": "a"}}, "models": ["team-a/*", "chat"]},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "lab"}}, "models": ["try/*"]},
    ]
}
TEAM_A = {"chat": {"team": "a"}}


def settings() -> FleetSettings:
    return fleet(gateway=BY_TEAM)


def named(*models: str, namespace: str = "chat", uid: str = "1") -> ModelRoute:
    return route("r", ["a"], namespace=namespace, models=models, metadata={"uid": uid})


@pytest.mark.parametrize(
    ("namespace", "labels", "models", "is_allowed"),
    [
        ("chat", {"team": "a"}, ["chat"], True),
        ("chat", {"team": "a"}, ["team-a/x"], True),
        ("chat", {"team": "a"}, ["chat", "try/x"], False),
        ("chat", {"team": "b"}, ["chat"], False),
        ("chat", {}, ["chat"], False),
        ("lab", {}, ["try/x"], True),
        ("lab", {"team": "a"}, ["try/x", "chat"], True),
    ],
)
def test_labels_decide(namespace: str, labels: dict[str, str], models: list[str], is_allowed: bool) -> None:
    one = named(*models, namespace=namespace)
    allowed, refused = NameClaims(settings()).allowed({one.key: one}, {namespace: labels})
    assert (one.key in allowed, one.key not in refused) == (is_allowed, is_allowed)


def test_what_is_refused_is_said_with_what_to_do() -> None:
    one = named("chat", "try/x")
    _, refused = NameClaims(settings()).allowed({one.key: one}, TEAM_A)
    assert refused[one.key] == (
        'spec.models[1]: namespace chat may not claim "try/x"; '
        "choose another name, or add it to gateway.names of the fleet settings"
    )


def test_an_edit_that_claims_too_much_leaves_what_was_and_a_lost_label_does_not() -> None:
    claims, first, second = NameClaims(settings()), named("chat"), named("chat", "try/x")
    claims.allowed({first.key: first}, TEAM_A)
    allowed, refused = claims.allowed({second.key: second}, TEAM_A)
    assert allowed[first.key] is first
    assert list(refused) == [first.key]
    allowed, _ = claims.allowed({second.key: second}, {"chat": {"team": "b"}})
    assert not allowed
    allowed, _ = claims.allowed({second.key: second}, TEAM_A)
    assert not allowed, "what was taken away does not come back in a version that nobody writes any more"


def test_another_route_of_the_name_has_nothing_of_the_former() -> None:
    claims, first, second = NameClaims(settings()), named("chat"), named("try/x", uid="2")
    claims.allowed({first.key: first}, TEAM_A)
    allowed, _ = claims.allowed({second.key: second}, TEAM_A)
    assert key("r", "chat") not in allowed


def test_without_claims_every_name_may_be_had() -> None:
    one = named("anything")
    allowed, refused = NameClaims(FleetSettings()).allowed({one.key: one}, {})
    assert (allowed, refused) == ({one.key: one}, {})


def test_labels_are_asked_for_only_where_a_claim_needs_more_than_the_name() -> None:
    by_name = {"names": [BY_TEAM["names"][1]]}
    by_expression = {
        "names": [
            {
                "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
                "models": ["x"],
            }
        ]
    }
    asked = [NameClaims(fleet(gateway=one)).ask_for_labels for one in (BY_TEAM, by_name, by_expression, {})]
    assert asked == [True, False, True, False]
