"""A plan is carried out: what differs is written, what should go is deleted, and nothing else is called.

Who else writes a field of ours loses it once. If they take it again, they keep it, and the contest is said:
two controllers that put a field back for ever would write for ever.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from pointsman.api import ObjectKey
from pointsman.controller.children import Children
from pointsman.controller.modeldeployment.snapshot import Contest
from pointsman.controller.plan import Plan
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.errors import Conflict, NotFound
from pointsman.kube.objects import Kind, KubeObject, key_of, kind_of, uid_of
from pointsman.kube.ports import Writer
from pointsman.kube.settled import Settled

MANAGER = "pointsman-operator"
"""Our field manager: whose are all children, and every status but its `scaling`."""

_TRUCE_SECONDS = 3600.0
"""Who takes a field again within an hour of losing it is another controller, and no slip of a hand."""


class Statuses(Protocol):
    """The objects whose statuses are written."""

    def get(self, key: ObjectKey) -> KubeObject | None: ...

    def wrote(self, answer: KubeObject) -> None: ...


class Actor:
    """Writes for one leader. `children` hears of each write at once."""

    def __init__(self, writer: Writer, children: Children, clock: Clock = elapsed_seconds) -> None:
        self._writer = writer
        self._children = children
        self._clock = clock
        self._settled = Settled()
        self._put_back: dict[tuple[str, str, str], float] = {}
        self._contests: dict[ObjectKey, dict[Contest, None]] = {}

    def contests(self, owner: ObjectKey) -> tuple[Contest, ...]:
        """The fields of an owner's children that somebody else keeps."""
        return tuple(sorted(self._contests.get(owner, ())))

    async def act(self, plan: Plan, owner: ObjectKey, primaries: Statuses) -> bool:
        """Carry a plan out; True if contests began or ended, so that the owner should be looked at again.

        `primaries` holds the object that the status belongs to. Raises KubeError for what is to be tried
        again.
        """
        before = self.contests(owner)
        contested: dict[Contest, None] = {}
        for wanted in plan.apply:
            for contest in await self._apply(wanted):
                contested[contest] = None
        for doomed in plan.delete:
            await self._writer.delete(doomed.kind, doomed.key, doomed.uid)
            self._children.deleted(doomed.kind, doomed.key, doomed.uid)
        if contested:
            self._contests[owner] = contested
        else:
            self._contests.pop(owner, None)
        if plan.status is not None:
            await self._status(primaries, owner, plan.status)
        return self.contests(owner) != before

    def forget(self, owner: ObjectKey) -> None:
        """The owner is gone."""
        self._contests.pop(owner, None)

    async def _apply(self, wanted: KubeObject) -> Iterable[Contest]:
        kind = kind_of(wanted)
        live = self._children.get(kind, key_of(wanted))
        if not self._settled.open_differences(live, wanted, MANAGER):
            return ()
        try:
            answer = await self._writer.apply(wanted, MANAGER)
        except Conflict as conflict:
            if not conflict.managers:
                raise
            contests = self._contested(kind, wanted, live, conflict)
            if contests:
                return contests
            answer = await self._writer.apply(wanted, MANAGER, force=True)
        self._children.wrote(kind, answer)
        self._settled.applied(answer, wanted, MANAGER)
        return ()

    def _contested(
        self, kind: Kind, wanted: KubeObject, live: KubeObject | None, conflict: Conflict
    ) -> tuple[Contest, ...]:
        """The fields that were put back before; those that were not are noted as put back now."""
        now = self._clock()
        contests = []
        for manager, field in zip(conflict.managers, conflict.fields, strict=True):
            place = (uid_of(live or {}), manager, field)
            at = self._put_back.get(place)
            if at is not None and now - at < _TRUCE_SECONDS:
                contests.append(Contest(f"{kind.kind} {key_of(wanted).name}", manager, field.lstrip(".")))
            else:
                self._put_back[place] = now
        self._put_back = {place: at for place, at in self._put_back.items() if now - at < _TRUCE_SECONDS}
        return tuple(contests)

    async def _status(self, primaries: Statuses, owner: ObjectKey, wanted: KubeObject) -> None:
        live = primaries.get(owner)
        if live is None or not self._settled.open_differences(live, wanted, MANAGER, subresource="status"):
            return
        with suppress(NotFound):  # it was deleted while we looked
            answer = await self._writer.apply_status(wanted, MANAGER)
            self._settled.applied(answer, wanted, MANAGER, subresource="status")
            primaries.wrote(answer)
