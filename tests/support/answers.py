"""What one request to an OpenAI-shaped endpoint got, and in one word how it ended.

"Did the client notice?" is what most tests of a gateway ask: a stream that stops without `[DONE]` and without
an error is the silent success that must never happen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Ending(StrEnum):
    """How a request ended, as its client saw it."""

    DONE = "done"
    """A whole answer: a plain body, or a stream with `[DONE]` (`response.completed` for /v1/responses)."""
    ERROR_STATUS = "error-status"
    ERROR_EVENT = "error-event"
    """A stream that carried an `error` object: the client knows."""
    TRUNCATED = "truncated"
    """The connection broke after the headers: the client knows."""
    ENDED_SILENTLY = "ended-silently"
    """A stream that ended cleanly without `[DONE]`: the client takes half an answer for a whole one."""
    CONNECTION_FAILED = "connection-failed"
    """No response headers arrived."""
    DEADLINE = "deadline"
    HUNG_UP = "hung-up"
    """This client hung up on purpose."""


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    data: str
    at_seconds: float
    """Seconds after the request was begun."""
    name: str = ""

    def json(self) -> Any:
        return json.loads(self.data)


@dataclass(frozen=True)
class Answer:
    """What one request got. `status` is 0 where no headers arrived."""

    ending: Ending
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    """The content that the model said: of a plain answer or of all chunks of a stream."""
    body: str = ""
    """The raw body of an answer that was no stream."""
    events: tuple[Event, ...] = ()
    seconds: float = 0.0
    first_content_seconds: float | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.ending is Ending.DONE

    @property
    def had_content(self) -> bool:
        """Whether any content reached the client before the end."""
        return self.first_content_seconds is not None

    def json(self) -> Any:
        """The body as JSON. Raises ValueError where it is none."""
        return json.loads(self.body)

    @property
    def usage(self) -> Mapping[str, Any] | None:
        """The last usage object: of the body, or of the last chunk that has one."""
        objects = (
            [self.json()]
            if self.body
            else [event.json() for event in reversed(self.events) if event.data[:1] == "{"]
        )
        return next((data["usage"] for data in objects if data.get("usage")), None)


class SseParser:
    """Splits a byte stream into server-sent events, wherever its pieces are cut."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> list[tuple[str, str]]:
        """The (name, data) of each event that is whole now. Comments are no events."""
        self._buffer = (self._buffer + piece).replace(b"\r\n", b"\n")
        *whole, self._buffer = self._buffer.split(b"\n\n")
        events = []
        for block in whole:
            name, data = "", []
            for line in block.decode().split("\n"):
                key, _, value = line.partition(":")
                if key == "event":
                    name = value.strip()
                elif key == "data":
                    data.append(value.removeprefix(" "))
            if data:
                events.append((name, "\n".join(data)))
        return events
