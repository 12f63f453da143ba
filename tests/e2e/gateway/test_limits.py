"""More than a gateway can hold: thousands of streams, hundreds of large bodies; memory has a bound."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.e2e.gateway.raw_http import RawAnswer as Exchanged
from tests.e2e.gateway.raw_http import chunked, exchange, head
from tests.e2e.gateway.scene import Scene, error_of
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, route
from tests.support.clients import Ending
from tests.support.engine_process import EngineProcess
from tests.support.load_clients import RawAnswer, endings, large_chat_body, open_streams, slow_client
from tests.support.polling import eventually_async

MIB = 1024 * 1024
CHAT = "/v1/chat/completions"

# What Envoy's process holds at most, beside what was measured on two cores. An idle one holds 87 MB.
STREAMS, STREAMS_RSS_BYTES = 2000, 400 * MIB  # 243 MB
CLIENTS, TOO_LARGE_BYTES, TOO_LARGE_RSS_BYTES = 200, 20_000_000, 512 * MIB  # 280 MB
# 3 GB of bodies that are each just small enough, with the default heap of 1 GiB: 1.2 to 1.4 GB.
LARGE_BYTES, LARGE_RSS_BYTES = 15_000_000, 2048 * MIB


@asynccontextmanager
async def watched_rss(scene: Scene) -> AsyncIterator[list[int]]:
    """Envoy's resident memory, looked at ten times a second for as long as the block runs."""
    seen: list[int] = []
    done = asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            seen.append(scene.envoy_rss_bytes())
            try:
                await asyncio.wait_for(done.wait(), 0.1)
            except TimeoutError:
                continue

    watcher = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        done.set()
        await watcher


async def serve(scene: Scene, behaviour: Behaviour) -> EngineProcess:
    engine = await scene.engine_process("own", behaviour)
    await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [engine.port]})
    return engine


async def slow_clients(scene: Scene, body: bytes) -> list[RawAnswer]:
    """So many clients that send a body and read 1 KB a second, the first 4 KB of what they get."""
    clients = (
        slow_client(scene.url, body, read_bytes_per_second=1024, read_bytes=4096, deadline_seconds=120)
        for _ in range(CLIENTS)
    )
    return list(await asyncio.gather(*clients))


def assert_steady(scene: Scene, pid: int | None) -> None:
    assert scene.gateway.envoy.restarts == 0
    assert scene.gateway.envoy.pid == pid


def assert_refused(answers: Sequence[RawAnswer | Exchanged], expected: set[int]) -> None:
    """These statuses and no others, but where the reset after an answer amid a body has overtaken it."""
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) <= {0, *expected}, statuses
    assert statuses[0] < CLIENTS / 2, statuses


async def soon_served(scene: Scene) -> None:
    async def served() -> bool:
        return (await scene.client.chat("chat")).ok

    await eventually_async(served, 30, "the gateway serves again")


async def test_two_thousand_streams_at_once_on_one_target(scene: Scene) -> None:
    engine = await serve(scene, Behaviour(chunks=3, gap_seconds=8))
    pid = scene.gateway.envoy.pid
    async with watched_rss(scene) as rss:
        answers = await open_streams(scene.client, "chat", STREAMS, deadline_seconds=150)
    assert endings(answers) == {Ending.DONE.value: STREAMS}
    assert (await engine.control.counts())["most_in_flight"] == STREAMS
    assert max(rss) < STREAMS_RSS_BYTES
    assert_steady(scene, pid)


async def test_slow_clients_with_bodies_over_the_cap_cost_nearly_nothing(scene: Scene) -> None:
    engine = await serve(scene, Behaviour())
    pid = scene.gateway.envoy.pid
    async with watched_rss(scene) as rss:
        answers = await slow_clients(scene, large_chat_body("chat", TOO_LARGE_BYTES))
    assert_refused(answers, {413, 503})
    assert (await engine.control.counts())["total"] == 0
    assert max(rss) < TOO_LARGE_RSS_BYTES
    assert_steady(scene, pid)
    await soon_served(scene)


