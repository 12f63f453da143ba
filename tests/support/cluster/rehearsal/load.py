"""Clients of a Service that ask without a pause, and every answer that was not whole."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.support.answers import Answer
from tests.support.clients import OpenAIClient
from tests.support.cluster.service import HOST, Service

_STREAMS, _PLAIN, _SELDOM, _QUICK = 8, 8, 4, 4
_STREAM_TOKENS, _PLAIN_TOKENS = (10, 60), (1, 10)
"""A tenth of a second each: streams take one to six seconds, and begin and end at any moment."""
_SELDOM_SECONDS = 1.7
"""Between two requests of a client that keeps its connection meanwhile."""
_QUICK_SECONDS = 0.05
"""Between two lists of models, which the gateway answers itself, each on a connection of its own."""


@dataclass
class Noticed:
    """What the clients saw."""

    streams: int = 0
    plain: int = 0
    lists: int = 0
    closed: int = 0
    """Answers that asked the client to connect anew."""
    failures: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Load:
    """Each client has connections of its own, and connects anew when it is told so. None retries."""

    def __init__(self, service: Service, port: int, model: str) -> None:
        self.noticed = Noticed()
        self._service = service
        self._url = f"http://{HOST}:{port}"
        self._model = model
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        clients: list[Coroutine[Any, Any, None]] = [
            *(self._ask_on(self._stream) for _ in range(_STREAMS)),
            *(self._ask_on(self._plain) for _ in range(_PLAIN)),
            *(self._ask_on(self._plain, _SELDOM_SECONDS) for _ in range(_SELDOM)),
            *(self._ask_on(self._list, _QUICK_SECONDS) for _ in range(_QUICK)),
        ]
        self._tasks = [asyncio.create_task(one) for one in clients]

    async def end(self) -> Noticed:
        """Begin no request any more, and wait for those that run."""
        self._over.set()
        await asyncio.gather(*self._tasks)
        return self.noticed

    async def _ask_on(
        self, ask: Callable[[OpenAIClient], Coroutine[Any, Any, None]], pause_seconds: float = 0.0
    ) -> None:
        async with OpenAIClient(self._url, resolver=self._service) as client:
            while not self._over.is_set():
                await ask(client)
                if pause_seconds:
                    await asyncio.sleep(pause_seconds)

    async def _stream(self, client: OpenAIClient) -> None:
        answer = await client.stream_chat(self._model, max_tokens=random.randint(*_STREAM_TOKENS))
        self.noticed.streams += 1
        self._judge("stream", answer, answer.ok and not _is_aborted(answer))
        self._note_closed(answer)

    async def _plain(self, client: OpenAIClient) -> None:
        answer = await client.chat(self._model, max_tokens=random.randint(*_PLAIN_TOKENS))
        self.noticed.plain += 1
        self._judge("request", answer, answer.ok and not _is_aborted(answer))
        self._note_closed(answer)

    async def _list(self, client: OpenAIClient) -> None:
        answer = await client.request("GET", "/v1/models", headers={"connection": "close"})
        self.noticed.lists += 1
        self._judge("list", answer, answer.ok)

    def _note_closed(self, answer: Answer) -> None:
        self.noticed.closed += answer.headers.get("connection", "").lower() == "close"

    def _judge(self, kind: str, answer: Answer, is_whole: bool) -> None:
        if not is_whole:
            self.noticed.failures.append(
                f"{kind}: {answer.ending} {answer.status} after {answer.seconds:.2f} s, "
                f"{len(answer.events)} events {answer.error or answer.body[:300]}"
            )


def _is_aborted(answer: Answer) -> bool:
    """What vLLM says, with a 200, of requests that came too late."""
    said = answer.body or "".join(event.data for event in answer.events)
    return '"abort"' in said or not answer.had_content
