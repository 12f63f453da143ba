"""The API server killed, paused and emptied of its past while an informer watches and a writer writes."""

from __future__ import annotations

import asyncio
import time

import psutil
import pytest

from pointsman.api.meta import ObjectKey
from pointsman.kube.connection import Connection, ConnectionSettings
from pointsman.kube.informer import Informer
from pointsman.kube.objects import CONFIG_MAP
from pointsman.kube.ports import Selection
from pointsman.kube.reader import KubeReader
from pointsman.kube.retrying import Retries
from pointsman.kube.writer import KubeWriter
from tests.integration.kube.conftest import straight
from tests.integration.kube.following import HASTY, following
from tests.support.cluster.control_plane import ControlPlane
from tests.support.kube_objects import config_map
from tests.support.polling import eventually_async

LABELS = {"watched": "yes"}
WATCHED = Selection(CONFIG_MAP, "default", labels="watched=yes")
# Long enough to outlast the API server's restart.
PATIENT = ConnectionSettings(answer_seconds=10.0, retries=Retries(attempts=200, longest_seconds=1.0))


def marked(name: str, value: str = "") -> dict[str, object]:
    return config_map(name, labels=LABELS, data={"value": value})


async def test_a_killed_api_server_is_waited_for_by_readers_and_writers(own_plane: ControlPlane) -> None:
    own_plane.admin.create(marked("before"))
    async with (
        Connection(straight(own_plane), PATIENT) as connection,
        following(KubeReader(connection), WATCHED) as follower,
    ):
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
        api_server = own_plane.component("kube-apiserver")
        await asyncio.to_thread(api_server.kill)
        writing = asyncio.ensure_future(KubeWriter(connection).apply(marked("during"), "test"))
        await follower.until(lambda: follower.informer.problem is not None, "the loss is seen")
        assert follower.names == {"before"}, "what was known stays known"
        api_server.start()
        assert (await asyncio.wait_for(writing, 90))["metadata"]["name"] == "during"
        await follower.until(lambda: follower.told == ["+before", "+during"], "it follows again", 60)
        own_plane.admin.delete("v1", "ConfigMap", "before")
        own_plane.admin.delete("v1", "ConfigMap", "during")
        await follower.until(lambda: follower.names == set(), "it goes on", 60)


async def test_what_went_while_the_past_was_compacted_is_found_by_a_new_list(own_plane: ControlPlane) -> None:
    """The API server restarts without its memory of changes, and etcd has forgotten them: 410."""
    for name in ("kept", "deleted"):
        own_plane.admin.create(marked(name))
    async with (
        Connection(straight(own_plane), PATIENT) as connection,
        following(KubeReader(connection), WATCHED) as follower,
    ):
        await asyncio.wait_for(follower.informer.synced.wait(), 30)
        own_plane.component("kube-apiserver").pause()
        await follower.until(lambda: follower.informer.age_seconds > 0.5, "nothing arrives any more")
        # Behind the paused API server's back, as another API server of the cluster would.
        await asyncio.to_thread(own_plane.component("kube-apiserver").kill)
        await asyncio.to_thread(delete_and_forget, own_plane)
        await follower.until(lambda: "-deleted" in follower.told, "the deletion is found", 60)
        assert follower.names == {"kept"}
        assert "-kept" not in follower.told
    own_plane.admin.delete("v1", "ConfigMap", "kept")


def delete_and_forget(plane: ControlPlane) -> None:
    plane.component("kube-apiserver").start()
    plane.wait_ready()
    plane.admin.delete("v1", "ConfigMap", "deleted")
    plane.compact_etcd()
    plane.restart_api_server()


async def test_a_paused_api_server_ages_the_store_and_is_found(own_plane: ControlPlane) -> None:
    """Connections stay open and nothing answers: no error arrives, only silence."""
    async with (
        Connection(straight(own_plane), HASTY) as connection,
        following(KubeReader(connection), WATCHED) as follower,
    ):
        informer = follower.informer
        await asyncio.wait_for(informer.synced.wait(), 30)
        own_plane.component("kube-apiserver").pause()
        try:
            await follower.until(lambda: informer.problem is not None, "the silence is found")
            await follower.until(lambda: informer.age_seconds > 3.0, "the age grows")
        finally:
            own_plane.component("kube-apiserver").resume()
        own_plane.admin.create(marked("after"))
        await follower.until(lambda: follower.told == ["+after"], "it follows again", 30)
        await follower.until(lambda: informer.age_seconds < 3.0, "it is young again")
    own_plane.admin.delete("v1", "ConfigMap", "after")


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_ten_thousand_objects_are_listed_and_followed(
    own_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    """Time and memory are printed; what is asserted is that every object and every change arrives."""
    objects = 10_000
    async with Connection(straight(own_plane)) as connection:
        writer = KubeWriter(connection)
        filler = "x" * 1500

        def numbered(number: int, value: str) -> dict[str, object]:
            data = {"filler": filler, "value": value}
            return config_map(f"many-{number}", labels={"many": "yes"}, data=data)

        began, cpu = time.perf_counter(), time.process_time()
        for start in range(0, objects, 500):
            await asyncio.gather(
                *(writer.apply(numbered(number, "1"), "test") for number in range(start, start + 500))
            )
        wrote, wrote_cpu = time.perf_counter() - began, time.process_time() - cpu

        before = psutil.Process().memory_info().rss
        told = 0

        def count(_old: object, _new: object) -> None:
            nonlocal told
            told += 1

        informer = Informer(KubeReader(connection), Selection(CONFIG_MAP, "default", "many=yes"), count)
        began, cpu = time.perf_counter(), time.process_time()
        running = asyncio.ensure_future(informer.run())
        await asyncio.wait_for(informer.synced.wait(), 60)
        listed, listed_cpu = time.perf_counter() - began, time.process_time() - cpu
        grown = (psutil.Process().memory_info().rss - before) / 2**20
        assert told == len(informer.store) == objects

        await asyncio.gather(*(writer.apply(numbered(number, "2"), "test") for number in range(1000)))
        await eventually_async(lambda: told == objects + 1000, 30, "every change arrives")
        assert informer.store[ObjectKey("default", "many-999")]["data"]["value"] == "2"
        running.cancel()
    with capsys.disabled():
        print(
            f"\n{objects} applies: {wrote:.1f} s, {wrote_cpu / objects * 1e6:.0f} µs CPU each; "
            f"list: {listed:.2f} s, {listed_cpu:.2f} s CPU, {grown:.0f} MiB"
        )
