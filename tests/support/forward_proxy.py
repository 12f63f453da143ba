"""A proxy as companies have them, which notes what it is asked for and lets nobody through."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class ForwardProxy:
    """The server; `async with ForwardProxy() as proxy`. `asked` are the places (host:port) of CONNECTs."""

    asked: set[str] = field(default_factory=set)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> ForwardProxy:
        self._server = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, _, rest = (await reader.readline()).decode("latin-1").partition(" ")
        if method == "CONNECT":
            self.asked.add(rest.partition(" ")[0])
        while (await reader.readline()).strip():
            pass
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
