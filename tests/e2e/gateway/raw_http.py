"""One request as bytes on a socket, for what an HTTP library would not send."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from tests.support.clients import require_loopback


class RawAnswer:
    """Status, headers (lower case; the last of a repeated one) and body, as far as they have come."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        self.status = int(words[1]) if len(words) > 1 else 0
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }

    @property
    def whole(self) -> bool:
        """Whether a body of the stated length is there; only the connection's end tells for any other."""
        return len(self.body) >= int(self.headers.get("content-length", "1000000000"))

    def __repr__(self) -> str:
        return f"RawAnswer({self.status}, {self.headers}, {self.body[:200]!r})"


def head(method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request that asks for the connection to be closed."""
    lines = [f"{method} {path} HTTP/1.1", "host: gateway", "connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunked(pieces: Sequence[bytes]) -> bytes:
    """A body in chunked transfer encoding."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


async def exchange(url: str, *sent: bytes, deadline_seconds: float = 30.0) -> RawAnswer:
    """Send the pieces, each in a segment of its own, and read a whole answer or until the other side closes.

    Reads while it sends: an answer in the midst of a body is followed by a reset.
    """
    require_loopback(url)
    at = urlsplit(url)
    received = bytearray()
    async with asyncio.timeout(deadline_seconds):
        reader, writer = await asyncio.open_connection(at.hostname, at.port)

        async def send() -> None:
            for piece in sent:
                writer.write(piece)
                await writer.drain()

        sending = asyncio.create_task(send())
        try:
            while piece := await reader.read(65536):
                received += piece
                if RawAnswer(bytes(received)).whole:
                    break
        except ConnectionResetError:
            # What came before the reset is what there is; status 0 where that is nothing.
            pass
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
    return RawAnswer(bytes(received))
