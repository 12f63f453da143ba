"""What is heard of policies, objects and pods, as news that wait until the record has them.

There is room for so many. While the record cannot be written, what is more is lost and counted, and its
policies are to be looked at again; else whoever has much to say waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice

from pointsman.api import ObjectKey
from pointsman.controller.recording.hearing import Looked
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence import bodies
from pointsman.policy.evidence.gathered import PodLooked
from pointsman.policy.evidence.judged import Judged, applies, kind_name, seen_object
from pointsman.policy.evidence.known import (
    Held,
    News,
    ObjectJudged,
    ObjectsOutside,
    PodsJudged,
    PodsOutside,
    PolicyGone,
    PolicySeen,
)


class Heard:
    """See `Hearing` and `HearsPolicies`. What is made of news is for who takes them."""

    def __init__(self, now: Callable[[], datetime], most_waiting: int) -> None:
        self._now = now
        self._most_waiting = most_waiting
        self.lost = 0
        """News that were too many to keep, since the process began."""
        self.begin()

    def begin(self) -> None:
        """Nothing is heard yet."""
        self._news: deque[News] = deque()
        self._seen: dict[str, tuple[Compiled, str, Held | None, int]] = {}
        self._rules: dict[str, tuple[Compiled, str]] = {}
        self.lost_now = 0
        """Those of the trouble that lasts."""
        self._again: set[str] = set()
        self._is_in_trouble = False
        self._has_room = asyncio.Event()
        self.something = asyncio.Event()
        """Set with each of the news."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._news)

    def saw(self, compiled: Compiled, uid: str, generation: int, held: Held | None) -> None:
        """A policy is this; the same again is no news. `held` is None where that shows later."""
        now = self._now()
        over = sum(one.until <= now for one in compiled.exemptions)
        known = self._seen.get(compiled.name)
        if held is None and known is not None and known[0] is compiled and known[1] == uid:
            held = known[2]
        if known is not None and known[0] is compiled and known[1:] == (uid, held, over):
            return
        self._seen[compiled.name] = compiled, uid, held, over
        self._heard(PolicySeen(now, uid, generation, compiled, self._digest(compiled), held))

    def gone(self, policy: ObjectKey) -> None:
        """There is no such policy any more."""
        self._seen.pop(policy.name, None)
        self._rules.pop(policy.name, None)
        self._heard(PolicyGone(self._now(), policy.name))

    def judged(self, compiled: Compiled, looked: Looked) -> None:
        """A policy's rules were asked about an object."""
        place = kind_name(looked.kind), looked.key.namespace, looked.key.name
        body = None
        if looked.live is not None:
            live, namespace = looked.live, looked.namespace or {}
            metadata, seen = live.get("metadata") or {}, seen_object(looked.kind, live)
            found = [Judged(seen, one, applies(one, looked.kind, live, namespace)) for one in looked.found]
            uid, generation = str(metadata.get("uid", "")), int(metadata.get("generation") or 0)
            _, body = bodies.verdict(compiled.name, self._digest(compiled), seen, found, uid, generation)
        self._heard(ObjectJudged(self._now(), compiled.name, place, body))

    def outside(self, compiled: Compiled, looked: Sequence[Looked]) -> None:
        """A policy is not for these objects."""
        places = tuple((kind_name(one.kind), one.key.namespace, one.key.name) for one in looked)
        self._heard(ObjectsOutside(self._now(), compiled.name, places))

    def judged_pods(
        self, compiled: Compiled, deployment: ObjectKey, looked: Sequence[PodLooked], *, may_return: bool
    ) -> None:
        """A policy's rules were asked about all pods of a deployment."""
        rules = self._digest(compiled)
        found = {
            one.name: bodies.verdict(
                compiled.name, rules, one.seen, one.found, one.uid, by=one.by, unnamed=one.unnamed
            )[1]
            for one in looked
        }
        self._heard(PodsJudged(self._now(), compiled.name, deployment, found, may_return))

    def pods_outside(self, compiled: Compiled, deployments: Sequence[ObjectKey]) -> None:
        """A policy's rules are not for their pods."""
        self._heard(PodsOutside(self._now(), compiled.name, tuple(deployments)))

    async def room(self) -> None:
        """Wait while there is more to write than is kept. In trouble nobody waits."""
        while len(self._news) >= self._most_waiting and not self._is_in_trouble:
            self._has_room.clear()
            await self._has_room.wait()

    def first(self) -> list[News]:
        """As many as are kept, the oldest first; they wait until they are `taken`."""
        return list(islice(self._news, self._most_waiting))

    def taken(self, number: int) -> None:
        """The record has so many of the oldest."""
        for _ in range(number):
            self._news.popleft()
        self._has_room.set()

    def add(self, news: News) -> None:
        """Something that is known otherwise, behind all that waits."""
        self._news.append(news)

    def in_trouble(self) -> None:
        """The record cannot be written."""
        self._is_in_trouble = True
        self._has_room.set()

    def out_of_trouble(self) -> set[str]:
        """It can again; gives the policies of what was lost meanwhile."""
        self._is_in_trouble, self.lost_now = False, 0
        again, self._again = self._again, set()
        return again

    def _heard(self, news: News) -> None:
        if self._is_in_trouble and len(self._news) >= self._most_waiting:
            self.lost += 1
            self.lost_now += 1
            self._again.add(news.policy)
            self._seen.pop(news.policy, None)
            return
        self._news.append(news)
        self.something.set()

    def _digest(self, compiled: Compiled) -> str:
        known = self._rules.get(compiled.name)
        if known is None or known[0] is not compiled:
            known = self._rules[compiled.name] = compiled, bodies.rules_digest(compiled)
        return known[1]
