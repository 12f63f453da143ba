"""Whether a call is needed, held to what the real API server makes of the call.

An apply that changes nothing leaves the resource version as it was: so the API server itself is the judge.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from pointsman.kube.difference import differences
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.kube_strategies import EVERY_KIND, Json

MANAGER = "pointsman-test"
_numbers = itertools.count(1)
live_examples = settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)


def text(found: object) -> str:
    return "; ".join(map(str, found)) if isinstance(found, tuple) else str(found)


class Applied:
    """An object of its own name on the API server, applied by us."""

    def __init__(self, admin: Admin, namespace: str, wanted: Json) -> None:
        self.admin = admin
        self.namespace = namespace
        self.name = f"drawn-{next(_numbers)}"
        self.live = self.apply(wanted)

    def named(self, wanted: Json) -> Json:
        return {**wanted, "metadata": {**wanted["metadata"], "name": self.name, "namespace": self.namespace}}

    def apply(self, wanted: Json) -> Json:
        self.live = self.admin.apply(self.named(wanted), self.namespace, manager=MANAGER, force=True)
        return self.live

    def differences(self, wanted: Json) -> tuple[Any, ...]:
        return differences(self.live, self.named(wanted), MANAGER)

    def remove(self) -> None:
        api_version, kind = self.live["apiVersion"], self.live["kind"]
        if self.live["metadata"].get("finalizers"):
            self.admin.patch(api_version, kind, self.name, {"metadata": {"finalizers": None}}, self.namespace)
        self.admin.delete(api_version, kind, self.name, self.namespace)


def applied_or_refused(admin: Admin, namespace: str, wanted: Json) -> Applied:
    """What the API server refuses as invalid is not looked at."""
    try:
        return Applied(admin, namespace, wanted)
    except ApiError as error:
        event(f"refused with {error.status}: {str(error)[:60]}")
        assume(False)
        raise


@pytest.fixture
def place(admin: Admin, namespace: str) -> tuple[Admin, str]:
    return admin, namespace


@pytest.mark.parametrize("kind", EVERY_KIND)
@live_examples
@given(data=st.data())
def test_what_was_applied_needs_no_call(place: tuple[Admin, str], kind: str, data: st.DataObject) -> None:
    wanted = data.draw(EVERY_KIND[kind])
    applied = applied_or_refused(*place, wanted)
    try:
        assert applied.differences(wanted) == (), text(applied.differences(wanted))
    finally:
        applied.remove()


@pytest.mark.parametrize("kind", EVERY_KIND)
@live_examples
@given(data=st.data())
def test_a_call_is_needed_exactly_where_it_changes_something(
    place: tuple[Admin, str], kind: str, data: st.DataObject
) -> None:
    """From any intent to a part of it, or to any other."""
    before = data.draw(EVERY_KIND[kind])
    after = data.draw(st.one_of(without_a_part(before), EVERY_KIND[kind]))
    applied = applied_or_refused(*place, before)
    try:
        expected = applied.differences(after)
        there = applied.live
        try:
            applied.apply(after)
        except ApiError as error:
            event(f"change refused with {error.status}")
            return
        if content(there) != content(applied.live):
            assert expected, "a call was needed"
        if there["metadata"]["resourceVersion"] == applied.live["metadata"]["resourceVersion"]:
            assert not expected, f"no call was needed: {text(expected)}"
        assert applied.differences(after) == (), text(applied.differences(after))
    finally:
        applied.remove()


@st.composite
def without_a_part(draw: st.DrawFn, wanted: Json) -> Json:
    """The same without one member, or one item of a list, of its metadata, data or spec."""
    after = copy.deepcopy(wanted)
    places = [place for place in _places(after) if not isinstance(place[1], str) or place[1] not in _NEEDED]
    assume(places)
    holder, name = draw(st.sampled_from(places))
    if isinstance(holder, list) and len(holder) == 1:
        # An empty list is another thing than none, which our own objects do not have.
        assume(False)
    del holder[name]
    return after


_NEEDED = {
    "apiVersion",
    "containers",
    "image",
    "kind",
    "metadata",
    "name",
    "podSelector",
    "selector",
    "spec",
    "template",
}


def content(live: Json) -> Json:
    """All but who owns what and when."""
    left_out = {"managedFields", "resourceVersion", "generation"}
    meta = {name: value for name, value in live["metadata"].items() if name not in left_out}
    return {**live, "metadata": meta}


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in list(members):
        yield value, name
        if isinstance(member, dict | list):
            yield from _places(member)
