"""What the rules find in objects that were there before them, or changed while they were only warned of.

In the background and a piece at a time: eighty rules over five thousand objects are seconds of work, and the
loop has others waiting. What was found once is kept until the object or the policy changes.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import PolicyKind, Violation
from pointsman.controller.guardrailpolicy.snapshot import Found
from pointsman.kube.objects import MODEL_DEPLOYMENT, MODEL_ROUTE, Kind, KubeObject
from pointsman.policy.admitted import as_admitted
from pointsman.policy.compiled import Compiled
from pointsman.policy.verdicts import verdicts

_MOST_SHOWN = 50
_LONGEST = 512
_KINDS = {MODEL_DEPLOYMENT: PolicyKind.MODEL_DEPLOYMENT, MODEL_ROUTE: PolicyKind.MODEL_ROUTE}

Place = tuple[Kind, ObjectKey]
Look = Callable[[Kind, ObjectKey], KubeObject | None]


class Findings:
    """`look` gives an object as it is, `all_objects` every place; `changed` is told of which policy there is
    something else to say.
    """

    def __init__(
        self,
        look: Look,
        all_objects: Callable[[], Iterable[Place]],
        changed: Callable[[ObjectKey], None],
        now: Callable[[], datetime],
    ) -> None:
        self._look = look
        self._all = all_objects
        self._changed = changed
        self._now = now
        self._policies: dict[ObjectKey, Compiled] = {}
        self._found: dict[ObjectKey, dict[Place, tuple[Violation, ...]]] = {}
        self._due: dict[tuple[Place, ObjectKey], None] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._something = asyncio.Event()

    def saw(self, kind: Kind, key: ObjectKey) -> None:
        """An object came, changed or went."""
        if kind in _KINDS:
            self._note(((kind, key), policy) for policy in self._policies)

    def saw_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """A namespace has these labels; None: it is gone."""
        if self._namespaces.get(name) == labels:
            return
        if labels is None:
            self._namespaces.pop(name, None)
        else:
            self._namespaces[name] = labels
        places = [place for place in self._all() if place[1].namespace == name]
        self._note((place, policy) for place in places for policy in self._policies)

    def hold(self, policy: ObjectKey, compiled: Compiled) -> None:
        """These are the policy's rules and exceptions from now on; the same again changes nothing."""
        if self._policies.get(policy) is compiled:
            return
        self._policies[policy] = compiled
        self._found[policy] = {}
        self._note((place, policy) for place in self._all())

    def again(self, policy: ObjectKey) -> None:
        """Time passed that its rules know of: an exception ended."""
        if policy in self._policies:
            self._note((place, policy) for place in self._all())

    def forget(self, policy: ObjectKey) -> None:
        """The policy is gone."""
        self._policies.pop(policy, None)
        self._found.pop(policy, None)

    def of(self, policy: ObjectKey) -> Found:
        """What is known by now."""
        by_place = self._found.get(policy, {})
        total = sum(map(len, by_place.values()))
        places = sorted(by_place, key=lambda place: (place[1], place[0].kind))
        first = [one for place in places for one in by_place[place]][:_MOST_SHOWN]
        waiting = any(due == policy for _, due in self._due)
        return Found(total, tuple(first), is_complete=not waiting)

    async def run(self) -> None:
        """Look at what is due until cancelled."""
        while True:
            await self._something.wait()
            told: set[ObjectKey] = set()
            while self._due:
                place, policy = next(iter(self._due))
                del self._due[place, policy]
                if self._judge(place, policy):
                    told.add(policy)
                await asyncio.sleep(0)
            self._something.clear()
            for policy in told:
                self._changed(policy)

    def _note(self, due: Iterable[tuple[Place, ObjectKey]]) -> None:
        for one in due:
            self._due[one] = None
        if self._due:
            self._something.set()

    def _judge(self, place: Place, policy: ObjectKey) -> bool:
        """Whether there is something else to say than before."""
        compiled = self._policies.get(policy)
        if compiled is None:
            return False
        found = self._found[policy]
        before = found.pop(place, ())
        live = self._look(*place)
        now = () if live is None else self._violations(compiled, place, live)
        if now:
            found[place] = now
        return now != before

    def _violations(self, compiled: Compiled, place: Place, live: KubeObject) -> tuple[Violation, ...]:
        kind, key = place
        namespace: dict[str, Any] = {
            "metadata": {"name": key.namespace, "labels": dict(self._namespaces.get(key.namespace, {}))}
        }
        judged = verdicts(
            [compiled], _KINDS[kind], as_admitted(_KINDS[kind], dict(live)), namespace, self._now()
        )
        return tuple(
            Violation(
                kind=kind.kind,
                namespace=key.namespace,
                name=key.name,
                rule=one.rule.id,
                message=one.message[:_LONGEST],
            )
            for one in judged
            if one.is_violation
        )
