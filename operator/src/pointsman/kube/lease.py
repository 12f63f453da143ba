"""Who of several replicas writes: election by a Lease, as other Kubernetes controllers do it.

A lease is taken when nobody holds it, or when its record has not changed for as long as it says, by our own
clock. The holder renews it and stops at once when it cannot: its fence closes before another may take it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from pointsman.api.meta import ObjectKey
from pointsman.kube.clock import Clock, Fraction, elapsed_seconds, fraction
from pointsman.kube.errors import AlreadyExists, Conflict, Interrupted, KubeError, LeadershipLost, NotFound
from pointsman.kube.fence import Fence
from pointsman.kube.lease_record import LeaseRecord
from pointsman.kube.objects import LEASE
from pointsman.kube.ports import Reader, Writer

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ElectionSettings:
    """In seconds; the defaults are those of kube-controller-manager.

    `lease_seconds` after its last renewal others may take the lease. `renew_seconds` after it the holder
    stops by itself; what lies between is for writes under way. Between tries lie `retry_seconds`, plus up to
    a fifth.
    """

    lease_seconds: int = 15
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0


class Election:
    """One replica's part in it. `run` is the whole of it; each `run` leads at most once."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        key: ObjectKey,
        identity: str,
        settings: ElectionSettings | None = None,
        *,
        clock: Clock = elapsed_seconds,
        jitter: Fraction = fraction,
    ) -> None:
        """`writer` has no fence. `identity` is this process's own: two with one name would both lead."""
        self.holder = ""
        """Who leads, as far as we know; empty before the first look and after a release."""
        self._reader = reader
        self._writer = writer
        self._key = key
        self._identity = identity
        self._settings = settings or ElectionSettings()
        self._clock = clock
        self._jitter = jitter
        self._record = LeaseRecord(key)
        self._seen_at = 0.0
        self._problem = ""

    async def run(self, lead: Callable[[Fence], Awaitable[None]]) -> None:
        """Wait for the lease, then `lead`; the fence goes into its writers.

        Ends when `lead` ends, with the lease released for the next one. Cancelling it cancels `lead`, waits
        for it, and releases the lease. When the lease is lost, `lead` is cancelled and LeadershipLost raised.
        `lead` leaves no task behind when it ends.
        """
        fence = await self._acquire()
        leading = asyncio.ensure_future(lead(fence))
        renewing = asyncio.ensure_future(self._renew(fence))
        try:
            await asyncio.wait({leading, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(leading)
            # Nothing of ours writes any more; only now may somebody else be told so.
            is_held = fence.is_open
            fence.close()
            await _end(renewing)
            if is_held:
                await self._release()
        ended_by = leading.exception() if not leading.cancelled() else None
        if not renewing.cancelled():
            renewing.result()
        if ended_by is not None:
            raise ended_by

    async def _acquire(self) -> Fence:
        while True:
            began = self._clock()
            try:
                if await self._try():
                    fence = Fence(self._clock)
                    self._extend(fence, began)
                    _log.info("lease.acquired", lease=str(self._key), identity=self._identity)
                    return fence
                self._problem = ""
            except KubeError as error:
                self._say("lease.unreadable", error)
            await self._pause()

    async def _renew(self, fence: Fence) -> None:
        """Ends only by LeadershipLost."""
        while True:
            await self._pause(fence.remaining_seconds())
            began = self._clock()
            if not fence.is_open:
                raise self._lost(fence, "it could not be renewed in time")
            try:
                # One try that hangs leaves time for another, and none goes on past the end.
                async with asyncio.timeout(min(self._settings.renew_seconds / 2, fence.remaining_seconds())):
                    is_ours = await self._try()
            except TimeoutError:
                self._say("lease.not_renewed", Interrupted("no answer", where=str(self._key)))
                continue
            except KubeError as error:
                self._say("lease.not_renewed", error)
                continue
            if not is_ours:
                raise self._lost(fence, f"{self.holder or 'nobody'} has it now")
            self._problem = ""
            if not fence.is_open:
                raise self._lost(fence, "it was renewed too late")
            self._extend(fence, began)

    async def _try(self) -> bool:
        """Take or renew the lease if that is allowed. True if a write of this very try did it.

        A lease that is ours by an earlier write, whose answer was lost, runs out counted from that one: it
        has to be written again.
        """
        if self._record.holder != self._identity:
            await self._look()
        if await self._write():
            return True
        return (await self._look()).holder == self._identity and await self._write()

    async def _write(self) -> bool:
        """Write over the record that we know; False where we may not, or somebody wrote before us."""
        record = self._record
        if not self._may_write(record):
            return False
        wanted = record.taken(self._identity, self._settings.lease_seconds, datetime.now(UTC))
        try:
            written = await (self._writer.create(wanted) if record.is_new else self._writer.replace(wanted))
        except (Conflict, AlreadyExists, NotFound):
            return False
        self._see(LeaseRecord.read(written, self._key))
        return True

    def _may_write(self, record: LeaseRecord) -> bool:
        if record.holder in ("", self._identity):
            return True
        lasts = record.duration_seconds or self._settings.lease_seconds
        return self._clock() - self._seen_at >= lasts

    async def _look(self) -> LeaseRecord:
        found = await self._reader.get(LEASE, self._key)
        record = LeaseRecord(self._key) if found is None else LeaseRecord.read(found, self._key)
        self._see(record)
        return record

    def _see(self, record: LeaseRecord) -> None:
        """The holder's time runs from when we first saw its record, by our clock."""
        if record != self._record or not self._seen_at:
            self._seen_at = self._clock()
        self._record = record
        self.holder = record.holder

    def _extend(self, fence: Fence, began: float) -> None:
        settings = self._settings
        fence.extend(began + settings.renew_seconds, settings.lease_seconds - settings.renew_seconds)

    def _lost(self, fence: Fence, why: str) -> LeadershipLost:
        fence.close()
        _log.error("lease.lost", lease=str(self._key), identity=self._identity, reason=why)
        return LeadershipLost(f"the lease was lost: {why}", where=str(self._key), todo="this replica stops")

    async def _release(self) -> None:
        """Give the lease back. If that fails it runs out by itself."""
        try:
            async with asyncio.timeout(self._settings.retry_seconds):
                try:
                    await self._write_release(self._record)
                except Conflict:
                    # A renewal was cut off whose answer we did not read.
                    if (await self._look()).holder == self._identity:
                        await self._write_release(self._record)
        except (KubeError, TimeoutError) as error:
            _log.warning("lease.not_released", lease=str(self._key), reason=str(error) or "it took too long")
            return
        _log.info("lease.released", lease=str(self._key), identity=self._identity)

    async def _write_release(self, record: LeaseRecord) -> None:
        written = await self._writer.replace(record.released(datetime.now(UTC)))
        self._see(LeaseRecord.read(written, self._key))

    def _say(self, event: str, error: KubeError) -> None:
        """Once for each problem, not at each try."""
        if self._problem != type(error).__name__:
            _log.warning(event, lease=str(self._key), reason=str(error))
        self._problem = type(error).__name__

    async def _pause(self, longest_seconds: float = float("inf")) -> None:
        await asyncio.sleep(min(longest_seconds, self._settings.retry_seconds * (1 + 0.2 * self._jitter())))


async def _end(task: "asyncio.Future[None]") -> None:
    """Cancel a task and wait until it is over, whatever it ends with; its result is looked at elsewhere."""
    task.cancel()
    await asyncio.wait({task})
