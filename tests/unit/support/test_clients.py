"""The clients tell a whole answer from half of one, and make the trouble they promise."""

from __future__ import annotations

import pytest

from tests.support.behaviour import Behaviour, Fault
from tests.support.clients import OpenAIClient, SseParser
from tests.support.engine_stand_in import EngineStandIn
from tests.support.load_clients import endings, large_chat_body, open_streams, slow_client

WHOLE = b": ping\n\nevent: error\ndata: {}\n\ndata: a\ndata: b\r\n\r\ndata: [DONE]\n\n"


@pytest.mark.parametrize("size", range(1, len(WHOLE)))
def test_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    parser = SseParser()
    events = [event for at in range(0, len(WHOLE), size) for event in parser.feed(WHOLE[at : at + size])]
    assert events == [("error", "{}"), ("", "a\nb"), ("", "[DONE]")]


@pytest.mark.parametrize("url", ["http://example.com", "http://10.0.0.1:80", "http://[::2]:1", "nonsense"])
def test_a_client_talks_to_this_machine_alone(url: str) -> None:
    with pytest.raises(ValueError):
        OpenAIClient(url)


async def test_a_port_where_no_one_listens_is_a_failed_connection() -> None:
    async with EngineStandIn() as engine:
        url = engine.url
    async with OpenAIClient(url) as client:
        answer = await client.chat("m")
    assert (answer.ending.value, answer.status) == ("connection-failed", 0)


async def test_events_carry_the_time_they_came() -> None:
    behaviour = Behaviour(first_token_seconds=0.2, gap_seconds=0.05, role_chunk=False)
    async with EngineStandIn(default=behaviour) as engine, OpenAIClient(engine.url) as client:
        answer = await client.stream_chat("m")
    times = [event.at_seconds for event in answer.events]
    assert times == sorted(times)
    assert answer.first_content_seconds is not None
    assert answer.first_content_seconds >= 0.2
    assert times[-1] - times[0] >= 0.3


async def test_the_endings_of_many_streams_are_counted() -> None:
    async with EngineStandIn() as engine, OpenAIClient(engine.url) as client:
        engine.script.queue(Behaviour(Fault.STATUS, status=503), times=10)
        engine.script.queue(Behaviour(Fault.END_WITHOUT_DONE), times=5)
        answers = await open_streams(client, "m", 40)
    assert endings(answers) == {"done": 25, "error-status 503": 10, "ended-silently": 5}


async def test_a_large_body_arrives_whole() -> None:
    body = large_chat_body("m", 20_000_000)
    assert len(body) == 20_000_000
    async with EngineStandIn() as engine:
        answer = await slow_client(engine.url, body, read_bytes_per_second=1_000_000, read_bytes=100)
        (seen,) = engine.log.records()
    assert (answer.status, answer.sent_bytes, answer.ending) == (200, 20_000_000, "enough")
    assert (seen.body_bytes, seen.model) == (20_000_000, "m")


async def test_a_slow_reader_holds_the_other_side_up() -> None:
    huge = Behaviour(answer_bytes=50_000_000, chunks=1000)
    async with EngineStandIn(default=huge) as engine:
        body = large_chat_body("m", 1000, stream=True)
        answer = await slow_client(engine.url, body, read_bytes_per_second=256, deadline_seconds=4)
        await engine.settled()
        assert engine.log.abandoned == 1
    assert (answer.status, answer.ending) == (200, "deadline")
    assert answer.received_bytes < 4096
