"""A scripted engine as the first process of a container: starts, serves, and ends in its engine's way."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence

from aiohttp import web

from tests.support.engine_stand_in import EngineStandIn
from tests.support.engines.script import EngineScript


class ScriptedEngine(EngineStandIn):
    """Answers as the stand-in does; `page` is its metrics, `version` what `/version` says."""

    def __init__(
        self,
        script: EngineScript,
        *,
        host: str,
        port: int,
        served_names: Sequence[str],
        version: tuple[int, ...],
        page: Callable[[ScriptedEngine], str],
    ) -> None:
        super().__init__(
            served_names[0], host=host, port=port, default=script.behaviour, served_names=served_names
        )
        self.engine_script = script
        self.version = version
        self.is_ready = False
        self.is_ending = False
        self._page = page

    def add_routes(self, app: web.Application) -> None:
        async def health(request: web.Request) -> web.Response:
            return web.Response(status=200 if self.is_healthy() else 503)

        async def metrics(request: web.Request) -> web.Response:
            return web.Response(text=self._page(self))

        async def version(request: web.Request) -> web.Response:
            return web.json_response({"version": ".".join(str(part) for part in self.version)})

        async def crash(request: web.Request) -> web.Response:
            """POST /_stand_in/crash?code=1: the process ends at once, connections and all."""
            os._exit(int(request.query.get("code", "1")))

        app.router.add_get("/health", health)
        app.router.add_get("/metrics", metrics)
        app.router.add_get("/version", version)
        app.router.add_post("/_stand_in/crash", crash)
        self.add_engine_routes(app)

    def add_engine_routes(self, app: web.Application) -> None:
        """Routes that only this engine has."""

    def is_healthy(self) -> bool:
        """What `/health` says."""
        return self.healthy

    async def begin(self) -> None:
        """Load, and listen when the engine does."""
        await self.load()
        await self.start()
        self.is_ready = True

    async def load(self, share: float = 0.0) -> None:
        """The part of the start in which nothing listens; `share` seconds of it are left for later."""
        print(f"loading {self.name}", flush=True)
        await asyncio.sleep(max(0.0, self.engine_script.start_seconds - share))
        if self.engine_script.crash_at_start:
            print(self.engine_script.crash_at_start, file=sys.stderr, flush=True)
            os._exit(1)

    async def end(self) -> None:
        """What SIGTERM makes of it; the process ends when this returns."""

    async def until_idle(self) -> None:
        """Wait until no request runs."""
        await self.settled(float("inf"))


async def serve(engine: ScriptedEngine) -> None:
    """Run until SIGTERM has done its work."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if engine.engine_script.ignores_sigterm:
        loop.add_signal_handler(signal.SIGTERM, lambda: None)
    else:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    starting = asyncio.create_task(engine.begin())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        print(f"{engine.name} serves on {engine.url}", flush=True)
        await stopping
        engine.is_ending = True
        await engine.end()
    sys.stdout.flush()
    # At once: whatever is still open is cut, as when a real engine's process ends.
    os._exit(0)
