"""The informer before a real API server that goes away, hangs, forgets, lies still and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from pointsman.api.meta import ObjectKey
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Access
from pointsman.kube.errors import Forbidden, Gone, KindNotServed
from pointsman.kube.objects import CONFIG_MAP, POD_MONITOR, Kind, KubeObject, uid_of
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from pointsman.kube.writer import KubeWriter
from tests.integration.kube.conftest import FixedAccess, straight, through
from tests.integration.kube.following import HASTY, following
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.faults import FaultProxy, refuse
from tests.support.kube_objects import config_map

LABELS = {"watched": "yes"}


@pytest.fixture
async def troubled(proxy: FaultProxy, control_plane: ControlPlane) -> AsyncIterator[KubeReader]:
    """A reader by way of the proxy, for which a second of silence is a dead watch."""
    async with Connection(through(proxy, control_plane), HASTY) as opened:
        yield KubeReader(opened)


def watched(namespace: str) -> Selection:
    return Selection(CONFIG_MAP, namespace, labels="watched=yes")


def marked(name: str, namespace: str, value: str = "") -> dict[str, object]:
    return config_map(name, namespace, labels=LABELS, data={"value": value})


async def test_it_tells_what_is_there_and_what_changes(
    reader: KubeReader, writer: KubeWriter, namespace: str
) -> None:
    await writer.apply(marked("old", namespace), "test")
    await writer.apply(config_map("unlabelled", namespace), "test")
    async with following(reader, watched(namespace)) as follower:
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
        assert follower.told == ["+old"]
        await writer.apply(marked("new", namespace), "test")
        await writer.apply(marked("old", namespace, "changed"), "test")
        await writer.delete(CONFIG_MAP, ObjectKey(namespace, "new"))
        await follower.until(lambda: "-new" in follower.told, "the deletion is told")
        assert follower.told == ["+old", "+new", "=old", "-new"]
        # Losing the label is leaving.
        await writer.merge(CONFIG_MAP, ObjectKey(namespace, "old"), {"metadata": {"labels": None}})
        await follower.until(lambda: follower.told[-1] == "-old", "leaving the selection is told")
        assert follower.informer.age_seconds < 10


async def test_a_listener_that_fails_stops_nobody(
    reader: KubeReader, writer: KubeWriter, namespace: str
) -> None:
    def fails(_old: KubeObject | None, _new: KubeObject | None) -> None:
        raise ValueError("a mistake")

    async with following(reader, watched(namespace)) as follower:
        follower.informer.listen(fails)
        await writer.apply(marked("one", namespace), "test")
        await writer.apply(marked("two", namespace), "test")
        await follower.until(lambda: follower.told == ["+one", "+two"], "both are told")


async def test_what_it_missed_is_told_after_a_new_list_deletions_too(
    troubled: KubeReader, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    for name in ("kept", "deleted", "replaced", "changed"):
        admin.create(marked(name, namespace), namespace)
    async with following(troubled, watched(namespace)) as follower:
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
        await follower.until(lambda: proxy.watches.open, "the watch is open")
        before = follower.informer.store[ObjectKey(namespace, "replaced")]
        # While it cannot watch, the world goes on; then the version is too old.
        proxy.inject(refuse(503), times=10**6, path="watch=1")
        proxy.cut_watches()
        admin.delete("v1", "ConfigMap", "deleted", namespace)
        admin.delete("v1", "ConfigMap", "replaced", namespace)
        admin.create(marked("replaced", namespace), namespace)
        admin.apply(marked("changed", namespace, "1"), namespace, force=True)
        admin.create(marked("added", namespace), namespace)
        follower.told.clear()
        proxy.heal()
        proxy.inject(refuse(410), times=1, path="watch=1")
        await follower.until(lambda: "-deleted" in follower.told, "the deletion is found")
        assert sorted(follower.told) == ["+added", "+replaced", "-deleted", "-replaced", "=changed"]
        assert follower.told.index("-replaced") < follower.told.index("+replaced")
        after = follower.informer.store[ObjectKey(namespace, "replaced")]
        assert uid_of(before) != uid_of(after)


async def test_a_watch_that_is_cut_goes_on_where_it_was(
    control_plane: ControlPlane, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    # Watches that were silent again and again are followed by a list, which is another test's.
    patient = replace(HASTY, silence_seconds=60.0)
    async with (
        Connection(through(proxy, control_plane), patient) as connection,
        following(KubeReader(connection), watched(namespace)) as follower,
    ):
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
        await follower.until(lambda: proxy.watches.open, "the watch is open")
        proxy.cut_watches()
        admin.create(marked("one", namespace), namespace)
        await follower.until(lambda: follower.told == ["+one"], "it is told once")
        assert proxy.count("GET", "limit=") == 1, "nothing was listed anew"


async def test_a_watch_that_ends_in_the_middle_of_a_line_loses_nothing(
    troubled: KubeReader, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    async with following(troubled, watched(namespace)) as follower:
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
        await follower.until(lambda: proxy.watches.open, "the watch is open")
        proxy.watches.cut_in_next_line = True
        admin.create(marked("one", namespace, "x" * 5000), namespace)
        await follower.until(lambda: follower.told == ["+one"], "it is told once, from the next watch")
        assert not proxy.watches.cut_in_next_line


async def test_a_silent_watch_is_found_and_its_age_is_honest(
    troubled: KubeReader, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    async with following(troubled, watched(namespace)) as follower:
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
        await follower.until(lambda: proxy.watches.open, "the watch is open")
        proxy.watches.is_silent = True
        proxy.inject(refuse(503), times=10**6)
        admin.create(marked("one", namespace), namespace)
        # No connection breaks: only the silence says that something is wrong.
        await follower.until(lambda: follower.informer.age_seconds > 2.5, "the age grows")
        await follower.until(lambda: follower.informer.problem is not None, "it says that something is wrong")
        assert follower.told == []
        proxy.heal()
        await follower.until(lambda: follower.told == ["+one"], "it is told once the watch lives again")
        await follower.until(lambda: follower.informer.age_seconds < 2.5, "its age is that of what it heard")
        await follower.until(lambda: follower.informer.problem is None, "it says that nothing is wrong")


async def test_a_quiet_kind_is_no_failure_and_is_listed_anew_now_and_then(
    troubled: KubeReader, proxy: FaultProxy, namespace: str
) -> None:
    """Of a kind of which nothing changes the API server sends nothing, not even bookmarks."""
    ages: list[float] = []
    async with following(troubled, watched(namespace)) as follower:
        informer = follower.informer
        await asyncio.wait_for(informer.synced.wait(), 30)

        def requests(of: str) -> int:
            ages.append(informer.age_seconds)
            assert informer.problem is None
            return proxy.count("GET", of)

        with capture_logs() as logs:
            await follower.until(lambda: requests("watch=1") >= 4, "it is watched again and again")
            assert proxy.count("GET", "limit=") == 1
            await follower.until(lambda: requests("limit=") == 2, "it is listed anew")
        assert logs == []
        # Each new watch says that nothing has changed.
        assert sum(later < earlier for earlier, later in pairwise(ages)) >= 3


async def test_where_watches_fail_and_lists_do_not_it_goes_on_by_listing(
    troubled: KubeReader, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    async with following(troubled, watched(namespace)) as follower:
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
        await follower.until(lambda: proxy.watches.open, "the watch is open")
        proxy.inject(refuse(500), times=10**6, path="watch=1")
        proxy.cut_watches()
        admin.create(marked("one", namespace), namespace)
        await follower.until(lambda: follower.told == ["+one"], "it is found by a list")
        await follower.until(lambda: follower.informer.problem is not None, "it says that watches fail")


async def test_refusals_are_waited_out_and_the_server_is_not_hammered(
    troubled: KubeReader, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    proxy.inject(refuse(429, retry_after="1"), times=2)
    began = time.monotonic()
    async with following(troubled, watched(namespace)) as follower:
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
    assert time.monotonic() - began >= 2.0
    assert proxy.count("GET", "limit=", forwarded=False) == 2


async def test_a_kind_that_is_not_installed_is_waited_for_and_said_once(
    own_plane: ControlPlane,
) -> None:
    tries: list[str] = []
    async with (
        Connection(straight(own_plane), observer=lambda _method, path, *_: tries.append(path)) as connection,
        following(KubeReader(connection), Selection(POD_MONITOR)) as follower,
    ):
        informer = follower.informer
        with capture_logs() as logs:
            await follower.until(lambda: len(tries) > 3, "it is asked for again and again")
        assert [line["event"] for line in logs] == ["informer.waits"]
        assert isinstance(informer.problem, KindNotServed)
        assert not informer.synced.is_set()
        own_plane.admin.apply(crd(POD_MONITOR))
        await asyncio.wait_for(informer.synced.wait(), 30)
        await follower.until(lambda: informer.problem is None, "it is there")
    own_plane.admin.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", POD_MONITOR.resource)


async def test_what_may_not_be_read_is_waited_for(control_plane: ControlPlane) -> None:
    nobody = control_plane.access("nobody")
    access = FixedAccess(Access(server=nobody.server, tls=nobody.tls_context()))
    async with (
        Connection(access) as connection,
        following(KubeReader(connection), Selection(CONFIG_MAP)) as follower,
    ):
        await follower.until(lambda: isinstance(follower.informer.problem, Forbidden), "it is refused")


async def test_a_list_that_expires_between_two_chunks_is_begun_anew(
    troubled: KubeReader, proxy: FaultProxy, admin: Admin, namespace: str
) -> None:
    for number in range(5):
        admin.create(marked(f"c{number}", namespace), namespace)

    async def chunked() -> list[KubeObject]:
        return [obj async for chunk in troubled.chunks(watched(namespace), size=2) for obj in chunk.items]

    proxy.inject(refuse(410), path="continue=")
    with pytest.raises(Gone):
        await chunked()
    found = await chunked()
    assert len(found) == 5
    assert {obj["kind"] for obj in found} == {"ConfigMap"}


def crd(kind: Kind) -> dict[str, object]:
    version = kind.api_version.partition("/")[2]
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
