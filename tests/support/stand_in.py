"""The HTTP server under every stand-in: reads a request, records it, picks the behaviour, plays it.

What an engine or a provider adds of its own (metrics, keys, path prefixes) is in `engine_stand_in` and
`provider_stand_in`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from aiohttp import web

from tests.support.behaviour import Behaviour
from tests.support.openai_answers import CREATED, Question, question_from
from tests.support.polling import eventually_async
from tests.support.script import Script
from tests.support.scripted_answer import Abandoned, play
from tests.support.seen_requests import RequestLog, SeenRequest
from tests.support.stand_in_control import add_control_routes

_PARSED_BYTES_AT_MOST = 64 * 1024 * 1024
"""Bodies above this are counted and hashed but not parsed."""

_SHUTDOWN_SECONDS = 1.0
"""Streams that are open when the stand-in stops get this long; tests that want a cut use kill or a fault."""


class StandIn:
    """A scripted server on one loopback port. Use as an async context manager.

    `script` and `log` may be used from any thread. `host` and `port` say where it listens once it has
    started; `port=0` takes a free one.
    """

    def __init__(
        self,
        name: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        default: Behaviour | None = None,
        served_names: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.served_names = tuple(served_names)
        """Models it answers to; any model where empty. Another model gets vLLM's 404."""
        self.script = Script(default)
        self.log = RequestLog()
        self._tls = tls
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """`http://host:port` or `https://host:port`, without a path."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application()
        add_control_routes(app, self.name, self.script, self.log, self.set_gauges)
        self.add_routes(app)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, ssl_context=self._tls, backlog=4096)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> StandIn:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def settled(self, timeout_seconds: float = 30.0) -> None:
        """Wait until no request is in flight: a hang-up is noticed a moment after it."""
        await eventually_async(lambda: not self.log.in_flight, timeout_seconds, "no request is in flight")

    # What kinds of stand-in differ in.

    def add_routes(self, app: web.Application) -> None:
        """Routes besides the OpenAI endpoints."""

    def refuse(self, seen: SeenRequest) -> web.Response | None:
        """A response for a request that is refused before any behaviour is played, else None."""
        return None

    def set_gauges(self, gauges: dict[str, float]) -> None:
        """Set what the stand-in says of its load. Raises ValueError where it has no such gauge."""
        if gauges:
            raise ValueError(f"{self.name} has no gauges")

    def began(self, question: Question) -> None:
        """A request is about to be answered."""

    def sent_token(self, index: int, seconds: float) -> None:
        """Token `index` was sent, so many seconds after the request arrived."""

    def ended(self, question: Question, seconds: float, tokens: int, finished: bool) -> None:
        """A request that began is over."""

    # One request.

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.log.arrived()
        finished = False
        try:
            response = await self._answer_recorded(request)
            finished = True
            return response
        except Abandoned:
            finished = True
            # The connection is cut already; aiohttp needs an object to drop.
            return web.Response()
        finally:
            self.log.left(finished=finished)

    async def _answer_recorded(self, request: web.Request) -> web.StreamResponse:
        arrived_at = time.monotonic()
        length, digest, raw = await _read(request)
        body = _parsed(raw)
        question = question_from(request.path, body or {}, length)
        question_model = question.model or str(request.match_info.get("deployment", ""))
        behaviour = self.script.behaviour_for(question_model) if request.method == "POST" else Behaviour()
        seen = SeenRequest(
            method=request.method,
            path=request.path_qs,
            host=request.host,
            headers={name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers},
            body_bytes=length,
            body_sha256=digest,
            model=question.model,
            stream=question.stream,
            behaviour=behaviour.fault.value,
            received_at=arrived_at,
        )
        self.log.add(seen)
        refusal = self.refuse(seen) or self._malformed(request, question, body)
        if refusal is not None:
            return refusal
        if request.method == "GET":
            return web.json_response(self.models())
        return await self._play(request, question, behaviour, arrived_at)

    async def _play(
        self, request: web.Request, question: Question, behaviour: Behaviour, arrived_at: float
    ) -> web.StreamResponse:
        tokens = 0

        def on_token(index: int) -> None:
            nonlocal tokens
            tokens = index + 1
            self.sent_token(index, time.monotonic() - arrived_at)

        self.began(question)
        finished = False
        try:
            response = await play(request, question, behaviour, self.name, on_token)
            finished = response.status == 200
            return response
        except ConnectionError as error:
            # The other side hung up while it was being written to: the same as a cancelled handler.
            raise asyncio.CancelledError from error
        finally:
            self.ended(question, time.monotonic() - arrived_at, tokens, finished)

    def answers_as(self, model: str) -> bool:
        """Whether it has a model of this name."""
        return not self.served_names or model in self.served_names

    def models(self) -> dict[str, Any]:
        """The body of GET /v1/models."""
        rows = [
            {
                "id": name,
                "object": "model",
                "created": CREATED,
                "owned_by": "stand-in",
                "root": name,
                "parent": None,
                "max_model_len": 4096,
            }
            for name in self.served_names or (self.name,)
        ]
        return {"object": "list", "data": rows}

    def _malformed(
        self, request: web.Request, question: Question, body: dict[str, Any] | None
    ) -> web.Response | None:
        if request.method == "GET" and question.path.endswith("/models"):
            return None
        if not question.endpoint:
            return web.json_response({"detail": "Not Found"}, status=404)
        if request.method != "POST":
            return web.json_response({"detail": "Method Not Allowed"}, status=405)
        if body is None:
            return _error(400, "BadRequestError", "The body is not a JSON object.")
        if not self.answers_as(question.model):
            return _error(404, "NotFoundError", f"The model `{question.model}` does not exist.", "model")
        return None


def _error(status: int, kind: str, message: str, param: str | None = None) -> web.Response:
    body = {"error": {"message": message, "type": kind, "param": param, "code": status}}
    return web.json_response(body, status=status)


async def _read(request: web.Request) -> tuple[int, str, bytes]:
    digest = hashlib.sha256()
    length = 0
    kept: list[bytes] = []
    async for piece in request.content.iter_any():
        digest.update(piece)
        length += len(piece)
        if length <= _PARSED_BYTES_AT_MOST:
            kept.append(piece)
    return length, digest.hexdigest(), b"".join(kept)


def _parsed(raw: bytes) -> dict[str, Any] | None:
    if not raw:
        return None
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
