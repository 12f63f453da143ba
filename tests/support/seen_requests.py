"""What a stand-in saw: one record a request, in bounded memory, readable while it serves.

Bodies are not kept, only their length and SHA-256, so that a test of 20 MB bodies can prove that they
arrived whole without holding them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

RECORDS_KEPT = 20_000
"""Records kept at most; older ones leave first, the totals go on counting. About 30 MB at 1.5 KB each."""


@dataclass(frozen=True)
class SeenRequest:
    """One request as it arrived. Header names are lower case; of a repeated header the values are joined."""

    method: str
    path: str
    host: str
    headers: Mapping[str, str]
    body_bytes: int
    body_sha256: str
    model: str = ""
    stream: bool = False
    behaviour: str = "ok"
    received_at: float = 0.0
    """time.monotonic() on the stand-in's machine."""

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")

    @property
    def api_key(self) -> str:
        """The key however it came: `Authorization: Bearer`, Azure's `api-key`, or `x-api-key`."""
        if self.authorization.startswith("Bearer "):
            return self.authorization.removeprefix("Bearer ")
        return self.headers.get("api-key") or self.headers.get("x-api-key", "")

    @property
    def attempt(self) -> int:
        """Envoy's attempt number, 1 for the first, 0 where the header is missing."""
        return int(self.headers.get("x-envoy-attempt-count", "0"))


@dataclass
class RequestLog:
    """The records and the counters of one stand-in. Safe to read from any thread."""

    records_kept: int = RECORDS_KEPT
    _records: deque[SeenRequest] = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _total: int = field(default=0, init=False)
    _finished: int = field(default=0, init=False)
    _abandoned: int = field(default=0, init=False)
    _in_flight: int = field(default=0, init=False)
    _most_in_flight: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._records = deque(maxlen=self.records_kept)

    def arrived(self) -> None:
        """A request's headers were read."""
        with self._lock:
            self._total += 1
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)

    def add(self, request: SeenRequest) -> None:
        """A request's body was read whole."""
        with self._lock:
            self._records.append(request)

    def left(self, *, finished: bool) -> None:
        """A request's handling is over; `finished` is false where the other side hung up first."""
        with self._lock:
            self._in_flight -= 1
            if finished:
                self._finished += 1
            else:
                self._abandoned += 1

    def records(self) -> tuple[SeenRequest, ...]:
        """The records kept, oldest first."""
        with self._lock:
            return tuple(self._records)

    def clear(self) -> None:
        """Forget the records and the totals; what is in flight stays counted."""
        with self._lock:
            self._records.clear()
            self._total = self._finished = self._abandoned = 0
            self._most_in_flight = self._in_flight

    def counts(self) -> dict[str, int]:
        """Totals since the last clear: total, finished, abandoned, in_flight, most_in_flight, kept."""
        with self._lock:
            return {
                "total": self._total,
                "finished": self._finished,
                "abandoned": self._abandoned,
                "in_flight": self._in_flight,
                "most_in_flight": self._most_in_flight,
                "kept": len(self._records),
            }

    @property
    def total(self) -> int:
        return self.counts()["total"]

    @property
    def in_flight(self) -> int:
        return self.counts()["in_flight"]

    @property
    def abandoned(self) -> int:
        return self.counts()["abandoned"]


def seen_request_to_dict(request: SeenRequest) -> dict[str, Any]:
    """JSON data for the control endpoint."""
    return asdict(request)


def seen_request_from_dict(data: Mapping[str, Any]) -> SeenRequest:
    """The record that `seen_request_to_dict` wrote."""
    return SeenRequest(**data)
