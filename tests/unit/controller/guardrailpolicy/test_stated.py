"""Policies of the fleet settings are kept whatever goes wrong with one of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import GuardrailPolicySpec
from pointsman.controller.guardrailpolicy.stated import keep_stated
from pointsman.kube.errors import Invalid, LeadershipLost, Unavailable
from pointsman.kube.objects import Kind, KubeObject
from pointsman.kube.ports import Chunk, Selection
from tests.support.policies import rule

_SPEC = GuardrailPolicySpec.model_validate({"rules": [rule("OWN-1")]})


class Cluster:
    """A former policy is there; writes of these names fail so often, with these errors."""

    def __init__(self, **failing: list[Exception]) -> None:
        self.failing = failing
        self.written: list[str] = []
        self.deleted: list[str] = []
        self.waits: list[float] = []

    async def apply(self, obj: KubeObject, manager: str, *, force: bool = False) -> KubeObject:
        name = obj["metadata"]["name"]
        errors = self.failing.get(name)
        if errors:
            raise errors.pop(0)
        self.written.append(name)
        return obj

    async def chunks(self, selection: Selection, size: int = 100) -> AsyncGenerator[Chunk, None]:
        former = {"metadata": {"name": "former", "uid": "1"}}
        yield Chunk((former,), "1")

    async def delete(self, kind: Kind, key: ObjectKey, uid: str = "") -> bool:
        self.deleted.append(key.name)
        return True

    async def slept(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def keep(self, *names: str) -> None:
        cluster: Any = self
        await keep_stated(cluster, cluster, dict.fromkeys(names, _SPEC), self.slept)


@pytest.mark.asyncio
async def test_one_that_cannot_be_written_holds_up_no_other_and_is_tried_again() -> None:
    cluster = Cluster(a=[Invalid("no"), Unavailable("not now")])

    await cluster.keep("a", "b")

    assert cluster.written[0] == "b"
    assert cluster.written[-2:] == ["a", "b"]
    assert set(cluster.deleted) == {"former"}
    assert len(cluster.waits) == 2


@pytest.mark.asyncio
async def test_who_leads_no_more_ends() -> None:
    with pytest.raises(LeadershipLost):
        await Cluster(a=[LeadershipLost("gone")]).keep("a")
