"""As many writes as there are changes, against a real API server and a store that lags."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pointsman.api.meta import ObjectKey
from pointsman.kube.applying import Applier
from pointsman.kube.connection import Connection
from pointsman.kube.errors import Conflict
from pointsman.kube.objects import CONFIG_MAP, KubeObject
from pointsman.kube.reader import KubeReader
from pointsman.kube.writer import KubeWriter
from tests.integration.kube.conftest import straight
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.kube_objects import config_map


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """An applier, and what it wrote: method and path of each request that is no GET."""

    def __init__(self, connection: Connection, written: list[str], namespace: str) -> None:
        self.clock = Clock()
        self.applier = Applier(KubeWriter(connection), "desk", clock=self.clock)
        self.written = written
        self._namespace = namespace
        self._reader = KubeReader(connection)

    def wanted(self, **data: str) -> dict[str, object]:
        return config_map("one", self._namespace, data=data)

    async def there(self) -> KubeObject | None:
        return await self._reader.get(CONFIG_MAP, ObjectKey(self._namespace, "one"))

    async def apply(self, live: KubeObject | None, **data: str) -> bool:
        """Whether it wrote."""
        before = len(self.written)
        self.clock.now += 1.0
        applied = await self.applier.apply(live, self.wanted(**data), force=True)
        assert (applied is not None) == (len(self.written) > before)
        return applied is not None


@pytest.fixture
async def desk(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Desk]:
    written: list[str] = []

    def note(method: str, path: str, _status: int, _seconds: float) -> None:
        if method != "GET":
            written.append(f"{method} {path}")

    async with Connection(straight(control_plane), observer=note) as connection:
        yield Desk(connection, written, namespace)


async def test_what_is_there_is_not_written(desk: Desk) -> None:
    assert await desk.apply(None, a="1")
    assert not await desk.apply(await desk.there(), a="1")
    assert await desk.apply(await desk.there(), a="2")
    assert not await desk.apply(await desk.there(), a="2")


async def test_a_store_that_lags_our_own_write_causes_no_second_one(desk: Desk) -> None:
    assert await desk.apply(None, a="1")
    assert not await desk.apply(None, a="1")
    live = await desk.there()
    assert await desk.apply(live, a="2")
    assert not await desk.apply(live, a="2")
    # Two of our own before the store moves.
    assert await desk.apply(live, a="3")
    assert not await desk.apply(live, a="3")
    assert len(desk.written) == 3


async def test_a_change_by_somebody_else_is_put_back_once(desk: Desk, admin: Admin, namespace: str) -> None:
    assert await desk.apply(None, a="1")
    desk.applier.saw(None, await desk.there())
    foreign = admin.patch("v1", "ConfigMap", "one", {"data": {"a": "theirs"}}, namespace)
    assert await desk.apply(foreign, a="1")
    assert not await desk.apply(foreign, a="1")
    assert not await desk.apply(await desk.there(), a="1")


async def test_another_controller_is_not_fought_for_ever_and_named(
    desk: Desk, admin: Admin, namespace: str
) -> None:
    theirs = config_map("one", namespace, data={"a": "theirs"})
    there: KubeObject | None = None
    # The first time to bring it about, three to put it back.
    for _ in range(4):
        assert await desk.apply(there, a="ours")
        there = admin.apply(theirs, namespace, manager="argocd", force=True)
    with pytest.raises(Conflict) as caught:
        await desk.apply(there, a="ours")
    assert caught.value.managers == ("argocd",)
    assert caught.value.fields == (".data.a",)
    desk.clock.now += 601.0
    assert await desk.apply(there, a="ours"), "it is tried again after a while"


async def test_what_was_deleted_is_made_again(desk: Desk, admin: Admin, namespace: str) -> None:
    assert await desk.apply(None, a="1")
    there = await desk.there()
    admin.delete("v1", "ConfigMap", "one", namespace)
    desk.applier.saw(None, there)
    desk.applier.saw(there, None)
    assert await desk.apply(None, a="1")


async def test_the_store_is_believed_after_a_while_whatever_we_wrote(
    desk: Desk, admin: Admin, namespace: str
) -> None:
    assert await desk.apply(None, a="1")
    admin.delete("v1", "ConfigMap", "one", namespace)
    # The watch broke and the deletion was never told.
    assert not await desk.apply(None, a="1")
    desk.clock.now += 11.0
    assert await desk.apply(None, a="1")


async def test_status_is_written_once_for_each_change(desk: Desk, admin: Admin, namespace: str) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"none": "such"}}},
    }
    live = admin.create(budget, namespace)
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "Waits",
        "message": "",
        "lastTransitionTime": "2027-01-31T00:00:00Z",
    }
    wanted = {**budget, "status": {"conditions": [condition]}}
    assert await desk.applier.apply_status(live, wanted) is not None
    assert await desk.applier.apply_status(live, wanted) is None
    there = admin.get("policy/v1", "PodDisruptionBudget", "one", namespace)
    assert await desk.applier.apply_status(there, wanted) is None
    changed = {**budget, "status": {"conditions": [{**condition, "status": "True"}]}}
    assert await desk.applier.apply_status(there, changed) is not None
