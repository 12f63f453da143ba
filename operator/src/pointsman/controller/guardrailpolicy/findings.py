"""What the rules find in objects that were there before them, or changed while they were only warned of.

In the background and a piece at a time: eighty rules over five thousand objects are seconds of work, and the
loop has others waiting. What was found once is kept until the object or the policy changes.
"""

import asyncio
import heapq
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

import structlog

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import LONGEST_VIOLATION, MOST_VIOLATIONS, PolicyKind, Violation
from pointsman.controller.children import deployment_of
from pointsman.controller.guardrailpolicy.in_force import InForce
from pointsman.controller.guardrailpolicy.snapshot import Found
from pointsman.controller.recording.hearing import Hearing, Looked
from pointsman.json_text import dumped
from pointsman.kube.objects import MODEL_DEPLOYMENT, MODEL_ROUTE, NAMESPACE, Kind, KubeObject, metadata
from pointsman.kube.packed import same_member
from pointsman.policy.admitted import as_admitted
from pointsman.policy.background import Beside
from pointsman.policy.compiled import Compiled
from pointsman.policy.verdicts import verdicts

_AT_A_TIME = 5_000
"""Objects that are judged by one policy before it is the turn of the next. Many, so that its rules stay
compiled, and what it finds is said before all others are through.
"""
_CROWD_SECONDS = 2.0
"""Deployments are applied in crowds: what those of a namespace come to is counted once for one."""
_KINDS = {
    MODEL_DEPLOYMENT: PolicyKind.MODEL_DEPLOYMENT,
    MODEL_ROUTE: PolicyKind.MODEL_ROUTE,
    NAMESPACE: None,
}
_NO_MATTER = frozenset({"resourceVersion", "managedFields"})

Place = tuple[Kind, ObjectKey]
"""A namespace is one too, of those that have deployments."""
BesideOf = Callable[[Kind, ObjectKey, KubeObject], Beside]
Look = Callable[[Kind, ObjectKey], KubeObject | None]
_Broken = tuple[tuple[str, str], ...]
"""Rule and message of each violation of one object: there may be a hundred thousand, and fifty are shown."""

_log = structlog.get_logger(__name__)


