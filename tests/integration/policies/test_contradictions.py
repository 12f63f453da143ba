"""Two policies that say otherwise of one rule: the stricter wins, and both say so."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pointsman.policy.packs import shipped_library
from tests.integration.policies.saying import deployment, note_of, refusal, wait_ready, withdraw
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import OperatorProcess
from tests.support.policies import policy_for
from tests.support.polling import eventually

Json = dict[str, Any]

_API = "pointsman.dev/v1alpha1"
_OTHERS = [name for name in shipped_library().packs["cost"].rules if name != "COST-04"]


@pytest.fixture
def names(admin: Admin, namespace: str, operator: OperatorProcess) -> Iterator[tuple[str, str]]:
    """A policy that warns above 8 replicas, and one that refuses above 4."""
    made = (f"{namespace}-wide", f"{namespace}-strict")
    for name, mode, most in zip(made, ("warn", "enforce"), (8, 4), strict=True):
        pack = {"name": "cost", "exclude": _OTHERS, "parameters": {"maxReplicas": most}}
        admin.create(policy_for(namespace, name=name, mode=mode, packs=[pack]))
    for name in made:
        wait_ready(admin, name)
    yield made
    for name in made:
        withdraw(admin, name)


def test_the_stricter_wins_and_both_say_so(admin: Admin, namespace: str, names: tuple[str, str]) -> None:
    wide, strict = names

    refused = partial(refusal, admin, deployment("chat", replicas=6), namespace)
    eventually(lambda: "more than 4 replicas" in refused(), 60, "it is refused")
    said = eventually(partial(note_of, admin, wide, strict), 60, "the weaker says so")
    assert f"COST-04: maxReplicas is 8 here and 4 in policy {strict}: both hold, the stricter wins" in said
    assert f"warn here, enforce in policy {strict}, which wins" in said
    said = eventually(partial(note_of, admin, strict, wide), 60, "the stricter says so")
    assert f"COST-04: maxReplicas is 4 here and 8 in policy {wide}: both hold, the stricter wins" in said

    admin.delete(_API, "GuardrailPolicy", strict)

    eventually(lambda: strict not in note_of(admin, wide), 60, "nothing contradicts it any more")
    eventually(lambda: not refused(), 60, "nobody refuses any more")
