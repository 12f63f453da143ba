"""`/programming`: what this gateway says of each route, as JSON, now or as soon as it says something else."""

import asyncio
import secrets
from collections.abc import Callable, Hashable, Mapping

from aiohttp import web

from pointsman.api import ObjectKey
from pointsman.routing import RouteProgramming
from pointsman.routing.programming import PATH, programming_json

LONGEST_WAIT_SECONDS = 25.0
"""Shorter than what proxies and firewalls keep a silent connection for; an answer that nothing changed is a
few bytes."""
# Envoy confirms each kind of resource apart: one answer for all of a change.
_GATHER_SECONDS = 0.1


class ProgrammingBoard:
    """`?after=N` waits while N is what was answered last; without it the answer comes at once.

    A gateway that begins anew begins at a number of its own, so that nobody waits for a past one.
    """

    def __init__(
        self, now: Callable[[], Mapping[ObjectKey, RouteProgramming]], stage: Callable[[], Hashable]
    ) -> None:
        """`now` says of each route how it is, the same as before for as long as `stage` gives the same."""
        self._now = now
        self._stage = stage
        self._looked_at: Hashable = None
        self._said: Mapping[ObjectKey, RouteProgramming] | None = None
        self._revision = secrets.randbelow(1 << 40)
        self._news = asyncio.Event()
        self._is_closed = False

    def route(self) -> web.RouteDef:
        return web.get(PATH, self._answer)

    async def keep(self, changed: asyncio.Event) -> None:
        """Look again after each change, until cancelled."""
        while True:
            changed.clear()
            self._look()
            await changed.wait()
            await asyncio.sleep(_GATHER_SECONDS)

    def close(self) -> None:
        """Let those go who wait."""
        self._is_closed = True
        self._news.set()

    def _look(self) -> None:
        stage = self._stage()
        if self._said is not None and stage == self._looked_at:
            return
        self._looked_at = stage
        said = dict(self._now())
        if said != self._said:
            self._said = said
            self._revision += 1
            self._news.set()
            self._news = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "")
        if not after:
            # Who asks for the first time hears of what the gateway is ready with, not of a moment before.
            self._look()
        if after == str(self._revision) and not self._is_closed:
            try:
                async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                return web.Response(status=304)
        answer = programming_json(self._revision, self._said or {})
        return web.Response(text=answer, content_type="application/json")
