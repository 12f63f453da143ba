"""/live, /ready and /metrics of a process that controls a cluster.

Liveness is honest: a look at an object that never ends is a hang that a restart ends, and an event loop that
does not go round does not answer at all. An API server that is away is neither: a restart would not help.
"""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from pointsman.errors import PointsmanError


class HealthPage:
    """Serves while the process runs, leader or not. `is_ready` says whether it could lead at once."""

    def __init__(
        self, metrics: Callable[[], bytes], is_ready: Callable[[], bool], stalled: Callable[[], str]
    ) -> None:
        """`metrics` gives the page of that name, `stalled` says what hangs, "" if nothing does."""
        self._metrics = metrics
        self._is_ready = is_ready
        self._stalled = stalled
        self._runner: web.AppRunner | None = None

    async def start(self, address: str, port: int) -> int:
        """Listen; gives the port. Raises PointsmanError when it is taken."""
        app = web.Application()
        app.router.add_get("/live", self._live)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._page)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, address or None, port)
        try:
            await site.start()
        except OSError as error:
            raise PointsmanError(
                f"{address}:{port} cannot be used for health and metrics ({error.strerror})",
                todo="choose another --listen",
            ) from error
        address_in_use: tuple[str, int] = self._runner.addresses[0][:2]
        return address_in_use[1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        stalled = self._stalled()
        return web.Response(status=503 if stalled else 200, text=stalled or "live\n")

    async def _ready(self, _: web.Request) -> web.Response:
        ready = self._is_ready()
        return web.Response(status=200 if ready else 503, text="ready\n" if ready else "starting\n")

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})
