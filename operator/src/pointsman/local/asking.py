"""Asking the endpoint as any client does: one streamed question over plain HTTP."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from pointsman.errors import PointsmanError

# The headers by which the gateway says who answered, and after how many attempts.
_TARGET = "x-pointsman-target"
_ATTEMPTS = "x-pointsman-attempts"
_TIMEOUT = aiohttp.ClientTimeout(total=120)


@dataclass(frozen=True)
class Answer:
    """What came. `tokens_per_second` is 0 where there were too few tokens to say."""

    text: str
    target: str
    attempts: int
    first_token_seconds: float
    tokens_per_second: float


async def ask(
    session: aiohttp.ClientSession, url: str, model: str, question: str, hear: Callable[[str], None]
) -> Answer:
    """Ask, telling `hear` each piece as it comes. Raises PointsmanError for anything but a whole answer."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 64,
    }
    begun = time.monotonic()
    try:
        async with session.post(f"{url}/chat/completions", json=body, timeout=_TIMEOUT) as response:
            if response.status != 200:
                raise PointsmanError(f"{url} answers {response.status}: {(await response.text())[:300]}")
            heard = await _hear(response, begun, hear)
            target, attempts = response.headers.get(_TARGET, ""), response.headers.get(_ATTEMPTS, "1")
            return Answer(
                heard.text.strip(), target.rpartition("/")[2], int(attempts), heard.first_seconds, heard.pace
            )
    except (aiohttp.ClientError, TimeoutError) as error:
        raise PointsmanError(f"{url} does not answer ({type(error).__name__})") from error


@dataclass
class _Heard:
    begun: float
    text: str = ""
    first: float = 0.0
    last: float = 0.0
    tokens: int = 0
    ended: bool = False

    @property
    def first_seconds(self) -> float:
        return self.first - self.begun

    @property
    def pace(self) -> float:
        """Tokens per second after the first."""
        return (
            (self.tokens - 1) / (self.last - self.first)
            if self.tokens > 1 and self.last > self.first
            else 0.0
        )


async def _hear(response: aiohttp.ClientResponse, begun: float, hear: Callable[[str], None]) -> _Heard:
    heard = _Heard(begun)
    async for raw in response.content:
        line = raw.decode().strip()
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            heard.ended = True
            break
        event = json.loads(data)
        if "error" in event:
            raise PointsmanError(f"the answer ended with an error: {event['error'].get('message', '')}")
        for choice in event.get("choices", ()):
            piece = choice.get("delta", {}).get("content") or ""
            if piece:
                heard.last = time.monotonic()
                heard.first = heard.first or heard.last
                heard.tokens += 1
                heard.text += piece
                hear(piece)
    if not heard.ended:
        raise PointsmanError("the answer ended before it was whole")
    return heard
