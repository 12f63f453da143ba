"""Kinds, paths and what all objects have."""

import pytest

from pointsman.api.meta import ObjectKey
from pointsman.errors import PointsmanError
from pointsman.kube import objects
from pointsman.kube.objects import DEPLOYMENT, GUARDRAIL_POLICY, KINDS, NODE, POD, Kind


@pytest.mark.parametrize(
    ("kind", "key", "subresource", "want"),
    [
        (POD, ObjectKey("ns", "a"), "", "/api/v1/namespaces/ns/pods/a"),
        (NODE, ObjectKey("", "a"), "", "/api/v1/nodes/a"),
        (DEPLOYMENT, ObjectKey("ns", "a"), "status", "/apis/apps/v1/namespaces/ns/deployments/a/status"),
        (GUARDRAIL_POLICY, ObjectKey("", "a"), "", "/apis/pointsman.dev/v1alpha1/guardrailpolicies/a"),
        (POD, ObjectKey("n/s", "a?b"), "", "/api/v1/namespaces/n%2Fs/pods/a%3Fb"),
    ],
    ids=["core", "cluster-scoped", "a part", "ours", "no name leaves its place in the path"],
)
def test_paths(kind: Kind, key: ObjectKey, subresource: str, want: str) -> None:
    assert kind.path(key, subresource) == want


def test_every_kind_is_found_by_what_an_object_says() -> None:
    assert KINDS["apps/v1", "Deployment"] is DEPLOYMENT
    assert objects.kind_of({"apiVersion": "v1", "kind": "Pod"}) is POD
    with pytest.raises(PointsmanError, match="Thing of v9"):
        objects.kind_of({"apiVersion": "v9", "kind": "Thing"})


def test_a_resource_has_one_name_whatever_its_version() -> None:
    assert (str(DEPLOYMENT), str(POD)) == ("deployments.apps", "pods")


def test_owners() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "o", "uid": "u", "namespace": "ns"}}
    reference = objects.controller_reference(owner)
    child = {"metadata": {"ownerReferences": [{"uid": "other"}, reference]}}
    assert objects.owners_of(child) == ("other", "u")
    assert objects.controller_of(child) == "u"
    assert objects.controller_of({"metadata": {"ownerReferences": [{"uid": "other"}]}}) == ""


def test_an_object_without_anything_has_empty_everything() -> None:
    nothing: dict[str, object] = {}
    assert objects.key_of(nothing) == ObjectKey("", "")
    assert (objects.uid_of(nothing), objects.resource_version_of(nothing)) == ("", "")
    assert (objects.generation_of(nothing), objects.is_being_deleted(nothing)) == (0, False)
    assert (objects.labels_of(nothing), objects.annotations_of(nothing)) == ({}, {})


def test_selectors_are_the_same_for_the_same_labels() -> None:
    assert objects.label_selector({"b": "2", "a": "1"}, present=("z", "c")) == "a=1,b=2,c,z"


def test_null_members_are_left_out_at_any_depth() -> None:
    given = {"a": None, "b": {"c": None, "d": [{"e": None, "f": 0}]}, "g": (1, "")}
    assert objects.without_nothing(given) == {"b": {"d": [{"f": 0}]}, "g": [1, ""]}
