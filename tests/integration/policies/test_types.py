"""The API server's own checker has nothing to say against any rule of any pack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from pointsman.policy.native import validating
from pointsman.policy.packs import shipped_library
from tests.support.cluster.admin import Admin
from tests.support.policies import compiled
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("definitions")

_VAP = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")


@pytest.fixture
def written(admin: Admin) -> Iterator[list[str]]:
    """Every pack's policies, without a binding: in force for nobody."""
    packs = [{"name": name} for name in shipped_library().packs]
    policy = compiled({"mode": "enforce", "packs": packs}, name="typed")
    made = [one for one in validating(policy, datetime.now(UTC)) if one["kind"] == _VAP[1]]
    for manifest in made:
        admin.create(manifest)
    yield [manifest["metadata"]["name"] for manifest in made]
    for manifest in made:
        admin.delete(*_VAP, manifest["metadata"]["name"])


def test_no_rule_earns_a_warning(admin: Admin, written: list[str]) -> None:
    warnings: list[Any] = []
    for name in written:
        checked = eventually(partial(_typing, admin, name), 60, "it is checked")
        warnings += checked.get("typeChecking", {}).get("expressionWarnings", [])

    assert warnings == []


def _typing(admin: Admin, name: str) -> Any:
    status = admin.get(*_VAP, name).get("status") or {}
    return status if status.get("observedGeneration") else None
