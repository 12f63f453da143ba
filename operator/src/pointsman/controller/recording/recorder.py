"""Writes what is heard into the record: all of it in its order, once, and what could not be written as a gap.

News wait in memory until the record has them. What the record says already is found by reading it when this
replica begins to lead, so that nothing is written for a restart, and no other state is kept.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import structlog

from pointsman import __version__
from pointsman.api import ObjectKey
from pointsman.backoff import Backoff
from pointsman.controller.recording.hearing import Fleet, Looked, Recording
from pointsman.errors import PointsmanError
from pointsman.kube.errors import LeadershipLost
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence import bodies
from pointsman.policy.evidence.judged import Judged, applies, kind_name, seen_object
from pointsman.policy.evidence.known import (
    Held,
    Known,
    News,
    ObjectJudged,
    ObjectsOutside,
    PodsJudged,
    PodsOutside,
    PolicyGone,
    PolicySeen,
)
from pointsman.policy.evidence.pods import PodLooked
from pointsman.policy.evidence.record import EMPTY, EntryKind, Verified, chained, chained_each, time_text
from pointsman.records.place import Moved, Place

_GATHER_SECONDS = 1.0
"""One write, and in a bucket one object, is for all that happened in it."""
_MOST_WAITING = 2_000
"""News that are kept while they cannot be written: ten megabytes with all packs."""
_AT_A_TIME = 200
"""News that are compared with the record before others have their turn."""
_ANSWERS_SECONDS = 60.0
"""A disk or a store that takes longer is not there."""
_SEGMENT = 10_000
"""Entries after which a segment ends: who begins to write reads no more of them than some more, which takes
less than a second."""
_RETRIES = Backoff(1.0, 60.0, 0.2)

Said = tuple[datetime, EntryKind, Mapping[str, Any]]
_T = TypeVar("_T")

_log = structlog.get_logger(__name__)


class _Read(NamedTuple):
    """What there was to know of the record."""

    known: Known
    end: Verified
    at: str
    """The time of the last entry."""
    began: tuple[str, str]
    """Who began last, and when."""
    checkpoint: int
    missing: set[str]
    """Hashes that it is known to have had and does not have."""
    torn_bytes: int


class Recorder:
    """One for a process, which leads at times: `run` each time that it does."""

    def __init__(
        self,
        record: Place,
        writer: str,
        fleet: Fleet,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        gather_seconds: float = _GATHER_SECONDS,
        most_waiting: int = _MOST_WAITING,
        retries: Backoff = _RETRIES,
        answers_seconds: float = _ANSWERS_SECONDS,
        segment: int = _SEGMENT,
    ) -> None:
        self._record = record
        self._writer = writer
        self._fleet = fleet
        self._now = now
        self._gather_seconds = gather_seconds
        self._most_waiting = most_waiting
        self._retries = retries
        self._answers_seconds = answers_seconds
        self._segment = segment
        self._end = EMPTY
        self._checkpoint = 0
        """The entry with which the last segment begins."""
        self.lost = 0
        """News that were too many to keep, since the process began."""
        self.written = 0
        """Entries that this process wrote."""
        # Not the event loop's own threads: a disk that hangs takes one, and must not take all.
        self._thread = ThreadPoolExecutor(1, "record")
        self._asked: asyncio.Future[Any] | None = None
        self.begin()

    def begin(self) -> None:
        """Nothing is heard yet, and nothing known: this replica leads from now on."""
        self._known: Known | None = None
        self._news: deque[News] = deque()
        self._batch: list[Said] = []
        self._taken = 0
        self._gaps: list[bodies.Body] = []
        self._start: Said | None = None
        self._has_started = False
        self._began = self._now()
        self._trouble: datetime | None = None
        self._why = ""
        self._lost = 0
        self._failures = 0
        self._again: set[str] = set()
        self._seen: dict[str, tuple[Compiled, str, Held | None, int]] = {}
        self._rules: dict[str, tuple[Compiled, str]] = {}
        self._something = asyncio.Event()
        self._has_room = asyncio.Event()
        # To read it is due in any case: policies and objects may be gone since it was written.
        self._something.set()

    @property
    def recording(self) -> Recording:
        return Recording(self._why, self._end.entries, self._end.head if self._end != EMPTY else "")

    @property
    def waiting(self) -> int:
        return len(self._news)

    @property
    def is_idle(self) -> bool:
        """Whether the record has everything that was heard."""
        return not self._is_due

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
            one.name: bodies.verdict(compiled.name, rules, one.seen, one.found, one.uid, by=one.by)[1]
            for one in looked
        }
        self._heard(PodsJudged(self._now(), compiled.name, deployment, found, may_return))

    def pods_outside(self, compiled: Compiled, deployments: Sequence[ObjectKey]) -> None:
        """A policy's rules are not for their pods."""
        self._heard(PodsOutside(self._now(), compiled.name, tuple(deployments)))

    async def room(self) -> None:
        """Wait while there is more to write than is kept. In trouble nobody waits: what is too much is lost,
        and looked at again afterwards.
        """
        while len(self._news) >= self._most_waiting and self._trouble is None:
            self._has_room.clear()
            await self._has_room.wait()

    def _digest(self, compiled: Compiled) -> str:
        known = self._rules.get(compiled.name)
        if known is None or known[0] is not compiled:
            known = self._rules[compiled.name] = compiled, bodies.rules_digest(compiled)
        return known[1]

    def _heard(self, news: News) -> None:
        if self._trouble is not None and len(self._news) >= self._most_waiting:
            self._lost += 1
            self.lost += 1
            self._again.add(news.policy)
            self._seen.pop(news.policy, None)
            return
        self._news.append(news)
        self._something.set()

    async def run(self, still_leads: Callable[[], None]) -> None:
        """Write until cancelled. `still_leads` is asked before each write and raises LeadershipLost."""
        while True:
            await self._something.wait()
            self._something.clear()
            await asyncio.sleep(self._gather_seconds)
            while self._is_due:
                try:
                    await self._write(still_leads)
                except Moved:
                    # Somebody else went on with it: what they wrote is not written again.
                    self._known, self._batch = None, []
                except LeadershipLost:
                    raise
                except PointsmanError as error:
                    self._failed(error)
                    await asyncio.sleep(self._retries.wait_seconds(self._failures, 1.0))

    @property
    def _is_due(self) -> bool:
        return bool(self._news or self._gaps or self._known is None or self._trouble is not None)

    async def _write(self, still_leads: Callable[[], None]) -> None:
        known = self._known if self._known is not None else await self._read()
        if not self._batch:
            await self._prepare(known)
        said = list(self._batch)
        now, lost = self._now(), self._lost
        if self._trouble is not None:
            said.append((now, *bodies.gap(self._trouble, now, self._why, lost)))
        said += [(now, *gap) for gap in self._gaps]
        if said:
            if self._start is not None:
                said.insert(0, self._start)
            lines, end = await self._in_thread(partial(chained_each, self._end, said))
            still_leads()
            await self._in_thread(partial(self._record.append, self._end, lines))
            self._wrote(end, said, lost)
        for _ in range(self._taken):
            self._news.popleft()
        self._batch, self._taken = [], 0
        self._has_room.set()
        # Not more in a checkpoint than in what it spares from reading.
        is_long = self._end.entries - self._checkpoint >= max(self._segment, len(known))
        if is_long and self._start is None:
            await self._begin_segment(known, still_leads)

    async def _begin_segment(self, known: Known, still_leads: Callable[[], None]) -> None:
        lines, end = await self._in_thread(lambda: chained(self._end, self._now(), known.checkpoint()))
        still_leads()
        await self._in_thread(partial(self._record.append, self._end, lines, begins_segment=True))
        self._checkpoint = self._end.entries + 1
        self._wrote_lines(end)
        for policy in self._fleet.policies():
            # A status with an older hash would have all of the record read for it.
            self._fleet.changed(policy, is_urgent=False)

    async def _prepare(self, known: Known) -> None:
        """Of the news that wait, what the record does not say."""
        self._taken = min(len(self._news), self._most_waiting)
        batch: list[Said] = []
        for number, news in enumerate(list(islice(self._news, self._taken))):
            for body in known.unrecorded(news):
                known.take(*body)
                batch.append((news.at, *body))
            if number % _AT_A_TIME == _AT_A_TIME - 1:
                await asyncio.sleep(0)
        self._batch = batch

    def _wrote(self, end: Verified, said: list[Said], lost: int) -> None:
        """The record has it, and how many news were `lost`; those since then get a gap of their own."""
        later = self._lost - lost
        gaps = [bodies.gap(self._trouble, self._now(), self._why, later)] if later else []
        was_in_trouble = self._trouble is not None
        is_about_all = was_in_trouble or bool(self._gaps)
        told = {str(body["policy"]) for _, _, body in said if "policy" in body}
        self._wrote_lines(end)
        self._start, self._gaps, self._has_started = None, gaps, True
        self._trouble, self._why, self._lost, self._failures = None, "", 0, 0
        again, self._again = self._again, set()
        for policy in self._fleet.policies():
            if policy.name in again:
                self._fleet.look_again(policy)
            if is_about_all or policy.name in told:
                self._fleet.changed(policy, is_urgent=was_in_trouble)

    def _wrote_lines(self, end: Verified) -> None:
        self.written += end.entries - self._end.entries
        self._end = end
        # Where logs are kept elsewhere, this line shows later that nothing was cut off.
        _log.info("evidence_written", record=self._record.name, entries=end.entries, head=end.head)

    def _failed(self, error: PointsmanError) -> None:
        self._failures += 1
        if self._trouble is None or self._why != str(error):
            _log.warning("evidence_not_written", record=self._record.name, why=str(error))
            self._trouble = self._trouble or self._now()
            self._why = str(error)
            for policy in self._fleet.policies():
                self._fleet.changed(policy, is_urgent=True)
        self._has_room.set()

    async def _read(self) -> Known:
        """What the record says, and whether it is still what it was; the replica's first entry for it."""
        heads = {*self._fleet.heads(), *([self._end.head] if self._end != EMPTY else [])}
        read = await self._in_thread(partial(self._read_all, heads))
        known, end, missing = read.known, read.end, read.missing
        former = sorted(missing) if end == EMPTY else []
        if missing and end != EMPTY:
            what = f"the record has no entry any more with the hash {', '.join(sorted(missing))}"
            self._noticed(what)
        if read.torn_bytes:
            self._noticed(f"an incomplete last line of {read.torn_bytes} bytes was taken away")
        # What was written before an answer to it came is there by now.
        self._start = None
        if not self._has_started and read.began != (self._writer, time_text(self._began)):
            self._start = (self._began, *bodies.start(__version__, self._writer, read.at, former))
        self._end, self._checkpoint = end, read.checkpoint
        there = {policy.name for policy in self._fleet.policies()}
        for name in known.policies:
            if name not in there:
                self._news.append(PolicyGone(self._now(), name))
                continue
            for place in known.places(name):
                if not self._fleet.has(place[0], ObjectKey(place[1], place[2])):
                    self._news.append(ObjectJudged(self._now(), name, place, None))
        self._known = known
        return known

    def _noticed(self, why: str) -> None:
        if any(body["why"] == why for _, body in self._gaps):
            return  # it was read again before that could be written
        _log.warning("evidence_gap", record=self._record.name, why=why)
        self._gaps.append(bodies.gap(None, self._now(), why))

    def _read_all(self, heads: set[str]) -> _Read:
        """From the last checkpoint on; all of it where one of the hashes is not there."""
        known, end, at, began, missing = Known(), EMPTY, "", ("", ""), set(heads)
        first = checkpoint = 0
        for entry in self._record.read():
            first = first or entry.sequence
            match entry.kind:
                case EntryKind.START:
                    began = str(entry.body.get("writer")), entry.at
                case EntryKind.CHECKPOINT if entry.body.get("part") == 1:
                    checkpoint = entry.sequence
                case _:
                    pass
            known.take(entry.kind, entry.body)
            end, at = Verified(entry.sequence, entry.hash), entry.at
            missing.discard(entry.hash)
        torn_bytes = self._record.torn_bytes
        if missing and first > 1:
            missing.difference_update(entry.hash for entry in self._record.read(is_whole=True))
        return _Read(known, end, at, began, checkpoint, missing, torn_bytes)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """Its result. PointsmanError where it takes too long: then it is waited for again before anything
        else is asked for, and what it gives is dropped.
        """
        if self._asked is not None:
            await self._patiently(self._asked)
        loop = asyncio.get_running_loop()
        self._asked = asked = loop.run_in_executor(self._thread, work)
        await self._patiently(asked)
        return asked.result()

    async def _patiently(self, asked: "asyncio.Future[Any]") -> None:
        done, _ = await asyncio.wait({asked}, timeout=self._answers_seconds)
        if not done:
            raise PointsmanError(
                f"has not answered for {self._answers_seconds:.0f} s", where=self._record.name
            )
        self._asked = None
        if not asked.cancelled():
            asked.exception()
