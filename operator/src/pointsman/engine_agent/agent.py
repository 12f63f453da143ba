"""One agent: asks its engine until it serves, watches that it goes on, and lets it end with no answer cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pointsman.catalog.adapter_report import PATH as ADAPTERS
from pointsman.catalog.adapter_report import AdapterReport
from pointsman.catalog.metric_report import PATH as METRIC_NAMES
from pointsman.engine_agent.asking import Engine, running_requests
from pointsman.engine_agent.draining import Drain
from pointsman.engine_agent.engine_metrics import PREFIX, Readings
from pointsman.engine_agent.liveness import PATIENCE, Patience, Verdict
from pointsman.engine_agent.loading import AdapterLoading
from pointsman.engine_agent.settings import AgentSettings
from pointsman.engine_agent.watching import SILENT, until_it_hangs
from pointsman.errors import PointsmanError

_ASK_AGAIN_SECONDS = 0.5
_LOOK_SECONDS = 0.5


class Agent:
    """`run` until cancelled. Serves /livez, /readyz, /engine, /metrics and its names, /adapters; on a port
    of its own /drain, because it takes the replica out.
    """

    def __init__(self, settings: AgentSettings, patience: Patience = PATIENCE) -> None:
        self._settings = settings
        self._patience = patience
        self._log = structlog.get_logger("engine_agent")
        self._trouble = "the engine has not answered yet"
        self._serving = asyncio.Event()
        self._hangs = False
        self._drain: Drain | None = None
        adapters = settings.adapters
        self._adapters = AdapterLoading(adapters) if adapters is not None else None

    async def run(self) -> None:
        """Raises PointsmanError where it cannot listen."""
        async with aiohttp.ClientSession() as session:
            self._engine = Engine(self._settings.engine, session)
            async with (
                self._listening(self._routes(), self._settings.port),
                self._listening(self._drain_route(), self._settings.drain_port),
                asyncio.TaskGroup() as group,
            ):
                if self._adapters is not None:
                    group.create_task(self._adapters.run(self._engine), name="adapters")
                await self._watch()

    @asynccontextmanager
    async def _listening(self, app: web.Application, port: int) -> AsyncIterator[None]:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, self._settings.host, port).start()
            except OSError as error:
                where = f"{self._settings.host}:{port}"
                raise PointsmanError(f"{where} cannot be listened on ({error.strerror})") from error
            yield
        finally:
            await runner.cleanup()

    def _routes(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/engine", self._enginez)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get(METRIC_NAMES, self._metric_names)
        if self._adapters is not None:
            app.router.add_get(ADAPTERS, self._loaded_adapters)
        return app

    def _drain_route(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/drain", self._drained)
        return app

    async def _watch(self) -> None:
        while True:
            await self._until_it_serves()
            self._serving.set()
            self._log.info("ready")
            self._trouble = await until_it_hangs(self._engine, self._hear, self._patience)
            self._serving.clear()
            self._hangs = True
            self._log.warning("engine_hangs", trouble=self._trouble)

    async def _until_it_serves(self) -> None:
        """One that hangs is held for that until it serves, or until another process has loaded the model."""
        loop = asyncio.get_running_loop()
        loaded_at: float | None = None
        was_gone = False
        while True:
            answer = await self._engine.is_loaded()
            if answer.is_good:
                loaded_at = loop.time() if loaded_at is None or was_gone else loaded_at
                if was_gone:
                    was_gone, self._hangs, self._drain = False, False, None
                answer = await self._engine.answers_a_request()
            was_gone = was_gone or answer.is_gone
            if answer.trouble != self._trouble:
                self._log.info("asked", trouble=answer.trouble)
            self._trouble = answer.trouble
            if answer.is_good:
                self._hangs = False
                return
            if loaded_at is not None and not answer.is_final and not was_gone:
                # It says that it could, and does not: no other start would say more.
                self._hangs = self._hangs or loop.time() - loaded_at >= self._patience.stalled_seconds
            await asyncio.sleep(_ASK_AGAIN_SECONDS)

    def _hear(self, verdict: Verdict) -> None:
        self._trouble = "" if verdict is Verdict.READY else SILENT
        self._log.info("heard", verdict=str(verdict))

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        trouble = "the replica drains" if self._drain is not None else self._trouble
        now = asyncio.get_running_loop().time()
        if not trouble and self._adapters is not None and self._adapters.is_catching_up(now):
            trouble = "adapters are being loaded"
        return web.Response(status=503 if trouble else 200, text=f"{trouble or 'ready'}\n")

    async def _enginez(self, _: web.Request) -> web.Response:
        """Whether the engine lives, for its own container's liveness probe."""
        text = f"hangs: {self._trouble}" if self._hangs else "lives"
        return web.Response(status=503 if self._hangs else 200, text=f"{text}\n")

    async def _drained(self, _: web.Request) -> web.Response:
        """Answers when the engine may be ended. Its container's preStop waits for it: at the end of the pod,
        and before a restart, when nothing is left to wait for.
        """
        if not self._serving.is_set():
            return web.Response(text="nothing to wait for\n")
        loop = asyncio.get_running_loop()
        drain = self._drain = self._drain or Drain(loop.time(), self._settings.drain_seconds)
        self._log.info("drains")
        while self._serving.is_set() and not drain.is_over(loop.time()):
            await asyncio.sleep(_LOOK_SECONDS)
            drain = drain.seen(running_requests(await self._engine.readings()), loop.time())
        self._log.info("drained")
        return web.Response(text="drained\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        readings = await self._engine.readings()
        registry = CollectorRegistry()
        registry.register(_Page(readings, self._engine.metric_names))
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _metric_names(self, _: web.Request) -> web.Response:
        report = await self._engine.metric_report()
        return web.Response(text=report.to_json(), content_type="application/json")

    async def _loaded_adapters(self, _: web.Request) -> web.Response:
        report = self._adapters.report() if self._adapters is not None else AdapterReport("")
        return web.Response(text=report.to_json(), content_type="application/json")


class _Page(Collector):
    """One answer. `available` says of each of our names whether the engine has it: absent is not zero."""

    def __init__(self, readings: Readings | None, names: list[str]) -> None:
        self._readings = readings
        self._names = names

    def collect(self) -> list[Metric]:
        found = GaugeMetricFamily(
            f"{PREFIX}metric_available", "Whether the engine says this metric.", labels=("name",)
        )
        missing = set(self._names if self._readings is None else self._readings.missing)
        for name in self._names:
            found.add_metric((name,), float(name not in missing))
        return [found, *(self._readings.families if self._readings is not None else ())]


async def serve(settings: AgentSettings) -> None:
    """An agent until the process is asked to end."""
    with suppress(asyncio.CancelledError):
        await Agent(settings).run()
