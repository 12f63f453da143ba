"""Bring objects to what is wanted with as few writes as there are changes.

A controller decides from a store that lags its own writes by a moment. Deciding from it again in that moment
would write everything twice; so the answer to a write stands in for the object until the store moves on.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pointsman.api.meta import ObjectKey
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.contention import Contention
from pointsman.kube.difference import Difference
from pointsman.kube.objects import Kind, KubeObject, key_of, kind_of, resource_version_of
from pointsman.kube.ports import Writer
from pointsman.kube.settled import Settled, intent_digest

# A watch lags by milliseconds; after so long it is the store that is believed, whatever we wrote.
_BELIEVED_SECONDS: Final = 10.0
_MOST: Final = 10_000
_STATUS: Final = "status"


@dataclass(frozen=True, slots=True)
class Applied:
    """A write that was made: what is there now, and what needed it."""

    obj: KubeObject
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Written:
    over: str
    answer: KubeObject
    at: float


class Applier:
    """Applies as one manager. Give its `saw` to the informers of the kinds that it writes."""

    def __init__(self, writer: Writer, manager: str, *, clock: Clock = elapsed_seconds) -> None:
        self._writer = writer
        self._manager = manager
        self._clock = clock
        self._settled = Settled()
        self._contention = Contention()
        self._written: OrderedDict[tuple[Kind, ObjectKey], _Written] = OrderedDict()

    async def apply(
        self, live: KubeObject | None, wanted: KubeObject, *, force: bool = False
    ) -> Applied | None:
        """Apply `wanted` unless `live`, as the store has it, is that already: None where nothing was written.

        With `force`, fields are taken from whoever has them, but not again and again: raises Conflict, which
        names who has which field, where somebody keeps changing it. Raises KubeError, as the port does.
        """
        return await self._bring(live, wanted, "", force)

    async def apply_status(self, live: KubeObject, wanted: KubeObject) -> Applied | None:
        """The same of the status alone, which nobody else may own."""
        return await self._bring(live, wanted, _STATUS, True)

    def current(self, kind: Kind, key: ObjectKey, live: KubeObject | None) -> KubeObject | None:
        """The object as we know it: what the store has, or what we wrote over that very version."""
        written = self._written.get((kind, key))
        if written is None:
            return live
        version = resource_version_of(live) if live is not None else ""
        if version == written.over and self._clock() - written.at < _BELIEVED_SECONDS:
            return written.answer
        del self._written[kind, key]
        return live

    def saw(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """The store moved on; a listener for informers."""
        obj = new if new is not None else old
        if obj is None:
            return
        place = kind_of(obj), key_of(obj)
        if new is None:
            self._contention.forget(place)
        written = self._written.get(place)
        if written is None:
            return
        if new is None or resource_version_of(new) == resource_version_of(written.answer):
            del self._written[place]

    async def _bring(
        self, live: KubeObject | None, wanted: KubeObject, subresource: str, force: bool
    ) -> Applied | None:
        kind, key = kind_of(wanted), key_of(wanted)
        live = self.current(kind, key, live)
        found = self._settled.open_differences(live, wanted, self._manager, subresource=subresource)
        if not found:
            return None
        if subresource:
            answer = await self._writer.apply_status(wanted, self._manager, force=force)
        else:
            answer = await self._apply((kind, key), wanted, force)
        self._settled.applied(answer, wanted, self._manager, subresource=subresource)
        over = self._over(kind, key, live)
        if resource_version_of(answer) != over:
            self._written[kind, key] = _Written(over, answer, self._clock())
            self._written.move_to_end((kind, key))
            if len(self._written) > _MOST:
                self._written.popitem(last=False)
        return Applied(answer, found)

    async def _apply(self, place: tuple[Kind, ObjectKey], wanted: KubeObject, force: bool) -> KubeObject:
        if not force:
            return await self._writer.apply(wanted, self._manager)
        intent = intent_digest(wanted)
        if not self._contention.may_force(place, intent, self._clock()):
            return await self._writer.apply(wanted, self._manager)
        answer = await self._writer.apply(wanted, self._manager, force=True)
        self._contention.forced(place, intent, self._clock())
        return answer

    def _over(self, kind: Kind, key: ObjectKey, live: KubeObject | None) -> str:
        """The version that the store has still: of two writes in a row, the one before the first."""
        written = self._written.get((kind, key))
        if written is not None:
            return written.over
        return resource_version_of(live) if live is not None else ""
