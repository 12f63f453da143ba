"""Whatever breaks, the store ends as the API server is, and who listened knows the same.

Time is virtual. The reader stands for an API server that keeps a log of changes, forgets its beginning,
expires lists between two chunks, and ends or breaks watches at any moment.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.api.meta import ObjectKey
from pointsman.kube.errors import Gone, Interrupted, KubeError, TooManyRequests, Unreachable
from pointsman.kube.informer import Informer
from pointsman.kube.objects import CONFIG_MAP, Kind, KubeObject, key_of, resource_version_of, uid_of
from pointsman.kube.ports import Change, Chunk, Selection, WatchEvent
from tests.support.kube_objects import seen
from tests.support.polling import eventually_async
from tests.support.virtual_time import run_in_virtual_time

NAMES = "abcde"
TROUBLES: tuple[KubeError, ...] = (
    Interrupted("broken"),
    Unreachable("away"),
    Gone("forgotten"),
    TooManyRequests("busy", retry_after_seconds=3.0),
)


class Server:
    """Objects with versions, and the log of how they came to be."""

    def __init__(self, chance: random.Random, trouble: float) -> None:
        self.objects: dict[ObjectKey, KubeObject] = {}
        self.trouble = trouble
        self._chance = chance
        self._log: list[WatchEvent] = []
        self._forgotten = 0
        self._version = 0

    def change(self) -> None:
        """One random change; now and then the past is forgotten."""
        self._version += 1
        name = self._chance.choice(NAMES)
        key = ObjectKey("default", name)
        there = self.objects.get(key)
        if there is not None and self._chance.random() < 0.4:
            gone = seen(name, str(self._version), uid=uid_of(there))
            del self.objects[key]
            self._log.append(WatchEvent(Change.DELETED, gone))
        else:
            uid = uid_of(there) if there is not None else f"{name}-{self._version}"
            obj = seen(name, str(self._version), uid=uid)
            self.objects[key] = obj
            self._log.append(WatchEvent(Change.ADDED if there is None else Change.MODIFIED, obj))
        if self._chance.random() < 0.1:
            self._forgotten = self._version - self._chance.randrange(3)

    async def get(self, _kind: Kind, key: ObjectKey) -> KubeObject | None:
        return self.objects.get(key)

    async def list(self, _selection: Selection) -> tuple[KubeObject, ...]:
        return tuple(self.objects.values())

    async def chunks(self, _selection: Selection, size: int = 2) -> AsyncGenerator[Chunk, None]:
        version = self._version
        objects = [self.objects[key] for key in sorted(self.objects)]
        size = 2
        for start in range(0, max(1, len(objects)), size):
            await self._stumble()
            yield Chunk(tuple(objects[start : start + size]), str(version))

    async def watch(
        self, _selection: Selection, resource_version: str, timeout_seconds: int
    ) -> AsyncGenerator[WatchEvent, None]:
        await self._stumble()
        after = int(resource_version)
        if after < self._forgotten:
            raise Gone("forgotten")
        yield self._bookmark(after)
        for _ in range(timeout_seconds):
            for event in tuple(self._log):
                version = int(resource_version_of(event.obj))
                if version > after:
                    after = version
                    yield event
                    await self._stumble()
            if self._chance.random() < 0.1:
                yield self._bookmark(after)
            await asyncio.sleep(self._chance.uniform(0.5, 1.5))
            await self._stumble()
            if self._chance.random() < self.trouble:
                return

    async def _stumble(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, 0.3))
        if self._chance.random() < self.trouble:
            raise self._chance.choice(TROUBLES)

    @staticmethod
    def _bookmark(version: int) -> WatchEvent:
        return WatchEvent(Change.BOOKMARK, {"metadata": {"resourceVersion": str(version)}})


class Listener:
    """Keeps what it is told, and checks that it is told in order."""

    def __init__(self) -> None:
        self.known: dict[ObjectKey, KubeObject] = {}

    def __call__(self, old: KubeObject | None, new: KubeObject | None) -> None:
        obj = new if new is not None else old
        assert obj is not None
        key = key_of(obj)
        assert self.known.get(key) is old, "what was before is what was told last"
        if new is None:
            del self.known[key]
            return
        if old is not None:
            assert uid_of(old) == uid_of(new), "another object under the name is a deletion and an addition"
            assert int(resource_version_of(old)) < int(resource_version_of(new)), "time does not go back"
        self.known[key] = new


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), trouble=st.sampled_from((0.0, 0.02, 0.2, 0.5)))
def test_the_store_ends_as_the_api_server_is(seed: int, trouble: float) -> None:
    run_in_virtual_time(lambda clock: _follow(clock, random.Random(seed), trouble))


async def _follow(clock: Callable[[], float], chance: random.Random, trouble: float) -> None:
    server = Server(chance, trouble)
    for _ in range(chance.randrange(8)):
        server.change()
    listener = Listener()
    informer = Informer(server, Selection(CONFIG_MAP), listener, clock=clock, jitter=chance.random)
    running = asyncio.ensure_future(informer.run())
    for _ in range(chance.randrange(60)):
        await asyncio.sleep(chance.uniform(0, 5))
        server.change()
    server.trouble = 0.0

    def follows() -> bool:
        return informer.synced.is_set() and dict(informer.store) == server.objects

    await eventually_async(follows, 20, "the store follows")
    assert listener.known == server.objects
    running.cancel()
    await asyncio.wait({running})
