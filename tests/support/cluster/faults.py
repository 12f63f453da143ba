"""A proxy before the real API server that refuses, delays, cuts and goes silent as a test asks.

Everything that a fault does not touch goes through to the API server unchanged, as whoever asked.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

import aiohttp
from aiohttp import web

Forward = Callable[[], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Forward], Awaitable[web.StreamResponse]]
"""Answers a request itself, or by `forward()` from the API server, or breaks the connection."""

_HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "host", "keep-alive", "date"})


@dataclass(frozen=True)
class Seen:
    """One request as the proxy saw it; `forwarded` if the API server saw it too."""

    method: str
    path: str
    body: bytes
    forwarded: bool


@dataclass
class _Injected:
    fault: Fault
    method: str
    path: str
    left: int

    def concerns(self, request: web.Request) -> bool:
        return (
            self.left > 0
            and (not self.method or request.method == self.method)
            and (not self.path or self.path in request.path_qs)
        )


@dataclass
class WatchFaults:
    """What is done to the watches that go through, those under way too."""

    is_silent: bool = False
    """Nothing is passed on, and nothing is closed."""
    cut_in_next_line: bool = False
    """The next thing that arrives is passed on by half, and then the connection is closed; once."""
    delay_seconds: float = 0.0
    """Each thing arrives so much later; things keep their distance from each other."""
    open: int = field(default=0, init=False)


class FaultProxy:
    """Use as an async context manager; plain HTTP on `address`, TLS to the API server.

    With `serving` it speaks TLS too: clients in pods insist on it.
    """

    def __init__(
        self,
        server: str,
        tls: ssl.SSLContext,
        *,
        host: str = "127.0.0.1",
        serving: ssl.SSLContext | None = None,
    ) -> None:
        self.seen: list[Seen] = []
        self.watches = WatchFaults()
        self.address = ""
        self._server = server
        self._tls = tls
        self._host = host
        self._serving = serving
        self._faults: list[_Injected] = []
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._streams: list[web.Request] = []  # a request cannot be hashed

    async def __aenter__(self) -> FaultProxy:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls), auto_decompress=False
        )
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0, ssl_context=self._serving)
        await site.start()
        scheme = "http" if self._serving is None else "https"
        self.address = f"{scheme}://{self._host}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut_watches()
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    def inject(self, fault: Fault, *, times: int = 1, method: str = "", path: str = "") -> None:
        """Let the next so many requests of this method, whose path and query contain `path`, meet a fault."""
        self._faults.append(_Injected(fault, method, path, times))

    def heal(self) -> None:
        """No more faults from now on; a silent watch speaks again."""
        self._faults.clear()
        self.watches.is_silent = False
        self.watches.cut_in_next_line = False
        self.watches.delay_seconds = 0.0

    def cut_watches(self) -> None:
        """Break the connection of each watch under way."""
        for request in tuple(self._streams):
            _abort(request)

    def count(self, method: str, path: str = "", *, forwarded: bool | None = None) -> int:
        """How many such requests came, or came through."""
        return sum(
            seen.method == method and path in seen.path and forwarded in (None, seen.forwarded)
            for seen in self.seen
        )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        place = len(self.seen)
        self.seen.append(Seen(request.method, request.path_qs, body, forwarded=False))

        async def forward() -> web.StreamResponse:
            self.seen[place] = Seen(request.method, request.path_qs, body, forwarded=True)
            return await self._forward(request, body)

        for injected in self._faults:
            if injected.concerns(request):
                injected.left -= 1
                return await injected.fault(request, forward)
        return await forward()

    async def _forward(self, request: web.Request, body: bytes) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self._session.request(
            request.method,
            f"{self._server}{request.path_qs}",
            data=body or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as upstream:
            kept = {name: text for name, text in upstream.headers.items() if name.lower() not in _HOP_BY_HOP}
            if "watch" not in request.query or upstream.status != 200:
                return web.Response(status=upstream.status, headers=kept, body=await upstream.read())
            return await self._pass_on(request, upstream, kept)

    async def _pass_on(
        self, request: web.Request, upstream: aiohttp.ClientResponse, headers: dict[str, str]
    ) -> web.StreamResponse:
        answer = web.StreamResponse(status=upstream.status, headers=headers)
        await answer.prepare(request)
        self._streams.append(request)
        self.watches.open += 1
        try:
            async for part in self._late(upstream.content):
                if self.watches.is_silent:
                    continue
                if self.watches.cut_in_next_line:
                    self.watches.cut_in_next_line = False
                    await answer.write(part[: len(part) // 2])
                    break
                await answer.write(part)
        finally:
            self.watches.open -= 1
            self._streams = [other for other in self._streams if other is not request]
        return answer

    async def _late(self, content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
        """What arrives, each part after the delay that holds when it comes; none overtakes another."""
        loop = asyncio.get_running_loop()
        parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def take() -> None:
            try:
                async for part in content.iter_any():
                    parts.put_nowait((loop.time() + self.watches.delay_seconds, part))
            finally:
                parts.put_nowait((loop.time() + self.watches.delay_seconds, b""))

        taking = asyncio.create_task(take())
        try:
            while True:
                due, part = await parts.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not part:
                    await taking  # raises what broke the connection
                    return
                yield part
        finally:
            taking.cancel()
            with suppress(asyncio.CancelledError, aiohttp.ClientError):
                await taking


def refuse(status: int, *, retry_after: str = "", body: str = "") -> Fault:
    """Answer by itself, as a proxy or an overloaded API server does."""

    async def fault(_request: web.Request, _forward: Forward) -> web.StreamResponse:
        headers = {"Retry-After": retry_after} if retry_after else {}
        return web.Response(status=status, headers=headers, text=body or f"refused with {status}")

    return fault


def drop_before() -> Fault:
    """Break the connection; the API server never hears of the request."""

    async def fault(request: web.Request, _forward: Forward) -> web.StreamResponse:
        _abort(request)
        return web.Response()

    return fault


def drop_after() -> Fault:
    """Let the API server act, and break the connection instead of answering."""

    async def fault(request: web.Request, forward: Forward) -> web.StreamResponse:
        await forward()
        _abort(request)
        return web.Response()

    return fault


def slow(seconds: float) -> Fault:
    """Pass the request on only after that time."""

    async def fault(_request: web.Request, forward: Forward) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await forward()

    return fault


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