async def test_slow_clients_with_bodies_under_the_cap_are_answered_or_told_to_come_back(
    scene: Scene,
) -> None:
    await serve(scene, Behaviour(answer_bytes=200_000))
    pid = scene.gateway.envoy.pid
    async with watched_rss(scene) as rss:
        answers = await slow_clients(scene, large_chat_body("chat", LARGE_BYTES))
    assert_refused(answers, {200, 503})
    assert {answer.ending for answer in answers} <= {"enough", "closed", "reset"}, "nobody is left to wait"
    assert max(rss) < LARGE_RSS_BYTES, max(rss)
    assert_steady(scene, pid)
    await soon_served(scene)


async def test_bodies_over_the_cap_without_a_stated_length_are_413_or_503(scene: Scene) -> None:
    engine = await serve(scene, Behaviour())
    pid = scene.gateway.envoy.pid
    body = large_chat_body("chat", TOO_LARGE_BYTES)
    sent = chunked([body[at : at + 256 * 1024] for at in range(0, len(body), 256 * 1024)])
    request = head("POST", CHAT, [("content-type", "application/json"), ("transfer-encoding", "chunked")])
    async with watched_rss(scene) as rss:
        answers = await asyncio.gather(
            *(exchange(scene.url, request, sent, deadline_seconds=120) for _ in range(CLIENTS))
        )
    assert_refused(answers, {413, 503})
    assert (await engine.control.counts())["total"] == 0
    assert max(rss) < LARGE_RSS_BYTES, max(rss)
    assert_steady(scene, pid)
    await soon_served(scene)


async def test_while_memory_is_short_an_upload_is_503_in_words_and_later_ones_are_served(
    scene: Scene,
) -> None:
    scene.change_settings(heap_bytes=96 * MIB)
    await serve(scene, Behaviour())
    body = large_chat_body("chat", LARGE_BYTES)
    answers = await asyncio.gather(*(scene.client.request("POST", CHAT, body) for _ in range(30)))
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) <= {0, 200, 503}, statuses
    refused = [answer for answer in answers if answer.status == 503]
    assert refused, statuses
    for answer in refused:
        assert error_of(answer)["code"] == "overloaded"
        assert answer.headers["retry-after"] == "1"
    await soon_served(scene)


async def test_the_largest_body_falls_back_whole_and_a_large_answer_arrives_whole(scene: Scene) -> None:
    first = await scene.engine("first", Behaviour(fault=Fault.STATUS))
    second = await scene.engine("second", Behaviour(answer_bytes=20_000_000))
    await scene.serve(
        deployment("first", served_names=["name-of-the-first"]),
        deployment("second", served_names=["chat"]),
        route("chat", ["first"], fallback=["second"]),
        endpoints={"first": [first.port], "second": [second.port]},
    )
    body = large_chat_body("chat", scene.settings.max_request_bytes)
    answer = await scene.client.request("POST", CHAT, body)
    assert answer.ok, (answer.status, answer.body[:300])
    assert len(answer.text) == 20_000_000
    assert second.log.records()[0].body_sha256 == hashlib.sha256(body).hexdigest()
    assert first.log.records()[0].body_bytes == len(body) + len("name-of-the-first") - len("chat")


async def test_more_connections_than_allowed_are_turned_away_and_the_others_served(scene: Scene) -> None:
    scene.change_settings(max_connections=50)
    engine = await serve(scene, Behaviour(first_token_seconds=5))
    answers = await asyncio.gather(*(scene.client.chat("chat") for _ in range(80)))
    ends = endings(answers)
    assert ends[Ending.DONE.value] == 50, ends
    assert ends[Ending.CONNECTION_FAILED.value] == 30, ends
    assert (await engine.control.counts())["most_in_flight"] == 50
    assert (await scene.client.chat("chat")).ok
