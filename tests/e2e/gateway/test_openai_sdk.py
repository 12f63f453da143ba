"""The unmodified `openai` Python SDK against the gateway, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.e2e.gateway.scene import Scene
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, route, secret
from tests.support.engine_stand_in import EngineStandIn

KEY = "pm-sdk-4411"
TEAM = {"team": "sdk"}
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]

T = TypeVar("T")


@pytest.fixture
async def engine(scene: Scene) -> EngineStandIn:
    """Models behind one engine: `chat`, `team-a/chat:v1` and, for keys only, `guarded`."""
    scene.change_settings(max_request_bytes=1024 * 1024)
    stand_in = await scene.engine("own")
    await scene.serve(
        *(deployment("own"), deployment("gone"), secret("clients", {"sdk": KEY}, labels=TEAM)),
        route("chat", ["own"], models=["chat", "team-a/chat:v1"]),
        route("guarded", ["own"], api_keys=TEAM),
        route("empty", ["gone"]),
        endpoints={"own": [stand_in.port]},
    )
    return stand_in


@pytest.fixture
async def client(scene: Scene, engine: EngineStandIn) -> AsyncIterator[openai.AsyncOpenAI]:
    """The asynchronous client, without retries of its own: what is answered is the gateway's doing."""
    async with openai.AsyncOpenAI(base_url=f"{scene.url}/v1", api_key=KEY, max_retries=0) as made:
        yield made


async def with_sync_client(scene: Scene, use: Callable[[openai.OpenAI], T]) -> T:
    """Run `use` with the synchronous client on a thread, as the stand-ins live on this one."""

    def run() -> T:
        with openai.OpenAI(base_url=f"{scene.url}/v1", api_key=KEY, max_retries=0) as made:
            return use(made)

    return await asyncio.to_thread(run)


async def test_models_are_listed_and_found_by_name(client: openai.AsyncOpenAI) -> None:
    listed = await client.models.list()
    assert [model.id for model in listed.data] == ["chat", "empty", "guarded", "team-a/chat:v1"]
    for name in ("chat", "team-a/chat:v1"):
        found = await client.models.retrieve(name)
        assert (found.id, found.object, found.owned_by) == (name, "model", "default")
    with pytest.raises(openai.NotFoundError) as refused:
        await client.models.retrieve("missing/model")
    assert refused.value.code == "model_not_found"


async def test_models_with_the_synchronous_client(scene: Scene, engine: EngineStandIn) -> None:
    names = await with_sync_client(scene, lambda client: [model.id for model in client.models.list()])
    assert names == ["chat", "empty", "guarded", "team-a/chat:v1"]
    found = await with_sync_client(scene, lambda client: client.models.retrieve("team-a/chat:v1").id)
    assert found == "team-a/chat:v1"


@pytest.mark.parametrize("model", ["chat", "team-a/chat:v1", "guarded"])
async def test_chat(client: openai.AsyncOpenAI, engine: EngineStandIn, model: str) -> None:
    answer = await client.chat.completions.create(model=model, messages=QUESTION)
    assert (answer.choices[0].message.content or "").startswith("own t1")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    assert engine.log.records()[0].model == "own"


