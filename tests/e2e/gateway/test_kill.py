"""A target that dies, hangs or errs with 250 requests in flight: whoever had no content yet is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.e2e.gateway.scene import Scene, target
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, route
from tests.support.clients import Answer, Ending
from tests.support.engine_process import EngineProcess
from tests.support.engine_stand_in import EngineStandIn
from tests.support.load_clients import endings
from tests.support.polling import eventually_async

STREAMS, PLAIN = 50, 200

# Headers of a stream go out at once; the first token comes later than any of these tests lasts.
WAITING = Behaviour(first_token_seconds=120)
DEADLINE_SECONDS = 90.0


async def serve(
    scene: Scene,
    primary_port: int,
    fallback: EngineStandIn,
    *,
    first_token: str = "",
    request: str = "120s",
) -> None:
    await scene.serve(
        deployment("primary"),
        deployment("fallback"),
        route(
            "chat",
            ["primary"],
            fallback=["fallback"],
            cooldown=(10_000, "30s"),
            first_token=first_token,
            request=request,
        ),
        endpoints={"primary": [primary_port], "fallback": [fallback.port]},
    )


def begin(scene: Scene, *, streams: int = STREAMS, plain: int = PLAIN) -> list[asyncio.Task[Answer]]:
    """Start so many requests without waiting for them."""
    asked = [
        scene.client.stream_chat("chat", f"stream {index}", deadline_seconds=DEADLINE_SECONDS)
        for index in range(streams)
    ]
    asked += [
        scene.client.chat("chat", f"plain {index}", deadline_seconds=DEADLINE_SECONDS)
        for index in range(plain)
    ]
    return [asyncio.create_task(one) for one in asked]


async def all_in_flight(process: EngineProcess, count: int) -> None:
    async def arrived() -> bool:
        return (await process.control.counts())["in_flight"] == count

    await eventually_async(arrived, 30, f"{count} requests are in flight")


def assert_all_answered_by(name: str, answers: Sequence[Answer]) -> None:
    assert endings(answers) == {Ending.DONE.value: len(answers)}
    assert Counter(map(target, answers)) == {name: len(answers)}
    assert all(answer.text.startswith(name) for answer in answers), "a whole answer, from its first word"


async def test_requests_without_content_survive_kill_9(scene: Scene) -> None:
    primary = await scene.engine_process("primary", WAITING)
    fallback = await scene.engine("fallback")
    await serve(scene, primary.port, fallback)
    requests = begin(scene)
    await all_in_flight(primary, STREAMS + PLAIN)
    primary.kill()
    assert_all_answered_by("fallback", await asyncio.gather(*requests))
    # Those who come later find nobody there, and are answered as well.
    assert_all_answered_by("fallback", await asyncio.gather(*begin(scene, streams=10, plain=10)))


async def test_streams_with_content_end_as_errors_and_all_others_survive(scene: Scene) -> None:
    talking = Behaviour(chunks=1000, gap_seconds=0.05)
    primary = await scene.engine_process("primary", WAITING)
    fallback = await scene.engine("fallback")
    await serve(scene, primary.port, fallback)
    await primary.control.queue(talking, times=STREAMS)
    heard = 0

    def listen(event: object) -> None:
        nonlocal heard
        heard += 1

    broken = [
        asyncio.create_task(
            scene.client.stream_chat("chat", on_event=listen, deadline_seconds=DEADLINE_SECONDS)
        )
        for _ in range(STREAMS)
    ]
    # A role chunk and one with content are two events of each stream.
    await eventually_async(lambda: heard >= 3 * STREAMS, 30, "every stream has said something")
    waiting = begin(scene)
    await all_in_flight(primary, 2 * STREAMS + PLAIN)
    primary.kill()
    assert_all_answered_by("fallback", await asyncio.gather(*waiting))
    cut = await asyncio.gather(*broken)
    assert endings(cut) == {Ending.TRUNCATED.value: STREAMS}, "never a silent success"
    assert all(answer.had_content and answer.text.startswith("primary") for answer in cut)
    assert not any("fallback" in answer.text for answer in cut)


async def test_another_replica_takes_over_when_one_is_killed(scene: Scene) -> None:
    victim = await scene.engine_process("victim", WAITING)
    other, fallback = await scene.engine("other"), await scene.engine("fallback")
    objects = (
        deployment("primary", replicas=2),
        deployment("fallback"),
        route("chat", ["primary"], fallback=["fallback"], cooldown=(10_000, "30s")),
    )
    await scene.serve(*objects, endpoints={"primary": [victim.port], "fallback": [fallback.port]})
    requests = begin(scene)
    await all_in_flight(victim, STREAMS + PLAIN)
    endpoints = {"primary": [victim.port, other.port], "fallback": [fallback.port]}
    await scene.serve(*objects, endpoints=endpoints)
    victim.kill()
    answers = await asyncio.gather(*requests)
    assert endings(answers) == {Ending.DONE.value: STREAMS + PLAIN}
    assert Counter(answer.text.split()[0] for answer in answers) == {"other": STREAMS + PLAIN}
    assert fallback.log.total == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault.HEADERS_THEN_HANG,
        Fault.HEADERS_THEN_RESET,
        Fault.RESET_BEFORE_HEADERS,
        Fault.ERROR_IN_FIRST_EVENT,
        Fault.ERROR_EVENT,
        Fault.COMMENT_THEN_ERROR,
    ],
)
async def test_a_target_that_sends_headers_and_fails_everyone_loses_nobody(
    scene: Scene, fault: Fault
) -> None:
    primary = await scene.engine("primary", Behaviour(fault=fault, hang_seconds=120))
    fallback = await scene.engine("fallback")
    # Only a hang has to be waited out, once by each; the fallback has as long for all of them together.
    first_token, request = ("8s", "30s") if fault is Fault.HEADERS_THEN_HANG else ("60s", "120s")
    await serve(scene, primary.port, fallback, first_token=first_token, request=request)
    assert_all_answered_by("fallback", await asyncio.gather(*begin(scene)))
    assert primary.log.total == STREAMS + PLAIN, "each was tried there first, once"