class Findings:
    """`look` gives an object as it is, `all_objects` every place; `changed` is told of which policy there is
    something else to say.
    """

    def __init__(
        self,
        in_force: InForce,
        look: Look,
        all_objects: Callable[[], Iterable[Place]],
        changed: Callable[[ObjectKey], None],
        now: Callable[[], datetime],
        recorder: Hearing | None = None,
        crowd_seconds: float = _CROWD_SECONDS,
    ) -> None:
        self._in_force = in_force
        self._look = look
        self._all = all_objects
        self._changed = changed
        self._now = now
        self._recorder = recorder
        self._found: dict[ObjectKey, dict[Place, _Broken]] = {}
        self._due: dict[ObjectKey, set[Place] | None] = {}
        """None: every object; there are none in memory for each of many policies before it is its turn."""
        self._unfinished: set[ObjectKey] = set()
        """Policies of which not every object was looked at since they are what they are."""
        self._outside: dict[Place, None] = {}
        """Of this turn, what the policy is not for; told at once, as of many policies most objects are."""
        self._seen: dict[Place, int] = {}
        self._crowd_seconds = crowd_seconds
        self._crowded: set[ObjectKey] = set()
        """Namespaces to look at once the crowd has passed."""
        self._something = asyncio.Event()
        self._beside: BesideOf | None = None
        self._tell: Callable[[Iterable[str]], None] = lambda _: None
        in_force.listen(self)

    def look_beside(self, beside: BesideOf) -> None:
        """`beside` gives what is around an object, without which no rule in the background has a verdict."""
        self._beside = beside

    def listen(self, tell: Callable[[Iterable[str]], None]) -> None:
        """`tell` hears of the namespaces in which something else is found, and of none when a policy's first
        look at everything is done.
        """
        self._tell = tell

    @property
    def is_complete(self) -> bool:
        """Whether every object was looked at by every policy."""
        return not self._unfinished

    def everything(self) -> Iterator[tuple[Compiled, Mapping[Place, _Broken]]]:
        """Each policy with all that it finds, which may be much."""
        for policy, compiled in self._in_force.all():
            yield compiled, dict(self._found.get(policy, {}))

    def begin(self) -> None:
        """See `Judging`."""
        for known in (self._found, self._due, self._unfinished, self._outside, self._seen):
            known.clear()

    def saw(self, kind: Kind, key: ObjectKey) -> bool:
        """An object came, changed or went; True where it came or went. Of a status only the number of
        replicas is a matter of rules.
        """
        if kind not in _KINDS or not self._in_force:
            return False
        place = kind, key
        live = self._look(kind, key)
        before = self._seen.get(place)
        if live is None:
            self._seen.pop(place, None)
        else:
            content = _content(live)
            if before == content:
                return False
            self._seen[place] = content
        self.look_again(kind, key)
        if kind == MODEL_DEPLOYMENT:
            self._look_at_namespace(ObjectKey("", key.namespace))
        return live is None or before is None

    def look_again(self, kind: Kind, key: ObjectKey) -> None:
        """What is beside an object changed."""
        for policy in self._in_force:
            self._note([(kind, key)], policy)

    def _look_at_namespace(self, key: ObjectKey) -> None:
        """Something in it changed; all that is in it is looked at once for a crowd of changes."""
        if not any(_looks_at_namespaces(compiled) for _, compiled in self._in_force.all()):
            return
        if not self._crowded:
            asyncio.get_running_loop().call_later(self._crowd_seconds, self._crowd_passed)
        self._crowded.add(key)

    def _crowd_passed(self) -> None:
        places = [(NAMESPACE, key) for key in self._crowded]
        self._crowded.clear()
        for policy, compiled in self._in_force.all():
            if places and _looks_at_namespaces(compiled):
                self._note(places, policy)

    def saw_child(self, before: KubeObject | None, now: KubeObject | None) -> None:
        """An object that a deployment owns came, changed or went."""
        if before is not None and now is not None and same_member(before, now, "spec"):
            return
        for owner in {deployment_of(one) for one in (before, now) if one is not None}:
            if owner is not None:
                self.look_again(MODEL_DEPLOYMENT, owner)

    def saw_namespace(self, name: str) -> None:
        """See `Judging`."""
        if self._in_force:
            places = [place for place in self._all() if place[1].namespace == name]
            for policy in self._in_force:
                self._note(places, policy)
            self._look_at_namespace(ObjectKey("", name))

    def holds(self, policy: ObjectKey) -> None:
        """See `Judging`."""
        self._tell_of(policy)
        self._found[policy] = {}
        if next(iter(self._all()), None) is not None:
            self._unfinished.add(policy)
            self.again(policy)

    def again(self, policy: ObjectKey) -> None:
        """See `Judging`."""
        self._due[policy] = None
        self._something.set()

    def forget(self, policy: ObjectKey) -> None:
        """See `Judging`."""
        self._tell_of(policy)
        self._found.pop(policy, None)
        self._due.pop(policy, None)
        self._unfinished.discard(policy)

    def of(self, policy: ObjectKey) -> Found:
        """What is known by now."""
        by_place = self._found.get(policy, {})
        total = sum(map(len, by_place.values()))
        places = heapq.nsmallest(
            MOST_VIOLATIONS, by_place, key=lambda place: (place[1].namespace, place[1].name, place[0].kind)
        )
        first = [
            Violation(
                kind=kind.kind,
                namespace=key.namespace,
                name=key.name,
                rule=rule,
                message=message[:LONGEST_VIOLATION],
            )
            for kind, key in places
            for rule, message in by_place[kind, key]
        ][:MOST_VIOLATIONS]
        return Found(total, tuple(first), is_complete=policy not in self._unfinished)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is due."""
        return not self._due and not self._crowded

    async def run(self) -> None:
        """Look at what is due until cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._due:
                await self._turn(next(iter(self._due)))

    async def _turn(self, policy: ObjectKey) -> None:
        """Some of what is due for one policy; what is left of it waits behind the others."""
        is_news = False
        for _ in range(_AT_A_TIME):
            places = self._places(policy)
            if not places:
                break
            place = places.pop()
            try:
                is_news |= self._judge(place, policy)
            except Exception as error:
                # One object must not end the looking at all others.
                _log.exception(
                    "not_judged", policy=policy.name, object=str(place[1]), why=type(error).__name__
                )
            await asyncio.sleep(0)
            if self._recorder is not None:
                await self._recorder.room()
        self._tell_of_outside(policy)
        left = self._places(policy)
        self._due.pop(policy, None)
        if left:
            self._due[policy] = left
        elif policy in self._unfinished:
            self._unfinished.discard(policy)
            self._tell(())
            is_news = True
        if is_news and policy not in self._unfinished:
            self._changed(policy)

    def _places(self, policy: ObjectKey) -> set[Place]:
        """What is due for the policy."""
        if policy not in self._due:
            return set()
        places = self._due[policy]
        if places is None:
            # What is there, and what was: an object that went is found no more.
            places = self._due[policy] = {*self._all(), *self._found.get(policy, ())}
            compiled = self._in_force.get(policy)
            if compiled is not None and _looks_at_namespaces(compiled):
                namespaces = {key.namespace for kind, key in places if kind == MODEL_DEPLOYMENT}
                places.update((NAMESPACE, ObjectKey("", name)) for name in namespaces)
        return places

    def _note(self, places: Iterable[Place], policy: ObjectKey) -> None:
        due = self._due.setdefault(policy, set())
        if due is not None:
            due.update(places)
        self._something.set()

    def _judge(self, place: Place, policy: ObjectKey) -> bool:
        """Whether there is something else to say than before."""
        compiled = self._in_force.get(policy)
        if compiled is None:
            return False
        found = self._found[policy]
        before = found.get(place, ())
        live = self._live(*place)
        now = self._violations(compiled, place, live)
        found.pop(place, None)
        if now:
            found[place] = now
        if now != before:
            self._tell([namespace_of(place)])
        return now != before

    def _tell_of(self, policy: ObjectKey) -> None:
        """What was found by it is found no more."""
        places = self._found.get(policy)
        if places:
            self._tell({namespace_of(place) for place in places})

    def _tell_of_outside(self, policy: ObjectKey) -> None:
        compiled, places = self._in_force.get(policy), list(self._outside)
        self._outside.clear()
        if self._recorder is not None and compiled is not None and places:
            self._recorder.outside(compiled, [Looked(_KINDS[kind], key) for kind, key in places])

    def _live(self, kind: Kind, key: ObjectKey) -> KubeObject | None:
        if kind != NAMESPACE:
            return self._look(kind, key)
        has_deployments = any(
            kind == MODEL_DEPLOYMENT and one.namespace == key.name for kind, one in self._all()
        )
        return self._in_force.namespace(key.name) if has_deployments else None

    def _violations(self, compiled: Compiled, place: Place, live: KubeObject | None) -> _Broken:
        kind, key = place
        judging, name = _KINDS[kind], namespace_of(place)
        if live is None or self._in_force.leaves_out(name):
            if self._recorder is not None:
                self._recorder.judged(compiled, Looked(judging, key))
            return ()
        if not self._in_force.is_for(compiled, name):
            self._outside[place] = None
            return ()  # of many policies most are for other namespaces, and an object takes a while to read
        self._outside.pop(place, None)
        beside = None
        if self._beside is not None and any(kind.kind in look.kinds for look in compiled.looks):
            beside = self._beside(kind, key, live)
        obj = dict(live) if judging is None else as_admitted(judging, dict(live))
        namespace = self._in_force.namespace(name)
        judged = verdicts([compiled], judging, obj, namespace, self._now(), beside)
        if self._recorder is not None:
            self._recorder.judged(compiled, Looked(judging, key, obj, namespace, judged))
        return tuple((one.rule.id, sys.intern(one.message)) for one in judged if one.is_violation)


def _content(live: KubeObject) -> int:
    """Of an object what rules may look at, as a hash for this process."""
    meta = {name: value for name, value in metadata(live).items() if name not in _NO_MATTER}
    replicas = (live.get("status") or {}).get("replicas")
    return hash((dumped(meta), dumped(live.get("spec")), replicas))


def namespace_of(place: Place) -> str:
    """Where it is; a namespace in itself."""
    kind, key = place
    return key.name if kind == NAMESPACE else key.namespace


def _looks_at_namespaces(compiled: Compiled) -> bool:
    return any(NAMESPACE.kind in look.kinds for look in compiled.looks)
