"""A server of aiohttp on this machine, for stand-ins that say what they serve and remember what was asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from ssl import SSLContext
from typing import Self

from aiohttp import web


class LoopbackServer(ABC):
    """Use as an async context manager; `port` 0 takes a free one, which is known once it has started."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def _app(self) -> web.Application:
        """What is served."""

    def _encryption(self) -> SSLContext | None:
        return None

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._encryption()).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()
