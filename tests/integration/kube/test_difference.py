"""Whether a call is needed, held to what the real API server makes of the call.

An apply that changes nothing leaves the resource version as it was: so the API server itself is the judge.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pointsman.kube.difference import differences, owned_fields
from pointsman.kube.made import is_made
from pointsman.kube.settled import Settled
from tests.integration.kube.applying import (
    CREATED,
    MANAGER,
    Applied,
    Made,
    applied_or_refused,
    content,
    text,
    without_a_part,
    without_names,
)
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.control_plane import ControlPlane
from tests.support.kube_strategies import EVERY_KIND, Json

live_examples = settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)


@pytest.fixture
def place(own_plane: ControlPlane) -> tuple[Admin, str]:
    """Without a controller manager: it would collect what has an owner that does not exist."""
    return own_plane.admin, "default"


@pytest.mark.parametrize(
    ("kind", "how"), [*((kind, Applied) for kind in EVERY_KIND), *((kind, Made) for kind in CREATED)]
)
@live_examples
@given(data=st.data())
def test_what_was_applied_needs_no_call(
    place: tuple[Admin, str], kind: str, how: type[Applied], data: st.DataObject
) -> None:
    wanted = data.draw(EVERY_KIND[kind])
    applied = applied_or_refused(*place, wanted, how)
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


WANTED: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "engine", "labels": {"app": "x"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "x"}},
        "template": {
            "metadata": {"labels": {"app": "x"}},
            "spec": {
                "nodeSelector": {"gpu": "yes"},
                "containers": [
                    {
                        "name": "engine",
                        "image": "e:1",
                        "args": ["--a", "--b"],
                        "env": [{"name": "A", "value": "1000m"}, {"name": "B", "value": "2"}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
                    }
                ],
            },
        },
    },
}
CONTAINER = ("spec", "template", "spec", "containers", 0)


def changed(obj: Json, place: tuple[Any, ...], value: Any) -> Json:
    after = copy.deepcopy(obj)
    *above, last = place
    holder: Any = after
    for name in above:
        holder = holder[name]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return after


FOREIGN_CHANGES = {
    "a scalar": (("spec", "replicas"), 5),
    "a label of ours": (("metadata", "labels", "app"), "y"),
    "an image": ((*CONTAINER, "image"), "e:2"),
    "a list that is one value": ((*CONTAINER, "args"), ["--a", "--b", "--c"]),
    "a member of a list by key": ((*CONTAINER, "env", 0, "value"), "1"),
    "a quantity": ((*CONTAINER, "resources", "limits", "cpu"), "2"),
    "a map that is one value, extended": (
        ("spec", "template", "spec", "nodeSelector"),
        {"gpu": "yes", "a": "b"},
    ),
    "a field that is removed": (("metadata", "labels", "app"), None),
    "an item that is removed": ((*CONTAINER, "env", 1), None),
}


@pytest.mark.parametrize("how", [Applied, Made])
@pytest.mark.parametrize(("at", "value"), FOREIGN_CHANGES.values(), ids=FOREIGN_CHANGES)
def test_what_somebody_else_changed_needs_a_call(
    place: tuple[Admin, str], at: tuple[Any, ...], value: Any, how: type[Applied]
) -> None:
    """As kubectl edit and most controllers write: an update of the whole object."""
    admin, namespace = place
    applied = how(admin, namespace, WANTED)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{applied.name}"
    applied.live = admin.request("PUT", path, changed(applied.live, at, value))
    assert applied.differences(WANTED)
    applied.apply(WANTED)
    assert applied.differences(WANTED) == ()
    applied.remove()


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("metadata", "labels", "theirs"), "1"),
        (("metadata", "annotations"), {"deployment.kubernetes.io/revision": "7"}),
        (("spec", "progressDeadlineSeconds"), 77),
        ((*CONTAINER, "terminationMessagePath"), "/x"),
    ],
    ids=["a label", "an annotation", "a field", "a field in a list by key"],
)
@pytest.mark.parametrize("how", [Applied, Made])
def test_what_somebody_else_adds_needs_no_call(
    place: tuple[Admin, str], at: tuple[Any, ...], value: Any, how: type[Applied]
) -> None:
    admin, namespace = place
    applied = how(admin, namespace, WANTED)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{applied.name}"
    applied.live = admin.request("PUT", path, changed(applied.live, at, value))
    assert applied.differences(WANTED) == ()
    applied.remove()


@pytest.mark.parametrize("kind", CREATED)
@settings(live_examples, max_examples=8)
@given(data=st.data())
def test_what_was_made_becomes_what_is_applied(
    place: tuple[Admin, str], kind: str, data: st.DataObject
) -> None:
    """From any intent to a part of it, or to any other, as if it had been applied from the beginning; or as
    if it were applied for the first time, which leaves no defaults that hung on what is wanted no more.
    """
    before = data.draw(EVERY_KIND[kind])
    after = data.draw(st.one_of(without_a_part(before), EVERY_KIND[kind]).filter(lambda one: one != before))
    made = applied_or_refused(*place, before, Made)
    applied = applied_or_refused(*place, before)
    try:
        assert made.differences(after), "another intent is applied in any case"
        ends = [end_of(one, after) for one in (made, applied)]
    finally:
        made.remove()
        applied.remove()
    if ends[0] != ends[1]:
        fresh = applied_or_refused(*place, after)
        try:
            assert ends[0] == end_of(fresh, after)
        finally:
            fresh.remove()


def end_of(one: Applied, wanted: Json) -> Any:
    """What it is once that is wanted, whose it is, and whether it counts as made; a refusal's status."""
    try:
        one.apply(wanted)
    except ApiError as error:
        event(f"change refused with {error.status}")
        return error.status
    assert one.differences(wanted) == (), text(one.differences(wanted))
    return without_names(one), owned_fields(one.live, MANAGER), is_made(one.live, MANAGER)


