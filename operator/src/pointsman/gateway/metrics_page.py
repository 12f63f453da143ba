"""The gateway's own small HTTP server: /metrics for Prometheus, /ready and /live for probes."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from aiohttp import web

from pointsman.errors import PointsmanError
from pointsman.gateway.cost import CostMeter
from pointsman.gateway.exposition import COST, HELD, Family, Sample, page, renamed
from pointsman.gateway.gateway import Gateway

_log = structlog.get_logger(__name__)

# Often enough that a price change or a crash of Envoy loses little; Prometheus asks about as often.
_COST_EVERY_SECONDS = 15.0

# Whoever asks is Prometheus or a probe, and asks again.
_END_SECONDS = 1.0

_UP = Family("envoy_up", "gauge", "Whether Envoy answers; without it there are only the numbers of our own.")
_RESTARTS = Family(
    "envoy_restarts_total", "counter", "Times that Envoy ended, whatever for, and was started again."
)
_HANGS = Family(
    "envoy_hangs_total",
    "counter",
    "Times that Envoy lived, did not answer, and was ended for that.",
)
_REFUSED = Family("refused_routes", "gauge", "Routes that are not in use as written.")
_ROUTES = Family("routes", "gauge", "Routes that this gateway was told of.")


class MetricsPage:
    """Serves one gateway's metrics on its own address, apart from where clients go."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        is_ready: Callable[[], bool] | None = None,
        more: Iterable[web.AbstractRouteDef] = (),
        also: Callable[[], Iterable[tuple[Family, list[Sample]]]] = tuple,
    ) -> None:
        """`is_ready` is what /ready says, by default whether Envoy serves; `more` is served beside; `also` is
        said beside the gateway's own metrics.
        """
        self._gateway = gateway
        self._is_ready = is_ready or gateway.is_ready
        self._more = tuple(more)
        self._also = also
        self._costs = CostMeter()
        self._runner: web.AppRunner | None = None
        self._meter: asyncio.Task[None] | None = None
        # A page that is looked at after a later one would be taken for one of an Envoy that began anew.
        self._one_by_one = asyncio.Lock()

    async def start(self, address: str, port: int) -> None:
        """Listen. Raises PointsmanError when the port is taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/live", self._live)
        app.add_routes(self._more)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_END_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, address, port).start()
        except OSError as error:
            raise PointsmanError(
                f"{address}:{port} cannot be used for metrics ({error.strerror})", todo="choose another port"
            ) from error
        self._meter = asyncio.create_task(self._keep_metering())

    async def stop(self) -> None:
        """Stop listening."""
        if self._meter is not None:
            self._meter.cancel()
            with suppress(asyncio.CancelledError):
                await self._meter
        if self._runner is not None:
            await self._runner.cleanup()

    async def text(self) -> str:
        """The page."""
        async with self._one_by_one:
            counted = await self._counted()
        families = list(counted or ())
        states = self._gateway.programming().values()
        own = {
            _UP: counted is not None,
            _RESTARTS: self._gateway.envoy.restarts,
            _HANGS: self._gateway.envoy.hangs,
            _ROUTES: len(states),
            _REFUSED: sum(not state.accepted for state in states),
        }
        families.append((COST, self._costs.spent()))
        families.append((HELD, self._held()))
        families += [(family, [Sample(family.name, {}, float(value))]) for family, value in own.items()]
        families += self._also()
        return page(families)

    def _held(self) -> list[Sample]:
        """Of each target for which requests may be held: that there are none is news, too."""
        held = self._gateway.hold.held
        may_rest = [key for key, one in self._gateway.given.deployments.items() if one.may_rest]
        return [
            Sample(HELD.name, {"target": str(key)}, float(held.get(key, 0)))
            for key in sorted({*may_rest, *held})
        ]

    async def _counted(self) -> list[tuple[Family, list[Sample]]] | None:
        """What Envoy has counted, which the costs learn too; None while it is away."""
        envoy = self._gateway.envoy
        starts = envoy.restarts
        if not envoy.answers:
            # Whoever asks for the page would wait as long as for an answer, and get none of it.
            return None
        try:
            families = renamed(await envoy.admin.get("/stats/prometheus"))
        except PointsmanError as error:
            _log.warning("envoy_metrics_missing", reason=str(error))
            return None
        if envoy.restarts != starts:
            return None
        found = (sample for _, samples in families for sample in samples)
        self._costs.observe(found, self._gateway.given.deployments, starts=starts)
        return families

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=await self.text(), content_type="text/plain", charset="utf-8")

    async def _ready(self, request: web.Request) -> web.Response:
        ready = self._is_ready()
        return web.Response(status=200 if ready else 503, text="ready\n" if ready else "not ready\n")

    async def _live(self, request: web.Request) -> web.Response:
        # An Envoy that ended is started again by us; a loop that does not go round does not answer.
        return web.Response(text="live\n")

    async def _keep_metering(self) -> None:
        while True:
            await asyncio.sleep(_COST_EVERY_SECONDS)
            async with self._one_by_one:
                await self._counted()
