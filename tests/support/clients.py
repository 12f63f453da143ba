"""Asynchronous clients of an OpenAI-shaped endpoint on this machine.

Each call returns an `Answer` that says how it ended, and has a deadline. Clients for floods and slow readers
are in `load_clients`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from tests.support.answers import Answer, Ending, Event, SseParser

__all__ = ["Answer", "Ending", "Event", "OpenAIClient", "SseParser", "chat_body", "require_loopback"]

DEADLINE_SECONDS = 30.0


def chat_body(model: str, prompt: str = "Say hello.", **more: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **more}


def require_loopback(url: str) -> None:
    """Raise ValueError unless `url` is on this machine: tests talk to no one else."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(f"{url} is not on this machine")


class OpenAIClient:
    """A client of one endpoint; use as an async context manager. It never retries.

    `url` has no path (`http://127.0.0.1:8080`). With `connections=0` there is no bound on connections.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str = "",
        headers: Mapping[str, str] | None = None,
        connections: int = 0,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`resolver` says for each new connection where the name in the URL is."""
        require_loopback(url)
        self.url = url.rstrip("/")
        self._headers = {**({"authorization": f"Bearer {api_key}"} if api_key else {}), **(headers or {})}
        self._connections = connections
        self._tls: ssl.SSLContext | bool = tls or True
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> OpenAIClient:
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            ssl=self._tls,
            resolver=self._resolver,
            use_dns_cache=self._resolver is None,
        )
        # The deadline of each call is the only clock.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=None)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def chat(self, model: str, prompt: str = "Say hello.", **more: Any) -> Answer:
        """One plain chat. `more` goes into the body, `headers` and `deadline_seconds` to `request`."""
        options = {key: more.pop(key) for key in ("headers", "deadline_seconds") if key in more}
        return await self.request("POST", "/v1/chat/completions", chat_body(model, prompt, **more), **options)

    async def stream_chat(self, model: str, prompt: str = "Say hello.", **more: Any) -> Answer:
        """One streamed chat, read to its end. Also takes `hang_up_after_events` and `on_event`."""
        names = ("headers", "deadline_seconds", "hang_up_after_events", "on_event")
        options = {key: more.pop(key) for key in names if key in more}
        body = chat_body(model, prompt, stream=True, **more)
        return await self.request("POST", "/v1/chat/completions", body, **options)

    async def models(self, **options: Any) -> tuple[str, ...]:
        """The model names of GET /v1/models. Raises AssertionError on any other answer."""
        answer = await self.request("GET", "/v1/models", **options)
        assert answer.ok, f"GET /v1/models ended {answer.ending}: {answer.status} {answer.body}{answer.error}"
        return tuple(row["id"] for row in answer.json()["data"])

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        hang_up_after_events: int | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Answer:
        """Any request. `body` is JSON data, or bytes that are sent as they are. Never raises for what the
        other side does; the answer says it."""
        assert self._session is not None, "enter the client first"
        reading = _Reading(hang_up_after_events, on_event)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent_headers = {
            **({"content-type": "application/json"} if data is not None else {}),
            **(headers or {}),
        }
        try:
            async with asyncio.timeout(deadline_seconds):
                async with self._session.request(
                    method, self.url + path, data=data, headers=sent_headers, allow_redirects=False
                ) as response:
                    return await reading.read(response)
        except TimeoutError:
            return reading.answer(Ending.DEADLINE, f"not over after {deadline_seconds} s")
        except (aiohttp.ClientError, ConnectionError) as error:
            ending = Ending.TRUNCATED if reading.status else Ending.CONNECTION_FAILED
            return reading.answer(ending, f"{type(error).__name__}: {error}")


class _Reading:
    """One response as it is read."""

    def __init__(self, hang_up_after_events: int | None, on_event: Callable[[Event], None] | None) -> None:
        self.status = 0
        self._headers: Mapping[str, str] = {}
        self._began = time.monotonic()
        self._events: list[Event] = []
        self._text: list[str] = []
        self._body = ""
        self._first_content: float | None = None
        self._whole = False
        self._failed = ""
        self._hang_up_after_events = hang_up_after_events
        self._on_event = on_event

    def answer(self, ending: Ending, error: str = "") -> Answer:
        return Answer(
            ending=ending,
            status=self.status,
            headers=self._headers,
            text="".join(self._text),
            body=self._body,
            events=tuple(self._events),
            seconds=time.monotonic() - self._began,
            first_content_seconds=self._first_content,
            error=error,
        )

    async def read(self, response: aiohttp.ClientResponse) -> Answer:
        self._headers = {name.lower(): value for name, value in response.headers.items()}
        self.status = response.status
        if "text/event-stream" in self._headers.get("content-type", ""):
            return await self._read_stream(response)
        self._body = await response.text()
        if response.status >= 400:
            return self.answer(Ending.ERROR_STATUS)
        data = _json_object(self._body)
        if data.get("error"):
            return self.answer(Ending.ERROR_EVENT, json.dumps(data["error"]))
        self._note_content(_content(data))
        return self.answer(Ending.DONE)

    async def _read_stream(self, response: aiohttp.ClientResponse) -> Answer:
        async for event in _events(response, self._began):
            self._take(event)
            if self._hang_up_after_events is not None and len(self._events) >= self._hang_up_after_events:
                response.close()
                return self.answer(Ending.HUNG_UP)
        if self.status >= 400:
            return self.answer(Ending.ERROR_STATUS, self._failed)
        if self._failed:
            return self.answer(Ending.ERROR_EVENT, self._failed)
        return self.answer(Ending.DONE if self._whole else Ending.ENDED_SILENTLY)

    def _take(self, event: Event) -> None:
        self._events.append(event)
        if self._on_event is not None:
            self._on_event(event)
        if event.data == "[DONE]" or event.name == "response.completed":
            self._whole = True
            return
        data = _json_object(event.data)
        if event.name == "error" or data.get("error"):
            self._failed = event.data
        self._note_content(_content(data))

    def _note_content(self, content: str) -> None:
        if not content:
            return
        self._text.append(content)
        if self._first_content is None:
            self._first_content = time.monotonic() - self._began


async def _events(response: aiohttp.ClientResponse, began: float) -> AsyncIterator[Event]:
    parser = SseParser()
    async for piece in response.content.iter_any():
        at_seconds = time.monotonic() - began
        for name, data in parser.feed(piece):
            yield Event(data, at_seconds, name)


def _json_object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _content(data: Mapping[str, Any]) -> str:
    """The content of an answer or chunk, whatever its endpoint."""
    if data.get("type") == "response.output_text.delta":
        return str(data.get("delta", ""))
    parts: list[str] = []
    for choice in data.get("choices") or ():
        said = choice.get("delta") or choice.get("message") or {}
        parts.append(said.get("content") or choice.get("text") or "")
    for item in data.get("output") or ():
        parts += [part.get("text", "") for part in item.get("content", ())]
    if data.get("object") == "list" and data.get("data"):
        parts += [str(row.get("embedding", "")) for row in data["data"]]
    return "".join(parts)
