"""A gateway of a cluster put together: watches, Envoy, the page that says how it is. Composition only."""

import asyncio
import signal
from pathlib import Path

import structlog

from pointsman.gateway.cluster.board import ProgrammingBoard
from pointsman.gateway.cluster.follow import Follower
from pointsman.gateway.cluster.metrics import hearing
from pointsman.gateway.cluster.settings import ClusterGatewaySettings
from pointsman.gateway.gateway import Gateway, GatewayPlaces
from pointsman.gateway.metrics_page import MetricsPage
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Credentials
from pointsman.kube.reader import KubeReader
from pointsman.kube.together import until_one_ends

_STDERR = Path("/dev/stderr")
_LEAVING_SECONDS = 10.0
"""How long new connections are taken after readiness fails: load balancers and other nodes hear of it late.
The controller of EndpointSlices and kube-proxy batch changes for up to a second each; a slow watch is given
three more, and a busy machine as much again.
"""


class ClusterGateway:
    """One replica. `run` returns after SIGTERM or SIGINT, when what ran has been drained."""

    def __init__(self, credentials: Credentials, settings: ClusterGatewaySettings) -> None:
        self._credentials = credentials
        self._settings = settings
        self._log = structlog.get_logger("gateway")
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._gateway = Gateway(
            settings.proxy, GatewayPlaces(settings.folder / "gateway", _envoy_log(settings.folder))
        )

    async def run(self) -> None:
        """Raises PointsmanError for what makes a start impossible: a port that is taken, a bad folder."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_end)
        async with Connection(self._credentials) as connection:
            follower = Follower(KubeReader(connection), self._settings, self._gateway.update)
            board = ProgrammingBoard(
                lambda: follower.inputs.told(self._gateway.programming()),
                lambda: (follower.inputs.revision, self._gateway.stage),
            )
            page = MetricsPage(
                self._gateway,
                is_ready=lambda: follower.has_begun and self._gateway.is_ready() and not self._stop.is_set(),
                more=(board.route(),),
                also=lambda: hearing(follower),
            )
            try:
                await self._gateway.start()
                await page.start(self._settings.metrics_address, self._settings.metrics_port)
                await self._serve(follower, board)
            finally:
                board.close()
                await page.stop()
                # Only what went wrong comes here with an Envoy that still runs.
                await self._gateway.stop(0)

    async def _serve(self, follower: Follower, board: ProgrammingBoard) -> None:
        """Follow until asked to end, and then until what runs has ended. What fails ends everything."""
        tasks = [
            asyncio.create_task(follower.run(), name="follow"),
            asyncio.create_task(board.keep(follower.changed), name="say what is programmed"),
            asyncio.create_task(self._hear(follower.changed), name="hear Envoy"),
            asyncio.create_task(self._leave(), name="leave"),
        ]
        await until_one_ends(tasks)

    async def _leave(self) -> None:
        """Once asked to: readiness fails, and clients are told to connect anew; then no new connections; then
        what runs ends. Replicas are followed all the while, since answers may take minutes.
        """
        await self._stop.wait()
        drain = self._settings.drain_seconds
        self._log.info("leaves", drain_seconds=drain)
        leaving = asyncio.create_task(self._gateway.stop(drain, min(_LEAVING_SECONDS, drain / 2)))
        hurried = asyncio.create_task(self._at_once.wait())
        await asyncio.wait((leaving, hurried), return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if leaving.done():
            leaving.result()
            return
        leaving.cancel()
        await asyncio.wait((leaving,))

    async def _hear(self, changed: asyncio.Event) -> None:
        while True:
            # Awaited as it is: nothing is missed between two turns.
            await self._gateway.changed()
            changed.set()

    def _asked_to_end(self) -> None:
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()


def _envoy_log(folder: Path) -> Path:
    """Envoy's log goes with ours, where it is collected and cannot fill the folder; else into a file."""
    try:
        with _STDERR.open("ab"):
            return _STDERR
    except OSError:
        return folder / "envoy.log"
