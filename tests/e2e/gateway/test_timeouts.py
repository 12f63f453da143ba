"""How long a request may take in all, until its first token, in silence; and what none of these may cut."""

from __future__ import annotations

import pytest

from tests.e2e.gateway.scene import Scene, attempts, error_of, target
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, route
from tests.support.clients import Ending
from tests.support.engine_stand_in import EngineStandIn


async def serve(
    scene: Scene,
    behaviour: Behaviour,
    *,
    request: str = "20s",
    first_token: str = "",
    idle: str = "10s",
    fallback: bool = False,
) -> EngineStandIn:
    engine, spare = await scene.engine("own", behaviour), await scene.engine("spare")
    chat = route(
        "chat",
        ["own"],
        fallback=["spare"] if fallback else [],
        cooldown=(10_000, "1s") if fallback else None,
        request=request,
        first_token=first_token,
        idle=idle,
    )
    endpoints = {"own": [engine.port], "spare": [spare.port]}
    await scene.serve(deployment("own"), deployment("spare"), chat, endpoints=endpoints)
    return engine


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE_HEADERS, Fault.HEADERS_THEN_HANG])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_ends_when_its_time_is_over(scene: Scene, fault: Fault, stream: bool) -> None:
    await serve(scene, Behaviour(fault=fault, hang_seconds=60), request="700ms")
    answer = await scene.client.chat("chat", stream=stream)
    assert answer.status == 504
    assert error_of(answer)["code"] == "timeout"
    assert 0.6 < answer.seconds < 30


async def test_a_stream_that_talks_past_its_time_is_cut_and_shows_it(scene: Scene) -> None:
    engine = await serve(scene, Behaviour(chunks=1000, gap_seconds=0.05), request="3s")
    answer = await scene.client.stream_chat("chat")
    assert answer.ending is Ending.TRUNCATED
    assert answer.had_content
    await engine.settled()
    assert engine.log.abandoned == 1, "the engine is told to stop"


async def test_a_first_token_that_is_late_moves_a_stream_on_in_time(scene: Scene) -> None:
    # The other target has as long for its own first token.
    await serve(scene, Behaviour(first_token_seconds=60), first_token="2s", fallback=True)
    answer = await scene.client.stream_chat("chat")
    assert (answer.ending, target(answer), attempts(answer)) == (Ending.DONE, "spare", 2)
    assert 1.9 < answer.seconds < 30


async def test_a_first_token_timeout_without_another_target_ends_as_504(scene: Scene) -> None:
    await serve(scene, Behaviour(first_token_seconds=60), first_token="300ms")
    answer = await scene.client.stream_chat("chat")
    assert (answer.ending, answer.status) == (Ending.ERROR_STATUS, 504)
    assert error_of(answer)["code"] == "timeout"


async def test_a_first_token_timeout_cuts_no_answer_in_one_piece(scene: Scene) -> None:
    engine = await serve(scene, Behaviour(first_token_seconds=1.2), first_token="300ms", fallback=True)
    answer = await scene.client.chat("chat")
    assert (answer.ending, target(answer), attempts(answer)) == (Ending.DONE, "own", 1)
    assert engine.log.total == 1


async def test_a_first_token_timeout_cuts_no_stream_that_has_begun(scene: Scene) -> None:
    await serve(scene, Behaviour(chunks=6, gap_seconds=0.5), first_token="2s", fallback=True)
    answer = await scene.client.stream_chat("chat")
    assert (answer.ending, target(answer)) == (Ending.DONE, "own")
    assert answer.seconds > 2


async def test_silence_in_a_stream_ends_it_as_an_error(scene: Scene) -> None:
    engine = await serve(scene, Behaviour(chunks=5, gap_seconds=60), idle="2s")
    answer = await scene.client.stream_chat("chat")
    assert answer.ending is Ending.TRUNCATED, "never a silent success"
    assert answer.text == "own "
    assert answer.seconds < 30
    await engine.settled()
    assert engine.log.abandoned == 1


async def test_a_slow_stream_that_is_never_silent_for_long_is_left_alone(scene: Scene) -> None:
    await serve(scene, Behaviour(chunks=8, gap_seconds=0.5), idle="3s")
    answer = await scene.client.stream_chat("chat")
    assert answer.ending is Ending.DONE
    assert answer.seconds > 3


async def test_an_answer_in_one_piece_may_take_longer_than_a_stream_may_be_silent(scene: Scene) -> None:
    await serve(scene, Behaviour(first_token_seconds=1.5), idle="500ms")
    answer = await scene.client.chat("chat")
    assert answer.ending is Ending.DONE
    assert answer.seconds > 1.2


async def test_a_client_that_hangs_up_stops_the_engine(scene: Scene) -> None:
    engine = await serve(scene, Behaviour(chunks=1000, gap_seconds=0.05))
    answer = await scene.client.stream_chat("chat", hang_up_after_events=3)
    assert answer.ending is Ending.HUNG_UP
    await engine.settled()
    assert engine.log.abandoned == 1


async def test_a_client_that_hangs_up_before_the_first_token_stops_the_engine(scene: Scene) -> None:
    engine = await serve(scene, Behaviour(first_token_seconds=60), fallback=True)
    for stream in (False, True):
        answer = await scene.client.chat("chat", stream=stream, deadline_seconds=2)
        assert answer.ending is Ending.DEADLINE
    await engine.settled()
    assert (engine.log.total, engine.log.abandoned) == (2, 2)
