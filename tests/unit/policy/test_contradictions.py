"""What is said of two policies that hold one rule differently."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.api.meta import LabelSelector
from pointsman.policy.contradictions import Contradictions, may_overlap
from tests.support.policies import Json, compiled, rule

_NOW = datetime(2026, 11, 22, tzinfo=UTC)
_ENDED = datetime(2027, 6, 1, tzinfo=UTC)


def _cost(**parameters: Any) -> Json:
    return {"mode": "enforce", "packs": [{"name": "cost", "parameters": parameters}]}


def _exception(rule_: str, **match: Any) -> Json:
    return {
        "id": "EXC-1",
        "rules": [rule_],
        "match": match or {"namespaces": ["lab"]},
        "until": "2027-01-31T00:00:00Z",
        "reason": "a migration",
        "approvedBy": "security",
    }


def _said(one: Json, other: Json, now: datetime = _NOW) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of each of two policies, `a` and `b`."""
    known = Contradictions([compiled(one, name="a"), compiled(other, name="b")])
    return known.of("a", now), known.of("b", now)


def test_the_stricter_mode_wins() -> None:
    one = {"mode": "warn", "rules": [rule("OWN-1"), rule("OWN-2")]}
    other = {"mode": "enforce", "rules": [rule("OWN-1"), rule("OWN-2", mode="audit")]}

    assert _said(one, other) == (
        ("OWN-1: warn here, enforce in policy b, which wins; OWN-2: warn here wins over audit in policy b",),
        ("OWN-1: enforce here wins over warn in policy a; OWN-2: audit here, warn in policy a, which wins",),
    )


def test_other_parameters_hold_both() -> None:
    assert _said(_cost(maxReplicas=8), _cost(maxReplicas=4)) == (
        ("COST-04: maxReplicas is 8 here and 4 in policy b: both hold, the stricter wins",),
        ("COST-04: maxReplicas is 4 here and 8 in policy a: both hold, the stricter wins",),
    )


def test_an_exception_does_not_help_against_who_has_none() -> None:
    one = {"mode": "enforce", "rules": [rule("OWN-1")]}
    mine, theirs = _said({**one, "exceptions": [_exception("OWN-1")]}, one)

    assert mine == ("EXC-1: policy b enforces OWN-1 without this exception, and wins",)
    assert theirs == ("OWN-1: enforced here, whatever exception EXC-1 of policy a allows",)


def test_an_exception_that_ended_is_no_matter() -> None:
    one = {"mode": "enforce", "rules": [rule("OWN-1")]}

    assert _said({**one, "exceptions": [_exception("OWN-1")]}, one, _ENDED) == ((), ())


@pytest.mark.parametrize(
    ("match", "is_enough"),
    [
        ({"namespaces": ["lab", "other"]}, True),
        ({"namespaces": ["lab"], "names": ["old"]}, False),
        ({"namespaces": ["other"]}, False),
    ],
)
def test_an_exception_that_both_have(match: Json, is_enough: bool) -> None:
    one = {"mode": "enforce", "rules": [rule("OWN-1")]}
    mine, _ = _said(
        {**one, "exceptions": [_exception("OWN-1")]}, {**one, "exceptions": [_exception("OWN-1", **match)]}
    )

    assert any(line.startswith("EXC-1: ") for line in mine) is not is_enough


@pytest.mark.parametrize(
    "other",
    [
        {"mode": "warn", "rules": [rule("OWN-1")]},
        {"mode": "enforce", "rules": [rule("OWN-2")]},
        {"mode": "enforce", "rules": [rule("OWN-1", expression="has(object.spec.tier)")]},
        {
            "mode": "enforce",
            "rules": [rule("OWN-1")],
            "appliesTo": {"namespaceSelector": {"matchLabels": {"stage": "lab"}}},
        },
    ],
    ids=["the same", "another rule", "another rule of the same name", "other namespaces"],
)
def test_no_contradiction(other: Json) -> None:
    selector = {"namespaceSelector": {"matchLabels": {"stage": "prod"}}}

    assert _said({"mode": "warn", "appliesTo": selector, "rules": [rule("OWN-1")]}, other) == ((), ())


def test_who_is_concerned_by_a_change() -> None:
    weak, strict = ({"mode": mode, "rules": [rule("OWN-1")]} for mode in ("warn", "enforce"))
    known = Contradictions([compiled(weak, name="a"), compiled(weak, name="b")])

    assert known.hold(compiled(strict, name="c")) == {"a", "b"}
    assert known.hold(compiled(weak, name="a")) == {"c"}
    assert known.hold(compiled(strict, name="b")) == {"a", "c"}
    assert known.forget("c") == {"a"}
    assert known.of("b", _NOW) == ("OWN-1: enforce here wins over warn in policy a",)


def test_of_many_others_three_are_named() -> None:
    weak, strict = ({"mode": mode, "rules": [rule("OWN-1")]} for mode in ("warn", "enforce"))
    others = [compiled(strict, name=f"other-{number}") for number in range(9)]

    found = Contradictions([compiled(weak, name="a"), *others]).of("a", _NOW)

    assert len(found) == 4
    assert found[-1] == "and 6 more policies contradict it"


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        (None, {"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "1"}}, {"matchLabels": {"a": "2"}}, False),
        ({"matchLabels": {"a": "1"}}, {"matchLabels": {"b": "2"}}, True),
        ({"matchLabels": {"a": "1"}}, {"key": "a", "operator": "In", "values": ["1", "2"]}, True),
        ({"matchLabels": {"a": "1"}}, {"key": "a", "operator": "NotIn", "values": ["1"]}, False),
        ({"matchLabels": {"a": "1"}}, {"key": "a", "operator": "DoesNotExist"}, False),
        ({"key": "a", "operator": "Exists"}, {"key": "a", "operator": "NotIn", "values": ["1"]}, True),
        ({"key": "a", "operator": "DoesNotExist"}, {"key": "a", "operator": "NotIn", "values": ["1"]}, True),
    ],
)
def test_which_namespaces_may_be_of_both(one: Json | None, other: Json, may: bool) -> None:
    def selector(stated: Json) -> LabelSelector:
        return LabelSelector.model_validate({"matchExpressions": [stated]} if "key" in stated else stated)

    chosen = None if one is None else selector(one)
    assert may_overlap(chosen, selector(other)) is may
    assert may_overlap(selector(other), chosen) is may
