"""Which exception counts for which object, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.api.guardrailpolicy import PolicyException, PolicyKind
from pointsman.policy.exemptions import Exemption, Subject, exemptions

UNTIL = datetime(2027, 1, 31, tzinfo=UTC)
BEFORE = UNTIL - timedelta(seconds=1)
DEPLOYMENT, ROUTE, POD = PolicyKind.MODEL_DEPLOYMENT, PolicyKind.MODEL_ROUTE, PolicyKind.POD


def exemption(until: str = "2027-01-31T00:00:00Z", **match: Any) -> Exemption:
    stated = {
        "id": "EXC-1",
        "rules": ["SEC-01", "SEC-02"],
        "match": match or {"namespaces": ["lab"]},
        "until": until,
        "reason": "a migration",
        "approvedBy": "security",
    }
    (made,) = exemptions([PolicyException.model_validate(stated)])
    return made


def subject(
    kind: PolicyKind = DEPLOYMENT, namespace: str = "lab", name: str = "old", **labels: str
) -> Subject:
    return Subject(kind, namespace, name, labels)


@pytest.mark.parametrize(
    ("match", "one", "is_for"),
    [
        pytest.param({"namespaces": ["lab"]}, subject(), True, id="any object of its namespace"),
        pytest.param({"namespaces": ["lab"]}, subject(namespace="prod"), False, id="none of another"),
        pytest.param({"namespaces": ["a", "lab"]}, subject(), True, id="any of several namespaces"),
        pytest.param({"names": ["old"]}, subject(namespace="prod"), True, id="its name in any namespace"),
        pytest.param({"names": ["old"]}, subject(name="older"), False, id="a name is whole"),
        pytest.param({"names": ["a", "old"]}, subject(ROUTE), True, id="a route of that name too"),
        pytest.param({"names": ["old"]}, subject(POD), True, id="the pods of a deployment of that name"),
        pytest.param({"names": ["old"]}, subject(POD, name=""), False, id="no pod of nobody"),
        pytest.param(
            {"namespaces": ["lab"], "names": ["old"]}, subject(name="new"), False, id="both must be so"
        ),
        pytest.param(
            {"namespaceSelector": {"matchLabels": {"tier": "lab"}}}, subject(tier="lab"), True, id="labels"
        ),
        pytest.param(
            {"namespaceSelector": {"matchLabels": {"tier": "lab"}}}, subject(), False, id="no labels"
        ),
        pytest.param(
            {"namespaceSelector": {"matchLabels": {"tier": "lab"}}, "names": ["new"]},
            subject(tier="lab"),
            False,
            id="labels and another name",
        ),
        pytest.param(
            {"namespaceSelector": {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}},
            subject(tier="lab"),
            False,
            id="labels that must not be there",
        ),
    ],
)
def test_it_is_for_the_objects_that_it_matches(match: dict[str, Any], one: Subject, is_for: bool) -> None:
    made = exemption(**match)
    assert made.is_for(one) is is_for
    assert made.counts("SEC-01", one, BEFORE) is is_for


def test_it_counts_for_its_own_rules_alone() -> None:
    assert exemption().counts("SEC-02", subject(), BEFORE)
    assert not exemption().counts("SEC-03", subject(), BEFORE)
    assert not exemption().counts("SEC-0", subject(), BEFORE)


@pytest.mark.parametrize("kind", [DEPLOYMENT, ROUTE])
def test_it_ends_at_its_instant(kind: PolicyKind) -> None:
    assert exemption().counts("SEC-01", subject(kind), UNTIL - timedelta(microseconds=1))
    assert not exemption().counts("SEC-01", subject(kind), UNTIL)


def test_it_ends_at_that_instant_in_whatever_zone_it_is_written() -> None:
    made = exemption(until="2027-01-31T02:00:00.5+02:00")
    assert made.counts("SEC-01", subject(), UNTIL)
    assert not made.counts("SEC-01", subject(), UNTIL + timedelta(seconds=0.5))


def test_that_of_a_pod_never_ends() -> None:
    assert exemption().counts("SEC-01", subject(POD), UNTIL + timedelta(days=3650))


def test_that_of_a_pod_is_for_what_it_matches_all_the_same() -> None:
    late = UNTIL + timedelta(days=1)
    assert not exemption().counts("SEC-01", subject(POD, namespace="prod"), late)
    assert not exemption().counts("SEC-03", subject(POD), late)


@given(
    kind=st.sampled_from(PolicyKind),
    rule=st.sampled_from(["SEC-01", "SEC-03"]),
    namespace=st.sampled_from(["lab", "prod"]),
    seconds=st.integers(-(10**9), 10**9),
)
def test_what_counts_once_counted_all_the_time_before(
    kind: PolicyKind, rule: str, namespace: str, seconds: int
) -> None:
    now = UNTIL + timedelta(seconds=seconds)
    one = subject(kind, namespace)
    if exemption().counts(rule, one, now):
        assert exemption().counts(rule, one, now - timedelta(days=1))
        assert rule == "SEC-01"
        assert namespace == "lab"
        assert kind is POD or seconds < 0


def test_it_keeps_what_an_auditor_asks_for() -> None:
    made = exemption()
    assert (made.id, made.reason, made.approved_by) == ("EXC-1", "a migration", "security")
    assert (made.until, made.until_text) == (UNTIL, "2027-01-31T00:00:00Z")


def test_the_order_is_that_of_the_policy() -> None:
    stated = {
        "rules": ["SEC-01"],
        "match": {"names": ["a"]},
        "until": "2027-01-31T00:00:00Z",
        "reason": "a migration",
        "approvedBy": "security",
    }
    made = exemptions(PolicyException.model_validate({"id": id_, **stated}) for id_ in ("B", "A"))
    assert [one.id for one in made] == ["B", "A"]
