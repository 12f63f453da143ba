"""Where requests for a deployment at zero wait until a replica of it can answer.

Envoy asks here in place of a replica, and carries the request itself: what comes of a body is thrown away.
The answer is always a 503. That of a wait which was worth it has the gateway's secret word, at which Envoy
sends the request once more, now to the replica; any other one lets the route's fallback have its turn.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from aiohttp import web

from pointsman.api import ObjectKey
from pointsman.errors import PointsmanError
from pointsman.gateway.run_folder import short_path
from pointsman.routing.answers import MANY_WAIT, STARTED, STARTING, Answer
from pointsman.routing.names import HOLD_HEADER, RETRY_HEADER
from pointsman.routing.settings import HoldSettings

# A start takes a minute or more; clients that come again every second would only be refused again.
_RETRY_AFTER_SECONDS = 10
# Envoy's next attempt comes within some 25 ms. One whose wait was in vain does not wait all over again.
_REMEMBERED_SECONDS = 2.0
_BACKLOG = 1024


class Hold:
    """Lives on the gateway's event loop, between `start` and `stop`."""

    def __init__(
        self,
        settings: HoldSettings,
        can_answer: Callable[[ObjectKey], bool],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """`can_answer`: whether Envoy knows of a replica; `changed` returns when that may be another."""
        self._settings = settings
        self._can_answer = can_answer
        self._changed = changed
        self._requests: Counter[ObjectKey] = Counter()
        self._bytes: Counter[ObjectKey] = Counter()
        self._waiting: dict[ObjectKey, asyncio.Event] = {}
        self._gave_up = False
        self._in_vain: set[str] = set()
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None
        self._path = ExitStack()

    @property
    def held(self) -> Mapping[ObjectKey, int]:
        """How many requests wait, by deployment; none of those for which none does."""
        return dict(self._requests)

    async def start(self, folder: Path) -> None:
        """Listen in the folder. Raises PointsmanError if that cannot be."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        # A client that hangs up is felt as Envoy hanging up: the wait is over.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        try:
            path = self._path.enter_context(short_path(folder / self._settings.socket))
            await web.UnixSite(self._runner, path, backlog=_BACKLOG).start()
        except OSError as error:
            raise PointsmanError(
                "no socket can be made there", where=str(folder), todo="choose another folder"
            ) from error
        self._watch = asyncio.create_task(self._keep_watching(), name="hold")

    async def stop(self) -> None:
        """Let go of everybody, and listen no more."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        if self._runner is not None:
            await self._runner.cleanup()
        self._path.close()

    def give_up(self) -> None:
        """Nobody waits any more: better an answer than a connection that breaks."""
        self._gave_up = True
        for event in self._waiting.values():
            event.set()

    async def _keep_watching(self) -> None:
        while True:
            for key in [key for key in self._waiting if self._can_answer(key)]:
                self._waiting.pop(key).set()
            # Awaited as it is: nothing is missed between two turns.
            await self._changed()

    async def _answer(self, request: web.Request) -> web.Response:
        # The host is what Envoy's filter of attempts writes for a target of our own; a namespace has no dots.
        name, _, namespace = request.host.rpartition(".")
        key = ObjectKey(namespace, name)
        size = request.content_length or 0
        who = request.headers.get("x-request-id", "")
        # Envoy has it whole. While some of it is unread, a connection that is closed is not seen to be.
        async for _ in request.content.iter_any():
            pass
        if who in self._in_vain:
            answer = STARTING
        elif not self._has_room(key, size):
            answer = MANY_WAIT
        else:
            with self._counted(key, size):
                answer = await self._wait(key)
            if answer is STARTING and who:
                self._remember(who)
        verdict = {RETRY_HEADER: "noCapacity", "retry-after": str(_RETRY_AFTER_SECONDS)}
        if answer is STARTED:
            verdict = {RETRY_HEADER: "held", HOLD_HEADER: self._settings.word, "retry-after": "1"}
        return web.Response(
            status=answer.status,
            text=json.dumps(answer.body()),
            headers=verdict,
            content_type="application/json",
        )

    async def _wait(self, key: ObjectKey) -> Answer:
        if self._gave_up or self._can_answer(key):
            return self._let_go(key)
        event = self._waiting.setdefault(key, asyncio.Event())
        try:
            async with asyncio.timeout(self._settings.seconds):
                await event.wait()
        except TimeoutError:
            return STARTING
        finally:
            # The last one leaves nothing behind.
            if self._requests[key] == 1 and self._waiting.get(key) is event:
                del self._waiting[key]
        return self._let_go(key)

    def _let_go(self, key: ObjectKey) -> Answer:
        return STARTING if self._gave_up and not self._can_answer(key) else STARTED

    def _has_room(self, key: ObjectKey, size: int) -> bool:
        most = self._settings
        return (
            self._requests[key] < most.requests
            and self._requests.total() < most.requests_in_all
            and self._bytes[key] + size <= most.body_bytes
            and self._bytes.total() + size <= most.body_bytes_in_all
        )

    @contextmanager
    def _counted(self, key: ObjectKey, size: int) -> Iterator[None]:
        self._requests[key] += 1
        self._bytes[key] += size
        try:
            yield
        finally:
            self._requests[key] -= 1
            self._bytes[key] -= size
            if not self._requests[key]:
                del self._requests[key], self._bytes[key]

    def _remember(self, who: str) -> None:
        self._in_vain.add(who)
        asyncio.get_running_loop().call_later(_REMEMBERED_SECONDS, self._in_vain.discard, who)
