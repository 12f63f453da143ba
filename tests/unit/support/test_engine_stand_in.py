"""The stand-in answers as vLLM does and fails in each way that it was told to, on the wire."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from tests.support.behaviour import Behaviour, Dialect, Fault
from tests.support.clients import Answer, Ending, OpenAIClient, chat_body
from tests.support.engine_stand_in import EngineStandIn


@pytest.fixture
async def engine() -> AsyncIterator[EngineStandIn]:
    async with EngineStandIn("a") as stand_in:
        yield stand_in


@pytest.fixture
async def client(engine: EngineStandIn) -> AsyncIterator[OpenAIClient]:
    async with OpenAIClient(engine.url) as opened:
        yield opened


@dataclass(frozen=True)
class Case:
    behaviour: Behaviour
    want_plain: Ending
    want_stream: Ending
    want_status: int = 200
    want_content: bool = False


ENDINGS = {
    "a good answer is done": Case(Behaviour(), Ending.DONE, Ending.DONE, want_content=True),
    "a status is an error status": Case(
        Behaviour(Fault.STATUS, status=503), Ending.ERROR_STATUS, Ending.ERROR_STATUS, 503
    ),
    "a rate limit is a 429": Case(
        Behaviour(Fault.RATE_LIMITED), Ending.ERROR_STATUS, Ending.ERROR_STATUS, 429
    ),
    "a long prompt is a 400": Case(
        Behaviour(Fault.CONTEXT_OVERFLOW), Ending.ERROR_STATUS, Ending.ERROR_STATUS, 400
    ),
    "a refused prompt is a 400": Case(
        Behaviour(Fault.CONTENT_FILTER), Ending.ERROR_STATUS, Ending.ERROR_STATUS, 400
    ),
    "a reset before headers is no answer": Case(
        Behaviour(Fault.RESET_BEFORE_HEADERS), Ending.CONNECTION_FAILED, Ending.CONNECTION_FAILED, 0
    ),
    "a hang before headers outlasts the deadline": Case(
        Behaviour(Fault.HANG_BEFORE_HEADERS), Ending.DEADLINE, Ending.DEADLINE, 0
    ),
    "headers and a hang show the headers": Case(
        Behaviour(Fault.HEADERS_THEN_HANG), Ending.DEADLINE, Ending.DEADLINE
    ),
    "headers and a reset are truncated": Case(
        Behaviour(Fault.HEADERS_THEN_RESET), Ending.TRUNCATED, Ending.TRUNCATED
    ),
    "an error as first event is an error inside a 200": Case(
        Behaviour(Fault.ERROR_IN_FIRST_EVENT), Ending.ERROR_EVENT, Ending.ERROR_EVENT
    ),
    "an event named error is an error inside a 200": Case(
        Behaviour(Fault.ERROR_EVENT), Ending.ERROR_EVENT, Ending.ERROR_EVENT
    ),
    "an error after a ping is an error inside a 200": Case(
        Behaviour(Fault.COMMENT_THEN_ERROR), Ending.ERROR_EVENT, Ending.ERROR_EVENT
    ),
    "a JSON error inside a 200 is an error": Case(
        Behaviour(Fault.JSON_ERROR_IN_200), Ending.ERROR_EVENT, Ending.ERROR_EVENT
    ),
    "a cut stream is truncated": Case(
        Behaviour(Fault.RESET_AFTER_CHUNKS), Ending.TRUNCATED, Ending.TRUNCATED, want_content=True
    ),
    "an error after content is an error": Case(
        Behaviour(Fault.ERROR_AFTER_CHUNKS), Ending.TRUNCATED, Ending.ERROR_EVENT, want_content=True
    ),
    "a stream without its end is the silent one": Case(
        Behaviour(Fault.END_WITHOUT_DONE), Ending.DONE, Ending.ENDED_SILENTLY, want_content=True
    ),
    "a hang after content outlasts the deadline": Case(
        Behaviour(Fault.HANG_AFTER_CHUNKS), Ending.DEADLINE, Ending.DEADLINE, want_content=True
    ),
}


def test_each_fault_has_a_case() -> None:
    assert {case.behaviour.fault for case in ENDINGS.values()} == set(Fault)


@pytest.mark.parametrize("name", ENDINGS)
async def test_each_behaviour_ends_as_it_says(engine: EngineStandIn, client: OpenAIClient, name: str) -> None:
    case = ENDINGS[name]
    engine.script.default = case.behaviour
    deadline_seconds = 0.3 if Ending.DEADLINE in (case.want_plain, case.want_stream) else 10.0

    plain = await client.chat("m", deadline_seconds=deadline_seconds)
    streamed = await client.stream_chat("m", deadline_seconds=deadline_seconds)

    assert plain.ending is case.want_plain
    assert streamed.ending is case.want_stream
    assert streamed.status == case.want_status
    assert streamed.had_content is case.want_content
    assert {seen.behaviour for seen in engine.log.records()} == {case.behaviour.fault.value}


async def test_a_stream_sends_its_headers_before_there_is_a_token(
    engine: EngineStandIn, client: OpenAIClient
) -> None:
    engine.script.default = Behaviour(first_token_seconds=2.0, role_chunk=False)
    body = json.dumps(chat_body("m", stream=True)).encode()
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    began = loop.time()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(body), body)
    )
    head = await reader.readuntil(b"\r\n\r\n")
    headers_after_seconds = loop.time() - began
    rest = await reader.read()
    writer.close()

    assert head.startswith(b"HTTP/1.1 200")
    assert headers_after_seconds < 2.0
    assert loop.time() - began >= 2.0
    assert b"[DONE]" in rest


async def test_a_stream_opens_with_a_role_and_no_content(client: OpenAIClient) -> None:
    answer = await client.stream_chat("m")
    assert answer.events[0].json()["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert answer.text == "a t1 t2 t3 t4 t5 t6 t7 "


async def test_usage_comes_in_a_last_chunk_without_choices_when_it_is_asked_for(client: OpenAIClient) -> None:
    without = await client.stream_chat("m")
    asked = await client.stream_chat("m", stream_options={"include_usage": True})

    assert without.usage is None
    last = asked.events[-2].json()
    assert asked.events[-1].data == "[DONE]"
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 8
    assert all("usage" not in event.json() for event in asked.events[:-2])


async def test_continuous_usage_counts_up_with_each_chunk(client: OpenAIClient) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    answer = await client.stream_chat("m", stream_options=options)
    counts = [event.json()["usage"]["completion_tokens"] for event in answer.events[:-1]]
    assert counts == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8]


async def test_a_huge_answer_has_the_size_that_was_asked_for(
    engine: EngineStandIn, client: OpenAIClient
) -> None:
    engine.script.default = Behaviour(answer_bytes=5_000_000, chunks=50)
    plain, streamed = await client.chat("m"), await client.stream_chat("m")
    assert (len(plain.text), len(streamed.text)) == (5_000_000, 5_000_000)


OTHER_ENDPOINTS: dict[str, tuple[str, dict[str, object], str]] = {
    "completions": ("/v1/completions", {"prompt": "hello"}, "a t1 "),
    "embeddings": ("/v1/embeddings", {"input": ["x", "y"]}, "[0.25"),
    "responses": ("/v1/responses", {"input": "hello"}, "a t1 "),
}


@pytest.mark.parametrize("name", OTHER_ENDPOINTS)
async def test_the_other_endpoints_answer_in_their_own_shape(client: OpenAIClient, name: str) -> None:
    path, fields, want_text = OTHER_ENDPOINTS[name]
    plain = await client.request("POST", path, {"model": "m", **fields})
    assert plain.ok
    assert plain.text.startswith(want_text)
    assert plain.usage is not None
    if name != "embeddings":
        streamed = await client.request("POST", path, {"model": "m", "stream": True, **fields})
        assert streamed.ok
        assert streamed.text == plain.text


async def test_a_model_name_chooses_the_fault_and_the_rest_keeps_its_default(client: OpenAIClient) -> None:
    bad = await client.chat("status:status-418")
    cut = await client.stream_chat("reset-after-chunks:chunks_before_fault-5")
    good = await client.chat("qwen3:32b")
    assert (bad.status, cut.text, good.ok) == (418, "a t1 t2 t3 t4 ", True)


async def test_what_is_queued_comes_first_then_the_model_then_the_default(
    engine: EngineStandIn, client: OpenAIClient
) -> None:
    engine.script.default = Behaviour(Fault.STATUS, status=500)
    engine.script.set_model("m", Behaviour(Fault.STATUS, status=501))
    engine.script.queue(Behaviour(Fault.STATUS, status=502), times=2)
    assert [(await client.chat(model)).status for model in ("m", "x", "m", "x")] == [502, 502, 501, 500]
    engine.script.reset()
    assert (await client.chat("m")).ok


async def test_each_request_is_recorded_as_it_arrived(engine: EngineStandIn, client: OpenAIClient) -> None:
    body = json.dumps(chat_body("m", "Grüße", stream=True)).encode()
    headers = {"Authorization": "Bearer k-1", "X-Envoy-Attempt-Count": "2", "X-Trace": "t"}
    await client.request("POST", "/v1/chat/completions?x=1", body, headers=headers)

    (seen,) = engine.log.records()
    assert (seen.method, seen.path, seen.host) == (
        "POST",
        "/v1/chat/completions?x=1",
        f"127.0.0.1:{engine.port}",
    )
    assert (seen.model, seen.stream, seen.attempt, seen.api_key) == ("m", True, 2, "k-1")
    assert (seen.body_bytes, seen.body_sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert seen.headers["x-trace"] == "t"


async def test_the_log_is_bounded_and_its_totals_go_on() -> None:
    engine = EngineStandIn("a")
    engine.log = type(engine.log)(records_kept=3)
    async with engine, OpenAIClient(engine.url) as client:
        for index in range(5):
            await client.chat(f"m{index}")
        assert [seen.model for seen in engine.log.records()] == ["m2", "m3", "m4"]
        assert engine.log.total == 5


async def test_a_client_that_hangs_up_is_counted_as_abandoned(
    engine: EngineStandIn, client: OpenAIClient
) -> None:
    engine.script.default = Behaviour(chunks=1000, gap_seconds=0.02)
    answer = await client.stream_chat("m", hang_up_after_events=3)
    assert answer.ending is Ending.HUNG_UP
    await engine.settled()
    assert engine.log.counts()["abandoned"] == 1
    assert engine.metrics.running == 0


MALFORMED = {
    "a body that is no JSON": ("POST", "/v1/chat/completions", b"{", 400),
    "a body that is no object": ("POST", "/v1/chat/completions", b"[]", 400),
    "a model that it does not serve": ("POST", "/v1/chat/completions", {"model": "other"}, 404),
    "a path that it does not know": ("POST", "/v1/nothing", {"model": "m"}, 404),
    "a method that the path does not take": ("GET", "/v1/chat/completions", None, 405),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_request_that_vllm_would_refuse_is_refused(name: str) -> None:
    method, path, body, want_status = MALFORMED[name]
    async with EngineStandIn("a", served_names=["m"]) as engine, OpenAIClient(engine.url) as client:
        assert (await client.request(method, path, body)).status == want_status
        assert await client.models() == ("m",)


WORDINGS = {
    Dialect.VLLM: ("maximum context length is 4096 tokens", "BadRequestError"),
    Dialect.OPENAI: ("your messages resulted in", "invalid_request_error"),
    Dialect.LLAMA_CPP: ("exceeds the available context size", "exceed_context_size_error"),
}


@pytest.mark.parametrize("dialect", WORDINGS)
async def test_a_context_overflow_comes_in_the_words_of_its_server(
    engine: EngineStandIn, client: OpenAIClient, dialect: Dialect
) -> None:
    engine.script.default = Behaviour(Fault.CONTEXT_OVERFLOW, dialect=dialect)
    error = (await client.chat("m")).json()["error"]
    want_words, want_type = WORDINGS[dialect]
    assert want_words in error["message"]
    assert error["type"] == want_type


async def test_a_rate_limit_says_when_to_come_back(engine: EngineStandIn, client: OpenAIClient) -> None:
    engine.script.default = Behaviour(Fault.RATE_LIMITED, retry_after_seconds=7)
    assert (await client.chat("m")).headers["retry-after"] == "7"


async def test_the_metrics_page_has_vllms_names_and_counts(
    engine: EngineStandIn, client: OpenAIClient
) -> None:
    await client.stream_chat("m")
    engine.set_gauges({"waiting": 4, "kv_cache_usage": 0.5})
    async with aiohttp.ClientSession() as session, session.get(f"{engine.url}/metrics") as response:
        page = await response.text()
    labels = '{engine="0",model_name="a"}'
    for line in (
        f"vllm:num_requests_running{labels} 0",
        f"vllm:num_requests_waiting{labels} 4",
        f"vllm:kv_cache_usage_perc{labels} 0.5",
        f"vllm:generation_tokens_total{labels} 8",
        f"vllm:time_to_first_token_seconds_count{labels} 1",
        'vllm:request_success_total{engine="0",model_name="a",finished_reason="stop"} 1',
    ):
        assert line in page.splitlines()


async def test_an_engine_whose_core_died_says_so_on_health(
    engine: EngineStandIn, client: OpenAIClient
) -> None:
    assert (await client.request("GET", "/health")).status == 200
    engine.healthy = False
    assert (await client.request("GET", "/health")).status == 503


async def test_two_hundred_streams_at_once_all_end_well(engine: EngineStandIn, client: OpenAIClient) -> None:
    engine.script.default = Behaviour(gap_seconds=0.01)
    answers: list[Answer] = await asyncio.gather(*(client.stream_chat("m") for _ in range(200)))
    assert {answer.ending for answer in answers} == {Ending.DONE}
    assert engine.log.counts()["most_in_flight"] > 50
