"""The gateway as benchmarks use it: the one place that knows how a Gateway is made and asked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

from pointsman.gateway import Gateway, GatewayPlaces
from pointsman.routing import ProxySettings, RoutingInput
from tests.support.clients import OpenAIClient
from tests.support.polling import eventually_async
from tests.support.ports import free_ports
from tests.support.processes import tree_rss_bytes

_READY_SECONDS = 60.0


class GatewayUnderTest:
    """A gateway in this process's event loop, with its own Envoy. Use as an async context manager."""

    def __init__(self, given: RoutingInput, *, workers: int = 1) -> None:
        self.port, tombstone_port = free_ports(2)
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._log = folder / "envoy.log"
        settings = ProxySettings(listen_port=self.port, tombstone_port=tombstone_port, workers=workers)
        self._gateway = Gateway(settings, GatewayPlaces(folder / "gateway", self._log))
        self._given = given

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def envoy_pid(self) -> int:
        pid = self._gateway.envoy.pid
        assert pid is not None, f"the gateway's Envoy does not run\n{self.log()}"
        return pid

    def envoy_rss_bytes(self) -> int:
        """Resident memory of its Envoy."""
        return tree_rss_bytes(self.envoy_pid)

    def log(self) -> str:
        """What its Envoy logged."""
        return self._log.read_text() if self._log.exists() else ""

    def update(self, given: RoutingInput) -> None:
        """Hand the gateway a new input."""
        self._gateway.update(given)

    async def answers(self, model: str, api_key: str = "") -> None:
        """Wait until a chat with the model is answered. Raises AssertionError with the last answer."""
        async with OpenAIClient(self.url, api_key=api_key) as client:

            async def served() -> bool:
                answer = await client.stream_chat(model)
                said = f"{answer.ending} {answer.status} {answer.body}{answer.error}"
                assert answer.status == 200, f"{said}\n{self.log()}"
                return True

            await eventually_async(served, _READY_SECONDS, f"{model} is served")

    async def __aenter__(self) -> GatewayUnderTest:
        await self._gateway.start()
        self._gateway.update(self._given)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._gateway.stop(0)
        self._folder.cleanup()
