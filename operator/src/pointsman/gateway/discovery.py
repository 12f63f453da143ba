"""The discovery service: delta ADS for our own Envoy over a Unix socket."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import grpc
import structlog
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from pointsman.api import Secret
from pointsman.errors import PointsmanError
from pointsman.gateway.refusal_reason import legible
from pointsman.gateway.run_folder import short_path
from pointsman.gateway.session import DeltaSession
from pointsman.gateway.store import ResourceStore
from pointsman.routing.resources import LISTENER

_log = structlog.get_logger(__name__)

_LISTEN_AGAIN_SECONDS = 1.0
_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"


class DiscoveryServer:
    """Serves one store; knows the session of the Envoy that is connected.

    `secrets` are those whose values may not be repeated to anybody.
    """

    def __init__(self, store: ResourceStore, secrets: Callable[[], Iterable[Secret]] = tuple) -> None:
        self._store = store
        self._secrets = secrets
        self._server: grpc.aio.Server | None = None
        self._listen_again: asyncio.Task[None] | None = None
        self._path = ExitStack()
        self.session: DeltaSession | None = None
        self.streams = 0
        """How many there have been."""
        self._progress = asyncio.Event()

    async def start(self, socket: Path) -> None:
        """Listen on a Unix socket. Raises PointsmanError if that cannot be."""
        # 3,000 models in one response are some 20 MB, over gRPC's default limit of 4 MiB.
        server = grpc.aio.server(
            options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        )
        method = grpc.stream_stream_rpc_method_handler(
            self._stream, DeltaDiscoveryRequest.FromString, DeltaDiscoveryResponse.SerializeToString
        )
        handler = grpc.method_handlers_generic_handler(_SERVICE, {"DeltaAggregatedResources": method})
        server.add_generic_rpc_handlers((handler,))
        try:
            server.add_insecure_port(f"unix:{self._path.enter_context(short_path(socket))}")
        except (OSError, RuntimeError) as error:
            raise PointsmanError(
                "no socket can be made there", where=str(socket.parent), todo="choose another folder"
            ) from error
        await server.start()
        self._server = server
        self._listen_again = asyncio.create_task(self._keep_listening())

    async def stop(self) -> None:
        """End all streams."""
        if self._listen_again is not None:
            self._listen_again.cancel()
            with suppress(asyncio.CancelledError):
                await self._listen_again
        if self._server is not None:
            await self._server.stop(0)
            self._server = None
        self._path.close()

    async def _keep_listening(self) -> None:
        """Have a refused listener tried again: the port that was taken may be free by now."""
        while True:
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)
            self._store.retry(LISTENER)

    async def progressed(self) -> None:
        """Wait until a stream has sent or received something."""
        await self._progress.wait()

    async def _stream(
        self, request_iterator: AsyncIterator[DeltaDiscoveryRequest], context: object
    ) -> AsyncIterator[DeltaDiscoveryResponse]:
        """One stream: answer what is asked, push what changes."""
        session = self.session = DeltaSession(self._store)
        self.streams += 1
        requests: deque[DeltaDiscoveryRequest] = deque()
        wake = asyncio.Event()

        async def read() -> None:
            try:
                async for request in request_iterator:
                    requests.append(request)
                    wake.set()
            finally:
                wake.set()

        reader = asyncio.create_task(read())
        try:
            with self._store.watched_by(wake):
                while not reader.done():
                    wake.clear()
                    while requests:
                        self._take(session, requests.popleft())
                    for response in session.responses():
                        yield response
                    self._tell_progress()
                    await wake.wait()
        finally:
            reader.cancel()
            if self.session is session:
                self.session = None
            self._tell_progress()

    def _take(self, session: DeltaSession, request: DeltaDiscoveryRequest) -> None:
        if request.HasField("error_detail"):
            reason = legible(request.error_detail.message, self._secrets())
            request.error_detail.message = reason
            _log.warning("envoy_refused", type=request.type_url.rsplit(".", 1)[-1], reason=reason)
        session.receive(request)

    def _tell_progress(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()
