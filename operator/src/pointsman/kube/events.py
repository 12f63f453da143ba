"""Events of events.k8s.io/v1: what `kubectl describe` shows of what happened to an object.

Only changes are told: the same reason and note about the same object not again within an hour, also after a
restart, as the name of an event is made of what it says. Telling never fails and never waits: an event that
cannot be written is counted, said once in the log, and gone.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NoReturn

import structlog

from pointsman.api.meta import DEFAULT_NAMESPACE
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.errors import AlreadyExists, KubeError, NotFound
from pointsman.kube.event_memory import EventMemory, Telling
from pointsman.kube.objects import EVENT, KubeObject, key_of, resource_version_of, uid_of
from pointsman.kube.ports import Writer

_log = structlog.get_logger(__name__)

_LONGEST_NOTE: Final = 1024  # bytes (k8s.io/kubernetes pkg/apis/core/validation/events.go)
_LONGEST_PREFIX: Final = 200  # of a name of 253, with room for what makes it unique
_MOST_WAITING: Final = 1000


class EventType(StrEnum):
    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What happened: `reason` is one word for programs, `action` what was being done, `note` one line."""

    type: EventType
    reason: str
    note: str
    action: str


class EventRecorder:
    """`record` from anywhere on the event loop; `run` it as a task, which does the writing."""

    def __init__(
        self, writer: Writer, controller: str, instance: str, *, clock: Clock = elapsed_seconds
    ) -> None:
        """`controller` is the name that events are from; `instance` this replica."""
        self.failed = 0
        """Events that could not be written, or had no place in the queue."""
        self._writer = writer
        self._controller = controller
        self._instance = instance
        self._clock = clock
        self._memory = EventMemory()
        self._waiting: asyncio.Queue[tuple[dict[str, Any], Telling]] = asyncio.Queue(_MOST_WAITING)
        self._has_failed = False

    def record(self, about: KubeObject, occurrence: Occurrence) -> None:
        """Tell of something that happened to `about`, unless it was told within the hour."""
        name = event_name(about, occurrence)
        telling = self._memory.see(name, uid_of(about), self._clock())
        if telling is None:
            return
        event = event_object(
            about, occurrence, datetime.now(UTC), controller=self._controller, instance=self._instance
        )
        try:
            self._waiting.put_nowait((event, telling))
        except asyncio.QueueFull:
            self._lose(name, "too many wait")

    async def run(self) -> NoReturn:
        """Write what is recorded, one at a time; ends by being cancelled only."""
        while True:
            event, telling = await self._waiting.get()
            try:
                await self._write(event, telling)
                self._has_failed = False
            except KubeError as error:
                self._lose(event["metadata"]["name"], str(error))
            finally:
                self._waiting.task_done()

    async def flush(self, within_seconds: float) -> None:
        """Wait until what was recorded is written, at most that long: at the end of a process."""
        try:
            await asyncio.wait_for(self._waiting.join(), within_seconds)
        except TimeoutError:
            _log.warning("events.unwritten", count=self._waiting.qsize())

    async def _write(self, event: dict[str, Any], telling: Telling) -> None:
        if telling.count > 1:
            series = {"count": telling.count, "lastObservedTime": event["eventTime"]}
            try:
                await self._writer.merge(EVENT, key_of(event), {"series": series})
                return
            except NotFound:
                event = {**event, "series": series}
        try:
            await self._writer.create(event)
        except AlreadyExists:
            # Told within the hour by the process before us.
            _log.debug("events.told_before", name=event["metadata"]["name"])

    def _lose(self, name: str, why: str) -> None:
        self.failed += 1
        self._memory.forget(name)
        if not self._has_failed:
            _log.warning("events.failed", reason=why)
        self._has_failed = True


def event_name(about: KubeObject, occurrence: Occurrence) -> str:
    """The same for the same thing said of the same object."""
    said = (uid_of(about), occurrence.type, occurrence.reason, occurrence.action, occurrence.note)
    digest = hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]
    return f"{key_of(about).name[:_LONGEST_PREFIX].rstrip('.-')}.{digest}"


def event_object(
    about: KubeObject, occurrence: Occurrence, now: datetime, *, controller: str, instance: str
) -> dict[str, Any]:
    """The Event as it is created. Those about cluster-scoped objects are kept in the default namespace."""
    key = key_of(about)
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {
            "name": event_name(about, occurrence),
            "namespace": key.namespace or DEFAULT_NAMESPACE,
        },
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": controller,
        "reportingInstance": instance,
        "type": occurrence.type.value,
        "reason": occurrence.reason,
        "action": occurrence.action,
        "note": shortened(occurrence.note, _LONGEST_NOTE),
        "regarding": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": key.name,
            "namespace": key.namespace or None,
            "uid": uid_of(about),
            "resourceVersion": resource_version_of(about),
        },
    }


def shortened(text: str, longest: int) -> str:
    """At most so many bytes of UTF-8, whole characters."""
    if len(text.encode()) <= longest:
        return text
    return text.encode()[: longest - len("…".encode())].decode(errors="ignore") + "…"
