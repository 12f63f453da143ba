"""One HTTP session towards the API server: JSON in and out, timeouts, retries, typed errors."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

import pointsman
from pointsman.json_text import dumped
from pointsman.kube.answers import decoded, refusal
from pointsman.kube.clock import Clock, Fraction, elapsed_seconds, fraction
from pointsman.kube.credentials import Access, Credentials
from pointsman.kube.errors import (
    Interrupted,
    KubeError,
    LeadershipLost,
    Silent,
    Unauthorized,
    Unreachable,
)
from pointsman.kube.fence import Fence
from pointsman.kube.retrying import Retries

JSON: Final = "application/json"
APPLY_PATCH: Final = "application/apply-patch+yaml"  # JSON is YAML, and much faster to write
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"

Query = Mapping[str, str | int]
Observer = Callable[[str, str, int, float], None]
"""Told of each answer: method, path, HTTP status (0: none), seconds."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How patient a connection is, in seconds unless said otherwise.

    `connect_seconds` is TCP and TLS together. `answer_seconds` is for the whole answer: the API server ends
    a request by itself after 60. `silence_seconds` is silence on a watch: the API server
    sends a bookmark each minute, but none for a kind of which nothing changed; so after a longer silence the
    connection is dead, or all is quiet. `concurrent` requests run at once, without the watches.
    """

    connect_seconds: float = 5.0
    answer_seconds: float = 30.0
    silence_seconds: float = 68.0
    concurrent: int = 32
    retries: Retries = field(default_factory=Retries)


class Connection:
    """Use it as an async context manager. Safe for any number of tasks of one event loop."""

    def __init__(
        self,
        credentials: Credentials,
        settings: ConnectionSettings | None = None,
        *,
        observer: Observer | None = None,
        clock: Clock = elapsed_seconds,
        jitter: Fraction = fraction,
    ) -> None:
        self.settings = settings or ConnectionSettings()
        self._credentials = credentials
        self._observer = observer
        self._clock = clock
        self._jitter = jitter
        self._turn = asyncio.Semaphore(self.settings.concurrent)
        self._reading = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # The number of connections is bound by `concurrent`; a watch must never wait for a place.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            headers={"User-Agent": f"pointsman/{pointsman.__version__}", "Accept": JSON},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        content_type: str = JSON,
        repeatable: bool = True,
        fence: Fence | None = None,
    ) -> Any:
        """Send one request, its body as JSON where it is not that already, and give its answer's JSON.

        Sent again while the failure may pass. Where `repeatable` is false, only if the server did not begin
        to act on it. With a `fence`, each sending asks it at the moment the body goes out. Raises KubeError.
        """
        retries = self.settings.retries
        failures = 0
        is_known = True
        while True:
            try:
                async with self._turn:
                    return await self._once(method, path, query, body, content_type, fence)
            except Unauthorized:
                if not is_known:
                    raise
                is_known = False
                self._credentials.refuse()
                continue
            except KubeError as error:
                failures += 1
                may_repeat = error.transient and (repeatable or error.untouched)
                if not may_repeat or failures >= retries.attempts:
                    raise
                pause = retries.pause_seconds(failures, error.retry_after_seconds, self._jitter())
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(self, path: str, query: Query) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch and give what arrives, as it arrives. Not retried: who reads knows where to go on.

        Raises KubeError, also while what arrives is read.
        """
        settings = self.settings
        patience = aiohttp.ClientTimeout(
            total=None, connect=settings.connect_seconds, sock_read=settings.silence_seconds
        )
        try:
            async with AsyncExitStack() as open_until_left:
                opening = self._open("GET", path, query, patience, {}, None)
                async with asyncio.timeout(settings.connect_seconds + settings.answer_seconds):
                    answer = await open_until_left.enter_async_context(opening)
                if answer.status >= 400:
                    error = refusal(answer, await answer.read())
                    if isinstance(error, Unauthorized):
                        self._credentials.refuse()
                    raise error
                yield _parts(answer, path)
        except _BROKEN as error:
            raise _no_answer(error, path) from error

    async def _once(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Mapping[str, Any] | bytes | None,
        content_type: str,
        fence: Fence | None,
    ) -> Any:
        patience_seconds = self.settings.connect_seconds + self.settings.answer_seconds
        data: _FencedBody | bytes | None = None
        headers: dict[str, str] = {}
        if body is not None:
            data = body if isinstance(body, bytes) else dumped(body)
            headers["Content-Type"] = content_type
            if fence is not None:
                fence.check()
                patience_seconds = min(patience_seconds, fence.patience_seconds())
                data = _FencedBody(data, content_type, fence)
        patience = aiohttp.ClientTimeout(total=patience_seconds, connect=self.settings.connect_seconds)
        began = self._clock()
        status = 0
        try:
            async with self._open(method, path, query, patience, headers, data) as answer:
                content = await answer.read()
                status = answer.status
                if status >= 400:
                    raise refusal(answer, content)
                return decoded(content, path)
        except _BROKEN as error:
            if isinstance(data, _FencedBody) and data.refused is not None:
                raise data.refused from error
            raise _no_answer(error, path) from error
        finally:
            if self._observer is not None:
                self._observer(method, path, status, self._clock() - began)

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        query: Query | None,
        patience: aiohttp.ClientTimeout,
        headers: dict[str, str],
        data: "_FencedBody | bytes | None",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise Unreachable("the connection is closed", where=path)
        access = await self._access()
        if access.authorization:
            headers["Authorization"] = access.authorization
        address = access.server + path
        if query:
            address = f"{address}?{_query_text(tuple(query.items()))}"
        async with self._session.request(
            method,
            URL(address, encoded=True),
            data=data,
            headers=headers,
            timeout=patience,
            ssl=access.tls if access.tls is not None else False,
            server_hostname=access.server_name,
            proxy=access.proxy,
            allow_redirects=False,
        ) as answer:
            yield answer

    async def _access(self) -> Access:
        """One reader at a time: a plugin that takes a second runs once, not once for each waiting request."""
        async with self._reading:
            return await self._credentials.access()


class _FencedBody(aiohttp.BytesPayload):
    """A body that asks the fence when the connection is there and the bytes are about to leave.

    When the fence refuses, the connection is dropped with the body unsent: the server has nothing to act on.
    """

    def __init__(self, content: bytes, content_type: str, fence: Fence) -> None:
        super().__init__(content, content_type=content_type)
        self._fence = fence
        self.refused: LeadershipLost | None = None

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        try:
            self._fence.check()
        except LeadershipLost as error:
            self.refused = error
            raise
        await super().write_with_length(writer, content_length)


@lru_cache(maxsize=256)
def _query_text(query: tuple[tuple[str, str | int], ...]) -> str:
    """Every apply has the same one."""
    return urlencode(query)


# aiohttp's ServerTimeoutError is a TimeoutError, its resets are OSErrors.
_BROKEN: Final = (aiohttp.ClientError, TimeoutError, OSError)


async def _parts(answer: aiohttp.ClientResponse, path: str) -> AsyncIterator[bytes]:
    try:
        async for part in answer.content.iter_any():
            yield part
    except aiohttp.SocketTimeoutError as error:
        raise Silent("nothing came on the watch", where=path) from error
    except _BROKEN as error:
        raise _no_answer(error, path) from error


def _no_answer(error: BaseException, path: str) -> KubeError:
    text = str(error) or type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unreachable(f"the API server cannot be reached: {text}", where=path)
    return Interrupted(f"the API server's answer did not arrive: {text}", where=path)
