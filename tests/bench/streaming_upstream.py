"""An upstream that streams chat chunks at a steady pace, each written by itself.

`python -m tests.bench.streaming_upstream --port P`. On bare asyncio protocols: aiohttp would be the slowest
part of the benchmark. At every tick each open stream gets one chunk, so that a proxy reads chunk by chunk and
never finds two in its buffer, as with a real engine.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import click

from tests.support.openai_answers import Question, closing_chunks, content_chunk

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass
class Pace:
    """The streams that are open, and how they are fed."""

    chunks: int
    tick_seconds: float
    open_streams: dict[Stream, int] = field(default_factory=dict)
    """Stream -> chunks sent."""

    def __post_init__(self) -> None:
        question = Question("/v1/chat/completions", "stream", prompt_tokens=256, include_usage=True)
        self._chunk = _framed(content_chunk(question, " token", 1, False))
        self._end = _framed(closing_chunks(question, "", self.chunks, False)) + b"0\r\n\r\n"

    async def run(self) -> None:
        """Feed all open streams, for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self.tick_seconds
            await asyncio.sleep(max(0.0, due - loop.time()))
            for stream, sent in list(self.open_streams.items()):
                if sent < self.chunks:
                    stream.write(self._chunk)
                    self.open_streams[stream] = sent + 1
                else:
                    del self.open_streams[stream]
                    stream.write(self._end)


class Stream(asyncio.Protocol):
    """One connection: reads requests, opens a stream for each."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._pace.open_streams.pop(self, None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        self._buffer = b""
        self.write(_HEAD)
        self._pace.open_streams[self] = 0

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def _serve(port: int, pace: Pace) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Stream(pace), "127.0.0.1", port)
    async with server:
        click.echo("ready")
        await pace.run()


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--chunks", type=int, default=300)
@click.option("--tick-seconds", type=float, default=0.01)
def main(port: int, chunks: int, tick_seconds: float) -> None:
    """Serve until killed."""
    asyncio.run(_serve(port, Pace(chunks, tick_seconds)))


if __name__ == "__main__":
    main()
