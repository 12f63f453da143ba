"""A list and then a watch, for as long as it runs: the store follows the API server, and listeners are told.

What does not belong here: deciding anything. Listeners put a key into a queue and return.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from pointsman.api.meta import ObjectKey
from pointsman.kube.clock import Clock, Fraction, elapsed_seconds, fraction
from pointsman.kube.errors import Forbidden, Gone, KindNotServed, KubeError, Silent, Unauthorized
from pointsman.kube.objects import Kind, KubeObject, key_of, resource_version_of, uid_of
from pointsman.kube.ports import Change, Reader, Selection, WatchEvent
from pointsman.kube.retrying import Retries
from pointsman.kube.store import Store

_log = structlog.get_logger(__name__)

Listener = Callable[[KubeObject | None, KubeObject | None], None]
"""(before, now): None and an object for a new one, an object and None for one that is gone. Never blocks."""

_AT_A_TIME = 200  # events, until other tasks get their turn: some 10 ms
_LOOK_AGAIN_SECONDS = 0.1
_WORKED_SECONDS = 5.0  # a watch that held so long was no failure

# After so many answers that are no success it is listed anew: perhaps it is the version that is wrong.
_FAILURES_AT_ONE_VERSION = 5
# After so many silent watches in a row, some six minutes, it is listed anew: something between us and the API
# server may open watches and let nothing through.
_SILENCES_WITHOUT_LIST = 5


@dataclass(frozen=True, slots=True)
class InformerSettings:
    """`watch_seconds`: the server ends a watch after that plus up to a fifth, and it goes on where it was.

    A watch that ends now and then moves clients to another API server after one was restarted. `retries` are
    the waits after failures, without an end.
    """

    watch_seconds: int = 300
    retries: Retries = field(default_factory=lambda: Retries(first_seconds=0.5, longest_seconds=30.0))


def _as_it_is(obj: KubeObject) -> KubeObject:
    return obj


def _nobody(served: bool) -> None:
    """Nobody asked."""


class Informer:
    """Follows the objects of one selection. `run()` it as a task; it ends by being cancelled only.

    `synced` is set once the first list is complete and its listeners are told. A kind that is not installed,
    or not allowed, is waited for: `problem` says so, and what is in the store stays there. Informers that
    share a store must have selections without an object in common.
    """

    def __init__(
        self,
        reader: Reader,
        selection: Selection,
        on_change: Listener | None = None,
        *,
        store: Store | None = None,
        keep: Callable[[KubeObject], KubeObject] = _as_it_is,
        on_served: Callable[[bool], None] = _nobody,
        settings: InformerSettings | None = None,
        clock: Clock = elapsed_seconds,
        jitter: Fraction = fraction,
    ) -> None:
        """`keep` makes of each object what is kept of it, to save memory; its metadata must stay. `on_served`
        is told True after the first list and when it goes on after trouble, False when the kind is not
        installed or not allowed.
        """
        self.selection = selection
        self.store = Store() if store is None else store
        self.synced = asyncio.Event()
        self.problem: KubeError | None = None
        self._reader = reader
        self._listeners: list[Listener] = [on_change] if on_change else []
        self._keep = keep
        self._on_served = on_served
        self._settings = settings or InformerSettings()
        self._clock = clock
        self._jitter = jitter
        self._heard_at = clock()
        self._version = ""
        self._mine: set[ObjectKey] = set()
        self._silences = 0

    @property
    def age_seconds(self) -> float:
        """How old the store may be: since the API server last said anything about these objects.

        Up to about a minute while nothing changes; before the first list since the informer was made.
        """
        return self._clock() - self._heard_at

    def is_missing(self, optional: Collection[Kind]) -> bool:
        """Whether there is nothing to list: one of these kinds, which is not installed or not allowed."""
        is_told_off = isinstance(self.problem, KindNotServed | Forbidden)
        return self.selection.kind in optional and is_told_off

    async def complete(self, optional: Collection[Kind]) -> None:
        """Wait for the first list, or for the news that there is none of these kinds."""
        while not self.is_missing(optional):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.synced.wait(), _LOOK_AGAIN_SECONDS)
                return

    def listen(self, listener: Listener) -> None:
        """Be told of changes from now on, and first of each object that is there."""
        self._listeners.append(listener)
        for key in sorted(self._mine):
            self._tell(listener, None, self.store[key])

    async def run(self) -> NoReturn:
        failures = 0
        while True:
            began = self._clock()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Gone as error:
                # Not a failure: the API server forgot the version. But a server that always says so is.
                self._version = ""
                _log.info("watch.expired", selection=str(self.selection), reason=str(error))
                held = self._clock() - began >= _WORKED_SECONDS
                failures = 0 if held else failures + 1
                if failures > 1:
                    await self._pause(failures, error.retry_after_seconds)
            except Silent:
                # A dead connection, or a quiet kind: opening it anew tells which.
                self._silences += 1
                if self._silences % _SILENCES_WITHOUT_LIST == 0:
                    self._version = ""
            except KubeError as error:
                if self._clock() - began >= _WORKED_SECONDS:
                    failures = 0
                failures += 1
                self._failed(error)
                if error.status and failures % _FAILURES_AT_ONE_VERSION == 0:
                    self._version = ""
                await self._pause(failures, error.retry_after_seconds)
            else:
                held = self._clock() - began >= _WORKED_SECONDS
                failures = 0 if held else failures + 1
                if not held:
                    await self._pause(failures, None)

    async def _list(self) -> None:
        """Bring the store to what the API server has, and tell of each difference."""
        seen: set[ObjectKey] = set()
        async with aclosing(self._reader.chunks(self.selection)) as chunks:
            version = ""
            async for chunk in chunks:
                self._heard_at = self._clock()
                version = chunk.resource_version
                for obj in chunk.items:
                    seen.add(key_of(obj))
                    self._put(obj)
                await asyncio.sleep(0)
        for key in sorted(self._mine - seen):
            self._remove(key)
        self._version = version
        if not self.synced.is_set():
            self.synced.set()
            self._on_served(True)

    async def _watch(self) -> None:
        longest = self._settings.watch_seconds
        seconds = longest + int(longest * 0.2 * self._jitter())
        async with aclosing(self._reader.watch(self.selection, self._version, seconds)) as events:
            count = 0
            async for event in events:
                self._heard_at = self._clock()
                self._recovered()
                self._take(event)
                count += 1
                if count > 1:
                    # The first only says that the watch is open.
                    self._silences = 0
                if count % _AT_A_TIME == 0:
                    await asyncio.sleep(0)
        # The server ended it in the ordinary way, which says that it is there.
        self._heard_at = self._clock()

    def _take(self, event: WatchEvent) -> None:
        if event.change is Change.DELETED:
            self._remove(key_of(event.obj))
        elif event.change is not Change.BOOKMARK:
            self._put(event.obj)
        self._version = resource_version_of(event.obj)

    def _put(self, obj: KubeObject) -> None:
        key = key_of(obj)
        old = self.store.get(key)
        if old is not None:
            if resource_version_of(old) == resource_version_of(obj):
                self._mine.add(key)
                return
            if uid_of(old) != uid_of(obj):
                self._remove(key)
                old = None
        kept = self._keep(obj)
        self._mine.add(key)
        self.store.put(kept)
        self._tell_all(old, kept)

    def _remove(self, key: ObjectKey) -> None:
        self._mine.discard(key)
        old = self.store.remove(key)
        if old is not None:
            self._tell_all(old, None)

    def _tell_all(self, old: KubeObject | None, new: KubeObject | None) -> None:
        for listener in self._listeners:
            self._tell(listener, old, new)

    def _tell(self, listener: Listener, old: KubeObject | None, new: KubeObject | None) -> None:
        """A listener's mistake is its own: the store and the other listeners go on."""
        try:
            listener(old, new)
        except Exception:
            _log.exception("informer.listener_failed", selection=str(self.selection))

    def _failed(self, error: KubeError) -> None:
        """Say a problem once, not at each try."""
        if self.problem is None or type(self.problem) is not type(error):
            waits = isinstance(error, KindNotServed | Forbidden | Unauthorized)
            _log.warning(
                "informer.waits" if waits else "informer.failed",
                selection=str(self.selection),
                reason=str(error),
                age_seconds=round(self.age_seconds, 1),
            )
        self.problem = error
        if isinstance(error, KindNotServed | Forbidden):
            self._on_served(False)

    def _recovered(self) -> None:
        if self.problem is not None:
            _log.info("informer.recovered", selection=str(self.selection))
            self.problem = None
            self._on_served(True)

    async def _pause(self, failures: int, asked_seconds: float | None) -> None:
        await asyncio.sleep(self._settings.retries.pause_seconds(failures, asked_seconds, self._jitter()))
