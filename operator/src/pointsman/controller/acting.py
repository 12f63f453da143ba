"""A plan is carried out: what differs is written, what should go is deleted, and nothing else is called.

Who else writes a field of ours loses it once. If they take it again, they keep it, and the contest is said:
two controllers that put a field back for ever would write for ever. An object that somebody else made is
never written, whatever its name: an owner reference of ours would end it with the ModelDeployment.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

from pointsman.api import ObjectKey
from pointsman.controller.children import Children
from pointsman.controller.modeldeployment.snapshot import Contest, Obstacle
from pointsman.controller.plan import Announcement, Plan, Trimmed
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.difference import differences, is_by
from pointsman.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, KubeError, NotFound
from pointsman.kube.events import shortened
from pointsman.kube.field_paths import without_fields
from pointsman.kube.made import is_made
from pointsman.kube.objects import (
    KubeObject,
    controller_of,
    key_of,
    kind_of,
    labels_of,
    metadata,
    resource_version_of,
    uid_of,
)
from pointsman.kube.ports import Reader, Writer
from pointsman.kube.settled import Settled
from pointsman.workloads import naming

MANAGER = "pointsman-operator"
"""Our field manager: whose are all children, and every status but its `scaling`."""

TRUCE_SECONDS = 3600.0
"""Who takes a field again within an hour of losing it is another controller, and no slip of a hand."""

_LONGEST = 1024  # bytes of a refusal, as of an event's note: who refuses may say why at any length


class Statuses(Protocol):
    """The objects whose statuses are written."""

    def get(self, key: ObjectKey) -> KubeObject | None: ...

    def writing(self, wanted: KubeObject) -> AbstractContextManager[Callable[[KubeObject], None]]: ...


Announce = Callable[[KubeObject, Announcement], None]


class Blocked(KubeError):
    """`child` was not written, for a `reason` that only a person can end."""

    def __init__(self, what: str, *, child: str, **rest: Any) -> None:
        super().__init__(what, **rest)
        self.child = child


class Actor:
    """Writes for one leader. `children` hears of each write at once."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        children: Children,
        announce: Announce,
        clock: Clock = elapsed_seconds,
        truce_seconds: float = TRUCE_SECONDS,
        each_alone: bool = False,
    ) -> None:
        """`announce` is told what is said of an object, once its status says so. Who takes a field again
        within `truce_seconds` of losing it keeps it; with 0 nobody ever does. With `each_alone` a child that
        is refused holds up no other.
        """
        self._each_alone = each_alone
        self._invalid: dict[ObjectKey, frozenset[str]] = {}
        self._truce_seconds = truce_seconds
        self._announce = announce
        self._reader = reader
        self._writer = writer
        self._children = children
        self._clock = clock
        self._settled = Settled()
        self._put_back: dict[tuple[str, str, str], float] = {}
        self._contests: dict[ObjectKey, dict[Contest, None]] = {}
        self._obstacles: dict[ObjectKey, Obstacle] = {}

    def contests(self, owner: ObjectKey) -> tuple[Contest, ...]:
        """The fields of an owner's children that somebody else keeps."""
        return tuple(sorted(self._contests.get(owner, ())))

    def obstacle(self, owner: ObjectKey) -> Obstacle | None:
        """Why the last look at the owner ended before its end."""
        return self._obstacles.get(owner)

    def invalid(self, owner: ObjectKey) -> frozenset[str]:
        """The names of an owner's children that the API server would not have at the last look."""
        return self._invalid.get(owner, frozenset())

    async def act(self, plan: Plan, owner: ObjectKey, primaries: Statuses) -> bool:
        """Carry a plan out; True if contests or an obstacle began or ended, so that the owner should be
        looked at again.

        `primaries` holds the object that the status belongs to. Raises KubeError for what is to be tried
        again, once the status says it.
        """
        before = self._hindrance(owner)
        upon = primaries.get(owner) or {}
        stopped: KubeError | None = None
        try:
            await self._children_of(plan, owner)
            self._obstacles.pop(owner, None)
        except Blocked as error:
            # The later children wait, as pods do for their NetworkPolicy.
            stopped = error
            self._obstacles[owner] = Obstacle(error.reason, shortened(str(error), _LONGEST), error.child)
        if self._hindrance(owner) != before:
            return True
        if plan.status is not None:
            await self._status(primaries, owner, uid_of(upon), plan.status)
        for announcement in plan.announcements:
            self._announce(upon, announcement)
        if stopped is not None:
            raise stopped
        return False

    def _hindrance(self, owner: ObjectKey) -> tuple[object, ...]:
        """What stands in the way, without the words: who refuses may find others each time."""
        obstacle = self.obstacle(owner)
        return self.contests(owner), obstacle and (obstacle.reason, obstacle.child), self.invalid(owner)

    async def _children_of(self, plan: Plan, owner: ObjectKey) -> None:
        contested: dict[Contest, None] = {}
        blocked: list[Blocked] = []
        invalid: set[str] = set()
        untrimmed = []
        for one in plan.trim:
            try:
                await self._trim(one)
            except Blocked:
                # What is taken out may still be needed by what is about to go.
                untrimmed.append(one)
        for wanted in plan.apply:
            try:
                for contest in await self._written(wanted):
                    contested[contest] = None
            except Blocked as error:
                if not self._each_alone:
                    raise
                blocked.append(error)
                if isinstance(error.__cause__, Invalid):
                    invalid.add(key_of(wanted).name)
        for one in untrimmed:
            try:
                await self._trim(one)
            except Blocked as error:
                blocked.append(error)
        # What is there is left until it is known how to replace it.
        known = self.invalid(owner)
        if invalid <= known:
            await self._delete(plan)
        if invalid:
            self._invalid[owner] = frozenset(invalid)
        else:
            self._invalid.pop(owner, None)
        if contested:
            self._contests[owner] = contested
        else:
            self._contests.pop(owner, None)
        if blocked:
            raise blocked[0]

    async def _trim(self, one: Trimmed) -> None:
        """Take out what is not ours. Raises Blocked."""
        with suppress(NotFound), _told(f"{one.kind.kind} {one.key.name}"):
            self._children.wrote(one.kind, await self._writer.merge(one.kind, one.key, one.patch))

    async def _written(self, wanted: KubeObject) -> Iterable[Contest]:
        """Raises Blocked."""
        with _told(_called(wanted)):
            return await self._apply(wanted)

    async def _delete(self, plan: Plan) -> None:
        for doomed in plan.delete:
            await self._writer.delete(doomed.kind, doomed.key, doomed.uid)
            self._children.deleted(doomed.kind, doomed.key, doomed.uid)

    def forget(self, owner: ObjectKey) -> None:
        """The owner is gone."""
        self._contests.pop(owner, None)
        self._obstacles.pop(owner, None)
        self._invalid.pop(owner, None)

    async def _apply(self, wanted: KubeObject) -> Iterable[Contest]:
        kind = kind_of(wanted)
        live = self._children.get(kind, key_of(wanted))
        if live is not None:
            _refuse_to_share(live, wanted)
        if not self._settled.open_differences(live, wanted, MANAGER):
            return ()
        contests: tuple[Contest, ...] = ()
        try:
            answer = await (self._make(wanted) if live is None else self._change(live, wanted))
        except Conflict as conflict:
            if not conflict.managers:
                raise
            contests = self._contested(wanted, live, conflict)
            # What others keep holds up nothing else of the same object.
            wanted = without_fields(wanted, (f".{contest.field}" for contest in contests))
            if contests and not self._settled.open_differences(live, wanted, MANAGER):
                return contests
            answer = await self._writer.apply(wanted, MANAGER, force=True)
        self._children.wrote(kind, answer)
        self._settled.applied(answer, wanted, MANAGER)
        return contests

    async def _make(self, wanted: KubeObject) -> KubeObject:
        """Create what we do not know to exist. Raises Blocked where it does and is not ours."""
        try:
            with self._children.making(wanted) as made:
                answer = await self._writer.make(wanted, MANAGER)
                made(answer)
            return answer
        except AlreadyExists:
            there = await self._reader.get(kind_of(wanted), key_of(wanted))
            if there is None:
                raise
            _refuse_to_share(there, wanted)
            # Ours all the same: the answer to our write was lost, or somebody took its labels.
            if not is_by(there, MANAGER) and not controller_of(there) == controller_of(wanted) != "":
                raise _taken(wanted, "not Pointsman's") from None
            return await self._change(there, wanted) if differences(there, wanted, MANAGER) else there

    async def _change(self, live: KubeObject, wanted: KubeObject) -> KubeObject:
        """Apply over what is there, of which what is wanted no more goes."""
        if is_made(live, MANAGER):
            there = await self._reader.get(kind_of(wanted), key_of(wanted))
            if there is not None and is_made(there, MANAGER):
                await self._writer.note_as_applied(there, MANAGER)
        return await self._writer.apply(wanted, MANAGER)

    def _contested(
        self, wanted: KubeObject, live: KubeObject | None, conflict: Conflict
    ) -> tuple[Contest, ...]:
        """The fields that were put back before; those that were not are noted as put back now."""
        now = self._clock()
        contests = []
        for manager, field in zip(conflict.managers, conflict.fields, strict=True):
            place = (uid_of(live or {}), manager, field)
            at = self._put_back.get(place)
            if at is not None and now - at < self._truce_seconds:
                contests.append(Contest(_called(wanted), manager, field.lstrip(".")))
            else:
                self._put_back[place] = now
        self._put_back = {place: at for place, at in self._put_back.items() if now - at < self._truce_seconds}
        return tuple(contests)

    async def _status(self, primaries: Statuses, owner: ObjectKey, upon: str, wanted: KubeObject) -> None:
        live = primaries.get(owner)
        # The name may be another object's since children were written, which would be said to be ready.
        if live is None or uid_of(live) != upon:
            return
        if not self._settled.open_differences(live, wanted, MANAGER, subresource="status"):
            return
        # Over this version alone: it may be another's before this arrives.
        over = {"metadata": {**metadata(wanted), "resourceVersion": resource_version_of(live)}}
        with suppress(NotFound), primaries.writing(wanted) as wrote:  # it was deleted while we looked
            answer = await self._writer.apply_status({**wanted, **over}, MANAGER)
            self._settled.applied(answer, wanted, MANAGER, subresource="status")
            wrote(answer)


@contextmanager
def _told(called: str) -> Iterator[None]:
    """Raises Blocked where the API server refuses for good what is written."""
    try:
        yield
    except (Forbidden, Invalid) as error:
        raise Blocked(error.what, where=called, child=called, reason="Refused") from error


def _called(child: KubeObject) -> str:
    """Kind and name, as people say it: `Deployment chat`."""
    return f"{kind_of(child).kind} {key_of(child).name}"


def _taken(wanted: KubeObject, whose: str) -> Blocked:
    called, todo = _called(wanted), "give it or the ModelDeployment another name"
    return Blocked(f"{called} is {whose}", child=called, todo=todo, reason="NameTaken")


def _refuse_to_share(live: KubeObject, wanted: KubeObject) -> None:
    """Raises Blocked where it is another ModelDeployment's: the two would write in turns for ever."""
    owner, ours = labels_of(live).get(naming.DEPLOYMENT), labels_of(wanted).get(naming.DEPLOYMENT)
    if owner and owner != ours and controller_of(live) not in ("", controller_of(wanted)):
        raise _taken(wanted, f"of ModelDeployment {owner}")