def test_an_object_that_was_never_applied_by_us_needs_a_call(place: tuple[Admin, str]) -> None:
    admin, namespace = place
    wanted = {**WANTED, "metadata": {"name": "foreign", "namespace": namespace}}
    live = admin.create(wanted, namespace)
    assert text(differences(live, wanted, MANAGER)) == f"{MANAGER} never applied it"
    admin.delete("apps/v1", "Deployment", "foreign", namespace)


CRD: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "samples.test.pointsman.dev"},
    "spec": {
        "group": "test.pointsman.dev",
        "scope": "Namespaced",
        "names": {"kind": "Sample", "plural": "samples", "singular": "sample"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "size": {"x-kubernetes-int-or-string": True},
                                    "mode": {"type": "string", "default": "quick"},
                                    "parts": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "properties": {
                                                "name": {"type": "string"},
                                                "level": {"type": "integer", "default": 3},
                                            },
                                        },
                                    },
                                    "tags": {
                                        "type": "array",
                                        "items": {"type": "string"},
                                        "x-kubernetes-list-type": "set",
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def samples(own_plane: ControlPlane) -> Iterator[Admin]:
    """A plane with a custom resource that has defaults inside a list without keys."""
    admin = own_plane.admin
    admin.apply(CRD)
    established = "Established"
    admin.wait_for(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "samples.test.pointsman.dev",
        until=lambda crd: any(
            condition["type"] == established and condition["status"] == "True"
            for condition in crd.get("status", {}).get("conditions") or ()
        ),
    )
    yield admin
    admin.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "samples.test.pointsman.dev")


def sample(**spec: Any) -> Json:
    return {"apiVersion": "test.pointsman.dev/v1", "kind": "Sample", "metadata": {"name": "s"}, "spec": spec}


def test_a_custom_resources_values_are_compared_as_they_are_written(samples: Admin) -> None:
    applied = Applied(samples, "default", sample(size="1000m", tags=["a", "b"]))
    assert applied.differences(sample(size="1000m", tags=["b", "a"])) == ()
    assert text(applied.differences(sample(size="1", tags=["a", "b"]))) == (
        'spec.size: "1" is wanted, "1000m" is there'
    )
    assert text(applied.differences(sample(size="1000m", tags=["a"]))) == (
        'spec.tags."b": it is ours and no longer wanted'
    )


def test_a_default_that_no_table_knows_costs_one_call_and_not_one_each_time(samples: Admin) -> None:
    wanted = sample(parts=[{"name": "a"}])
    applied = Applied(samples, "default", wanted)
    settled = Settled()
    assert settled.open_differences(applied.live, wanted, MANAGER)
    assert settled.applied(applied.apply(wanted), wanted, MANAGER)
    assert settled.open_differences(applied.live, wanted, MANAGER) == ()
    # Another intent is looked at anew, also one that wants less.
    assert settled.open_differences(applied.live, sample(parts=[]), MANAGER)
    assert settled.open_differences(applied.live, sample(parts=[{"name": "b"}]), MANAGER)
    # What somebody else changes is not covered by what was left.
    path = f"/apis/test.pointsman.dev/v1/namespaces/default/samples/{applied.name}"
    foreign = samples.request("PUT", path, changed(applied.live, ("spec", "parts", 0, "level"), 9))
    assert settled.open_differences(foreign, wanted, MANAGER)
