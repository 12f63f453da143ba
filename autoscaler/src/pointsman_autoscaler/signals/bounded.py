"""A session of requests whose answers have a largest size and a longest time, whatever the server sends."""

import time
from typing import Any

import requests

_CHUNK_BYTES = 2**16


class TooLargeError(ValueError):
    """An answer was cut off."""


class BoundedSession(requests.Session):
    """Of one thread. Sizes are those of bodies that were unpacked."""

    def __init__(self, most_bytes: int, most_seconds: float) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._began = 0.0
        # Called for each answer, those that only say to look elsewhere included.
        self.hooks["response"].append(self._read)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises TooLargeError for an answer above the size, and TimeoutError above the time."""
        self._began = time.monotonic()
        return super().request(*args, **{**kwargs, "stream": True})

    def _read(self, answer: requests.Response, **_kwargs: Any) -> None:
        body = bytearray()
        with answer:
            for chunk in answer.iter_content(_CHUNK_BYTES):
                body += chunk
                if len(body) > self._most_bytes:
                    raise TooLargeError(f"its answer is larger than {self._most_bytes / 2**20:g} MiB")
                if time.monotonic() - self._began > self._most_seconds:
                    raise TimeoutError(f"its answer took longer than {self._most_seconds:g} s")
        # What requests sets when it reads a body by itself.
        answer._content = bytes(body)
