"""Writes what is heard into the record: all of it in its order, once, and what could not be written as a gap.

News wait in memory until the record has them. What the record says already is found by reading it when this
replica begins to lead, so that nothing is written for a restart, and no other state is kept.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from pointsman import __version__
from pointsman.api import ObjectKey
from pointsman.backoff import Backoff
from pointsman.controller.recording.asking import Asking
from pointsman.controller.recording.heard import Heard
from pointsman.controller.recording.hearing import Fleet, Recording
from pointsman.controller.recording.reading import read
from pointsman.errors import PointsmanError
from pointsman.kube.errors import LeadershipLost
from pointsman.policy.evidence import bodies
from pointsman.policy.evidence.known import Known, ObjectJudged, PolicyGone
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

_log = structlog.get_logger(__name__)


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
        self._retries = retries
        self._segment = segment
        self._end = EMPTY
        self._checkpoint = 0
        """The entry with which the last segment begins."""
        self.written = 0
        """Entries that this process wrote."""
        self.heard = Heard(now, most_waiting)
        """Is told what is to be written."""
        self._asking = Asking(record.name, answers_seconds)
        self.begin()

    def begin(self) -> None:
        """Nothing is heard yet, and nothing known: this replica leads from now on."""
        self.heard.begin()
        self._known: Known | None = None
        self._batch: list[Said] = []
        self._taken = 0
        self._gaps: list[bodies.Body] = []
        self._start: Said | None = None
        self._has_started = False
        self._began = self._now()
        self._trouble: datetime | None = None
        self._why = ""
        self._failures = 0
        # To read it is due in any case: policies and objects may be gone since it was written.
        self.heard.something.set()

    @property
    def recording(self) -> Recording:
        return Recording(self._why, self._end.entries, self._end.head if self._end != EMPTY else "")

    @property
    def is_idle(self) -> bool:
        """Whether the record has everything that was heard."""
        return not self._is_due

    async def run(self, still_leads: Callable[[], None]) -> None:
        """Write until cancelled. `still_leads` is asked before each write and raises LeadershipLost."""
        while True:
            await self.heard.something.wait()
            self.heard.something.clear()
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
        return bool(len(self.heard) or self._gaps or self._known is None or self._trouble is not None)

    async def _write(self, still_leads: Callable[[], None]) -> None:
        known = self._known if self._known is not None else await self._read()
        if not self._batch:
            await self._prepare(known)
        said = list(self._batch)
        now, lost = self._now(), self.heard.lost_now
        if self._trouble is not None:
            said.append((now, *bodies.gap(self._trouble, now, self._why, lost)))
        said += [(now, *gap) for gap in self._gaps]
        if said:
            if self._start is not None:
                said.insert(0, self._start)
            lines, end = await self._asking.ask(partial(chained_each, self._end, said))
            still_leads()
            await self._asking.ask(partial(self._record.append, self._end, lines))
            self._wrote(end, said, lost)
        self.heard.taken(self._taken)
        self._batch, self._taken = [], 0
        # Not more in a checkpoint than in what it spares from reading.
        is_long = self._end.entries - self._checkpoint >= max(self._segment, len(known))
        if is_long and self._start is None:
            await self._begin_segment(known, still_leads)

    async def _begin_segment(self, known: Known, still_leads: Callable[[], None]) -> None:
        lines, end = await self._asking.ask(lambda: chained(self._end, self._now(), known.checkpoint()))
        still_leads()
        await self._asking.ask(partial(self._record.append, self._end, lines, begins_segment=True))
        self._checkpoint = self._end.entries + 1
        self._wrote_lines(end)
        for policy in self._fleet.policies():
            # A status with an older hash would have all of the record read for it.
            self._fleet.changed(policy, is_urgent=False)

    async def _prepare(self, known: Known) -> None:
        """Of the news that wait, what the record does not say."""
        waiting = self.heard.first()
        self._taken = len(waiting)
        batch: list[Said] = []
        for number, news in enumerate(waiting):
            for body in known.unrecorded(news):
                known.take(*body)
                batch.append((news.at, *body))
            if number % _AT_A_TIME == _AT_A_TIME - 1:
                await asyncio.sleep(0)
        self._batch = batch

    def _wrote(self, end: Verified, said: list[Said], lost: int) -> None:
        """The record has it, and how many news were `lost`; those since then get a gap of their own."""
        later = self.heard.lost_now - lost
        gaps = [bodies.gap(self._trouble, self._now(), self._why, later)] if later else []
        was_in_trouble = self._trouble is not None
        is_about_all = was_in_trouble or bool(self._gaps)
        told = {str(body["policy"]) for _, _, body in said if "policy" in body}
        self._wrote_lines(end)
        self._start, self._gaps, self._has_started = None, gaps, True
        self._trouble, self._why, self._failures = None, "", 0
        again = self.heard.out_of_trouble()
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
        self.heard.in_trouble()

    async def _read(self) -> Known:
        """What the record says, and whether it is still what it was; the replica's first entry for it."""
        heads = {*self._fleet.heads(), *([self._end.head] if self._end != EMPTY else [])}
        found = await self._asking.ask(partial(read, self._record, heads))
        known, end, missing = found.known, found.end, found.missing
        former = sorted(missing) if end == EMPTY else []
        if missing and end != EMPTY:
            what = f"the record has no entry any more with the hash {', '.join(sorted(missing))}"
            self._noticed(what)
        if found.torn_bytes:
            self._noticed(f"an incomplete last line of {found.torn_bytes} bytes was taken away")
        # What was written before an answer to it came is there by now.
        self._start = None
        if not self._has_started and found.began != (self._writer, time_text(self._began)):
            self._start = (self._began, *bodies.start(__version__, self._writer, found.at, former))
        self._end, self._checkpoint = end, found.checkpoint
        there = {policy.name for policy in self._fleet.policies()}
        for name in known.policies:
            if name not in there:
                self.heard.add(PolicyGone(self._now(), name))
                continue
            for place in known.places(name):
                if not self._fleet.has(place[0], ObjectKey(place[1], place[2])):
                    self.heard.add(ObjectJudged(self._now(), name, place, None))
        self._known = known
        return known

    def _noticed(self, why: str) -> None:
        if any(body["why"] == why for _, body in self._gaps):
            return  # it was read again before that could be written
        _log.warning("evidence_gap", record=self._record.name, why=why)
        self._gaps.append(bodies.gap(None, self._now(), why))
