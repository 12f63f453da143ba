"""One HTTP/2 request as frames on a socket: with trailers, which HTTP libraries do not send."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from tests.support.clients import require_loopback

_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Fields = Sequence[tuple[str, str]]


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _block(fields: Fields) -> bytes:
    """Literal fields without indexing (RFC 7541, 6.2.2): the server needs no table for them."""

    def text(value: str) -> bytes:
        assert len(value) < 127, "longer texts need more than one byte for their length"
        return bytes([len(value)]) + value.encode()

    return b"".join(b"\0" + text(name) + text(value) for name, value in fields)


async def body_of_answer(
    url: str, fields: Fields, body: bytes, trailers: Fields, *, deadline_seconds: float = 30.0
) -> bytes:
    """Send a request that ends with trailers and read the whole answer's body."""
    require_loopback(url)
    at = urlsplit(url)
    answer = b""
    async with asyncio.timeout(deadline_seconds):
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        try:
            writer.write(_PREFACE + _frame(_SETTINGS, 0, 0))
            writer.write(_frame(_HEADERS, _END_HEADERS, 1, _block(fields)) + _frame(_DATA, 0, 1, body))
            writer.write(_frame(_HEADERS, _END_HEADERS | _END_STREAM, 1, _block(trailers)))
            while True:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                if kind == _SETTINGS and not flags & _ACK:
                    writer.write(_frame(_SETTINGS, _ACK, 0))
                if kind == _DATA:
                    answer += payload
                if stream == 1 and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                    return answer
        finally:
            writer.close()
