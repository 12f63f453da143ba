"""Our own kinds compared with a list: at the start of leading, and now and then after it.

kopf tells of objects one by one, never that it told of all; and when its watch has to begin anew it lists,
and says nothing of what went meanwhile. An object that is gone and still held would have its children made
again for ever.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Protocol

import structlog

from pointsman.api import ObjectKey
from pointsman.controller.children import is_newer
from pointsman.controller.primaries import Primaries
from pointsman.kube.errors import KindNotServed, KubeError
from pointsman.kube.objects import Kind, KubeObject, key_of
from pointsman.kube.ports import Chunk, Selection

_EVERY_SECONDS = 300.0
"""A list of a thousand objects is some megabytes; what it finds comes of trouble, and is borne that long."""

_TRY_AGAIN_SECONDS = 5.0

Saw = Callable[[Kind, KubeObject, bool], object]


class Lister(Protocol):
    """What is needed of a Reader."""

    async def get(self, kind: Kind, key: ObjectKey) -> KubeObject | None: ...

    def chunks(self, selection: Selection) -> AsyncGenerator[Chunk, None]: ...


class Comparison:
    """`saw` is told what the watch should have told, `served_changed` that other kinds are served now."""

    def __init__(
        self,
        reader: Lister,
        primaries: Sequence[Primaries],
        namespaces: Sequence[str],
        saw: Saw,
        served_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.unserved: frozenset[Kind] = frozenset()
        """Kinds whose definitions were not installed at the last look: they have no objects."""
        self._served_changed = served_changed
        self._reader = reader
        self._primaries = primaries
        self._namespaces = tuple(namespaces) or ("",)
        self._saw = saw
        self._log = structlog.get_logger("comparison")

    async def run(self) -> None:
        """Compare now and then, until cancelled."""
        while True:
            await asyncio.sleep(_TRY_AGAIN_SECONDS if self.unserved else _EVERY_SECONDS)
            try:
                await self.once()
            except KubeError as error:
                self._log.warning("not_compared", why=str(error))

    async def first(self) -> None:
        """Compare, as often as it takes until there is a list of each kind that is served."""
        while True:
            unserved = self.unserved
            try:
                await self.once()
                # A proxy may answer so for a moment: it must say it twice.
                if self.unserved <= unserved:
                    return
            except KubeError as error:
                self._log.warning("not_compared", why=str(error))
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def once(self) -> None:
        """Raises KubeError where there is no list."""
        unserved = set()
        for primaries in self._primaries:
            try:
                await self._once_of(primaries)
            except KindNotServed as error:
                unserved.add(primaries.kind)
                if primaries.kind not in self.unserved:
                    self._log.warning("not_served", why=str(error))
        before, self.unserved = self.unserved, frozenset(unserved)
        if self.unserved != before:
            self._served_changed()

    async def _once_of(self, primaries: Primaries) -> None:
        held = frozenset(primaries)
        listed: set[ObjectKey] = set()
        for namespace in self._namespaces:
            async with aclosing(self._reader.chunks(Selection(primaries.kind, namespace))) as chunks:
                async for chunk in chunks:
                    listed.update(self._compare(primaries, chunk.items))
        for key in held - listed:
            # Only what is still held, and still not there: the watch goes on beside this.
            known = primaries.get(key)
            if known is not None and await self._reader.get(primaries.kind, key) is None:
                self._log.info("missed", kind=primaries.kind.kind, object=str(key))
                self._saw(primaries.kind, known, True)

    def _compare(self, primaries: Primaries, found: Iterable[KubeObject]) -> Iterator[ObjectKey]:
        """Tell of what is not known, or not in this version; gives the keys of all."""
        for obj in found:
            key = key_of(obj)
            known = primaries.get(key)
            if known is None or is_newer(obj, known):
                self._saw(primaries.kind, obj, False)
            yield key
