"""Defaults that a policy sets: visible at once, and nothing to set the second time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pointsman.policy.native import mutating
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import APPLY
from tests.support.policies import compiled
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("definitions")

Json = dict[str, Any]


@pytest.fixture
def in_force(admin: Admin, namespace: str) -> Iterator[None]:
    """The defaults of every pack, in the test's namespace."""
    label = {"kubernetes.io/metadata.name": namespace}
    packs = [{"name": "baseline-security"}, {"name": "cost"}]
    spec = {
        "mode": "enforce",
        "appliesTo": {"namespaceSelector": {"matchLabels": label}},
        "packs": packs,
    }
    made = mutating(compiled(spec, name=namespace))
    assert made
    for manifest in made:
        admin.apply(manifest)
    eventually(lambda: _tokenless(_applied(admin, namespace, dry=True)), 60, "the defaults are set")
    yield
    for manifest in made:
        admin.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


def test_a_second_apply_changes_nothing(admin: Admin, namespace: str, in_force: None) -> None:
    first = _applied(admin, namespace)
    second = _applied(admin, namespace)

    assert _tokenless(first)
    assert second["spec"] == first["spec"]
    assert second["metadata"]["labels"] == first["metadata"]["labels"]
    assert second["metadata"]["generation"] == first["metadata"]["generation"]


def test_what_is_stated_is_left_alone(admin: Admin, namespace: str, in_force: None) -> None:
    found = _applied(admin, namespace, automountServiceAccountToken=True, dry=True)

    assert found["spec"]["automountServiceAccountToken"] is True


def _tokenless(pod: Json) -> bool:
    return pod["spec"].get("automountServiceAccountToken") is False


def _applied(admin: Admin, namespace: str, *, dry: bool = False, **spec: Any) -> Json:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "engine", "labels": {"pointsman.dev/deployment": "engine"}},
        "spec": {"containers": [{"name": "engine", "image": "example.com/engine"}], **spec},
    }
    parameters = {"fieldManager": "tests", **({"dryRun": "All"} if dry else {})}
    path = f"/api/v1/namespaces/{namespace}/pods/engine"
    found: Json = admin.request("PATCH", path, pod, content_type=APPLY, parameters=parameters)
    return found