async def test_chat_with_the_synchronous_client(scene: Scene, engine: EngineStandIn) -> None:
    def talk(client: openai.OpenAI) -> tuple[str, str]:
        whole = client.chat.completions.create(model="chat", messages=QUESTION)
        stream = client.chat.completions.create(model="chat", messages=QUESTION, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
        return whole.choices[0].message.content or "", "".join(pieces)

    whole, streamed = await with_sync_client(scene, talk)
    assert whole == streamed
    assert whole.startswith("own t1")


@pytest.mark.parametrize("asked", [True, False])
async def test_usage_comes_in_the_last_chunk_when_asked_for_and_never_else(
    client: openai.AsyncOpenAI, engine: EngineStandIn, asked: bool
) -> None:
    options = {"stream_options": {"include_usage": True}} if asked else {}
    stream = await client.chat.completions.create(
        model="chat", messages=QUESTION, stream=True, extra_body=options
    )
    chunks = [chunk async for chunk in stream]
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert content.startswith("own t1")
    if asked:
        assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 8
    else:
        assert all(chunk.choices and chunk.usage is None for chunk in chunks)


async def test_legacy_completions_and_embeddings(client: openai.AsyncOpenAI, engine: EngineStandIn) -> None:
    completion = await client.completions.create(model="chat", prompt="Say hello.")
    assert completion.choices[0].text.startswith("own t1")
    stream = await client.completions.create(model="chat", prompt="Say hello.", stream=True)
    texts = [chunk.choices[0].text async for chunk in stream]
    assert "".join(texts).startswith("own t1")
    vectors = await client.embeddings.create(model="chat", input=["one", "two"], encoding_format="float")
    assert [row.embedding for row in vectors.data] == [[0.25, -0.5, 0.75, 1.0]] * 2


async def test_responses(client: openai.AsyncOpenAI, engine: EngineStandIn) -> None:
    answer = await client.responses.create(model="chat", input="Say hello.")
    assert answer.output_text.startswith("own t1")
    stream = await client.responses.create(model="chat", input="Say hello.", stream=True)
    events = [event async for event in stream]
    assert events[-1].type == "response.completed"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas).startswith("own t1")


async def test_an_unknown_model_is_not_found_in_helpful_words(
    client: openai.AsyncOpenAI, engine: EngineStandIn
) -> None:
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError) as refused:
            await client.chat.completions.create(model="gpt-9", messages=QUESTION, stream=stream)
        assert refused.value.status_code == 404
        assert refused.value.code == "model_not_found"
        assert "'gpt-9' does not exist" in refused.value.message
        assert "GET /v1/models" in refused.value.message
    assert engine.log.total == 0


async def test_a_wrong_key_is_an_authentication_error(scene: Scene, engine: EngineStandIn) -> None:
    async with openai.AsyncOpenAI(base_url=f"{scene.url}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.chat.completions.create(model="guarded", messages=QUESTION)
        assert refused.value.code == "invalid_api_key"


async def test_a_body_that_is_too_large_is_413(client: openai.AsyncOpenAI, engine: EngineStandIn) -> None:
    large: list[ChatCompletionMessageParam] = [{"role": "user", "content": "x" * (1024 * 1024)}]
    with pytest.raises(openai.APIStatusError) as refused:
        await client.chat.completions.create(model="chat", messages=large)
    assert refused.value.status_code == 413
    assert "larger than the 1 MiB" in refused.value.message
    assert engine.log.total == 0


async def test_no_replica_is_an_internal_server_error(
    client: openai.AsyncOpenAI, engine: EngineStandIn
) -> None:
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as refused:
            await client.chat.completions.create(model="empty", messages=QUESTION, stream=stream)
        assert refused.value.status_code == 503
        assert refused.value.response.headers["retry-after"] == "1"
        assert "No replica of this model is ready" in refused.value.message


async def test_a_targets_own_errors_keep_their_class(
    client: openai.AsyncOpenAI, engine: EngineStandIn
) -> None:
    engine.script.queue(Behaviour(fault=Fault.RATE_LIMITED, retry_after_seconds=7))
    with pytest.raises(openai.RateLimitError) as limited:
        await client.chat.completions.create(model="chat", messages=QUESTION)
    assert limited.value.response.headers["retry-after"] == "7"
    engine.script.queue(Behaviour(fault=Fault.CONTEXT_OVERFLOW))
    with pytest.raises(openai.BadRequestError) as overflow:
        await client.chat.completions.create(model="chat", messages=QUESTION)
    assert "maximum context length" in overflow.value.message


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.RESET_AFTER_CHUNKS, openai.APIConnectionError), (Fault.ERROR_AFTER_CHUNKS, openai.APIError)],
)
async def test_a_stream_that_breaks_raises_and_does_not_end(
    client: openai.AsyncOpenAI, engine: EngineStandIn, fault: Fault, error: type[openai.APIError]
) -> None:
    engine.script.queue(Behaviour(fault=fault))
    stream = await client.chat.completions.create(model="chat", messages=QUESTION, stream=True)
    heard: list[str] = []

    async def listen() -> None:
        async for chunk in stream:
            heard.append(chunk.choices[0].delta.content or "")

    with pytest.raises(error):
        await listen()
    assert "".join(heard) == "own t1 t2 "
