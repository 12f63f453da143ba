"""The autoscaler put together: watches, election, source, rounds. Composition only."""

import asyncio
import signal
import time
from collections.abc import Awaitable
from contextlib import suppress

import structlog

from pointsman.api import ObjectKey
from pointsman.catalog import shipped_catalog
from pointsman.health_page import HealthPage
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Credentials
from pointsman.kube.events import EventRecorder, EventType, Occurrence
from pointsman.kube.leading import lead_whenever_elected
from pointsman.kube.objects import KubeObject
from pointsman.kube.reader import KubeReader
from pointsman.kube.together import together, until_one_ends
from pointsman.kube.writer import KubeWriter
from pointsman_autoscaler.loop.acting import Actor, Announce
from pointsman_autoscaler.loop.cluster import Cluster
from pointsman_autoscaler.loop.metrics import AutoscalerMetrics
from pointsman_autoscaler.loop.rounds import Rounds
from pointsman_autoscaler.loop.settings import AutoscalerSettings
from pointsman_autoscaler.loop.steps import MANAGER, Told
from pointsman_autoscaler.signals.direct import DirectSource
from pointsman_autoscaler.signals.prometheus import PrometheusSource

_FLUSH_SECONDS = 2.0
_HANGS_SECONDS = 300.0
"""A round ends within time-outs of some seconds, many times over."""


class Autoscaler:
    """One replica. `run` returns when the process was asked to end, and all has ended."""

    def __init__(self, credentials: Credentials, settings: AutoscalerSettings) -> None:
        self._credentials = credentials
        self._settings = settings
        self._log = structlog.get_logger("autoscaler")
        self._metrics = AutoscalerMetrics()
        self._cluster: Cluster | None = None
        self._rounds: Rounds | None = None
        self._metrics.gauge(
            "leading", "Whether this replica decides.", lambda: float(self._rounds is not None)
        )

    @property
    def _leads(self) -> bool:
        return self._rounds is not None

    async def run(self) -> None:
        """Raises PointsmanError where it cannot listen."""
        page = HealthPage(self._metrics.page, self._is_synced, self._stalled)
        await page.start(self._settings.address, self._settings.port)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            async with Connection(self._credentials) as connection:
                self._cluster = Cluster(
                    KubeReader(connection), self._settings, shipped_catalog(), self._hurry
                )
                await self._run(connection, self._cluster, stop)
        finally:
            await page.stop()

    async def _run(self, connection: Connection, cluster: Cluster, stop: asyncio.Event) -> None:
        def lead(writer: KubeWriter) -> Awaitable[None]:
            return self._lead(KubeReader(connection), writer, cluster)

        leading = lead_whenever_elected(connection, self._settings, lead)
        tasks = [
            asyncio.create_task(stop.wait(), name="stop"),
            asyncio.create_task(leading, name="election"),
            *(asyncio.create_task(one.run(), name=f"informer {one.selection}") for one in cluster.informers),
        ]
        await until_one_ends(tasks)

    async def _lead(self, reader: KubeReader, writer: KubeWriter, cluster: Cluster) -> None:
        """Look and write, until cancelled. Nothing is decided before what there is is known completely."""
        await cluster.complete()
        recorder = EventRecorder(writer, MANAGER, self._settings.identity)
        telling = asyncio.create_task(recorder.run(), name="events")
        actor = Actor(reader, writer, _announcer(recorder), self._metrics)
        self._log.info("leads", deployments=len(cluster.keys))
        try:
            async with self._source(cluster) as source:
                look_seconds = self._settings.look_seconds or source.look_seconds
                self._rounds = Rounds(
                    self._settings.policy_of,
                    self._metrics,
                    look_seconds,
                    self._settings.patience,
                    self._settings.settling_seconds,
                )
                await together({"look": self._rounds.run(cluster, source, actor)})
        finally:
            self._rounds = None
            # Another one recommends now.
            self._metrics.forget_all()
            await recorder.flush(_FLUSH_SECONDS)
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    def _source(self, cluster: Cluster) -> PrometheusSource | DirectSource:
        """The fleet's Prometheus, and engines and gateways themselves where it has none."""
        prometheus = self._settings.fleet.metrics.prometheus
        if prometheus is not None:
            return PrometheusSource(prometheus, time.time, self._settings.patience)
        return DirectSource(lambda: cluster.gateways, time.time, self._settings.patience)

    def _hurry(self, key: ObjectKey) -> None:
        if self._rounds is not None:
            self._rounds.hurry(key)

    def _stalled(self) -> str:
        seconds = self._rounds.working_seconds if self._rounds is not None else 0.0
        return f"a round of looks has taken {seconds:.0f} s\n" if seconds > _HANGS_SECONDS else ""

    def _is_synced(self) -> bool:
        return self._cluster is not None and self._cluster.is_complete


def _announcer(recorder: EventRecorder) -> Announce:
    def announce(about: KubeObject, told: Told) -> None:
        kind = EventType.WARNING if told.is_warning else EventType.NORMAL
        recorder.record(about, Occurrence(kind, told.reason, told.message, "Scale"))

    return announce
