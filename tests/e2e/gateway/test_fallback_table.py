"""Which failure of the first target lets the second one answer, and which does not.

Each row is one fault of a stand-in, played on a plain request and on a stream: with its reason in `when` the
fallback answers whole and the client sees nothing of the fault; without it the client gets the fault.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pointsman.api import FallbackReason
from tests.e2e.gateway.scene import Scene, attempts, target
from tests.support.behaviour import Behaviour, Dialect, Fault
from tests.support.builders import deployment, route
from tests.support.clients import Answer, Ending
from tests.support.ports import free_port
from tests.support.seen_requests import SeenRequest

CONNECT, SERVER, RATE = (
    FallbackReason.CONNECT_FAILURE,
    FallbackReason.SERVER_ERROR,
    FallbackReason.RATE_LIMITED,
)
TIMEOUT, FIRST_TOKEN = FallbackReason.TIMEOUT, FallbackReason.FIRST_TOKEN_TIMEOUT
OVERFLOW, REFUSAL, CAPACITY = (
    FallbackReason.CONTEXT_OVERFLOW,
    FallbackReason.REFUSAL,
    FallbackReason.NO_CAPACITY,
)

BOTH, PLAIN, STREAM = (False, True), (False,), (True,)


@dataclass(frozen=True)
class Row:
    """A fault, the reasons that cover it, and what the client sees where none of them is in `when`."""

    behaviour: Behaviour
    reasons: frozenset[FallbackReason]
    uncovered_status: int
    shapes: tuple[bool, ...] = BOTH

    @property
    def label(self) -> str:
        status = f"-{self.behaviour.status}" if self.behaviour.fault is Fault.STATUS else ""
        return f"{self.behaviour.fault.value}{status}-{self.behaviour.dialect.value}"


def _row(
    fault: Fault,
    reasons: set[FallbackReason],
    uncovered_status: int,
    shapes: tuple[bool, ...] = BOTH,
    **changes: object,
) -> Row:
    behaviour = Behaviour(fault=fault, hang_seconds=60).changed(**changes)
    return Row(behaviour, frozenset(reasons), uncovered_status, shapes)


# Envoy does not tell an attempt that ran out of time from one whose connection broke: each of these three
# reasons covers the others' faults. Nothing that is wanted gets lost by that, some more falls back.
BROKEN = {CONNECT, TIMEOUT, FIRST_TOKEN}

ROWS = [
    *(_row(Fault.STATUS, {SERVER}, status, status=status) for status in (500, 502, 503, 504, 529)),
    _row(Fault.RATE_LIMITED, {RATE}, 429),
    *(_row(Fault.CONTEXT_OVERFLOW, {OVERFLOW}, 400, dialect=dialect) for dialect in Dialect),
    *(_row(Fault.CONTENT_FILTER, {REFUSAL}, 400, dialect=dialect) for dialect in Dialect),
    _row(Fault.RESET_BEFORE_HEADERS, BROKEN, 503),
    _row(Fault.HEADERS_THEN_RESET, BROKEN, 502),
    _row(Fault.HANG_BEFORE_HEADERS, BROKEN, 504, STREAM),
    _row(Fault.HEADERS_THEN_HANG, BROKEN, 504, STREAM),
    _row(Fault.HANG_BEFORE_HEADERS, {TIMEOUT}, 504, PLAIN),
    _row(Fault.HEADERS_THEN_HANG, {TIMEOUT}, 504, PLAIN),
    _row(Fault.HANG_AFTER_CHUNKS, {TIMEOUT}, 504, PLAIN),
    _row(Fault.ERROR_IN_FIRST_EVENT, {SERVER}, 503),
    _row(Fault.ERROR_EVENT, {SERVER}, 503),
    _row(Fault.COMMENT_THEN_ERROR, {SERVER}, 503),
    _row(Fault.JSON_ERROR_IN_200, {SERVER}, 503),
    _row(Fault.RESET_AFTER_CHUNKS, BROKEN, 502, PLAIN),
    _row(Fault.ERROR_AFTER_CHUNKS, BROKEN, 502, PLAIN),
]
CASES = [
    pytest.param(row, stream, id=f"{row.label}-{'stream' if stream else 'plain'}")
    for row in ROWS
    for stream in row.shapes
]


async def _ask(scene: Scene, stream: bool) -> Answer:
    return await (scene.client.stream_chat if stream else scene.client.chat)("chat")


async def _fell(scene: Scene, behaviour: Behaviour, when: set[FallbackReason], stream: bool) -> Answer:
    """Serve a failing first target and a second that is well, ask once, and look at all that was said."""
    first = await scene.engine("first", behaviour)
    second = await scene.engine("second")
    # A plain request's time is shared out among the attempts: a second and a half for each of two.
    chat = route("chat", ["first"], fallback=["second"], when=sorted(when), first_token="1s", request="3s")
    endpoints = {"first": [first.port], "second": [second.port]}
    await scene.serve(deployment("first"), deployment("second"), chat, endpoints=endpoints)
    answer = await _ask(scene, stream)
    assert first.log.total == 1, "the first target is asked once, and first"
    assert_nothing_leaked(answer, [*first.log.records(), *second.log.records()])
    return answer


def assert_nothing_leaked(answer: Answer, seen: list[SeenRequest]) -> None:
    """No header between our own filters reaches a client or a target."""
    ours = [name for name in answer.headers if name.startswith(("x-pm-", "x-envoy-"))]
    assert not ours, f"the client sees {ours}"
    for request in seen:
        ours = [name for name in request.headers if name.startswith(("x-pm-", "x-envoy-"))]
        assert not ours, f"a target sees {ours}"


@pytest.mark.parametrize(("row", "stream"), CASES)
async def test_a_fault_with_its_reason_stated_is_answered_by_the_fallback(
    scene: Scene, row: Row, stream: bool
) -> None:
    answer = await _fell(scene, row.behaviour, set(row.reasons), stream)
    assert (answer.ending, answer.status) == (Ending.DONE, 200), answer
    assert answer.text.startswith("second")
    assert target(answer) == "second"
    assert attempts(answer) == 2


@pytest.mark.parametrize(("row", "stream"), CASES)
async def test_a_fault_without_its_reason_stated_reaches_the_client(
    scene: Scene, row: Row, stream: bool
) -> None:
    answer = await _fell(scene, row.behaviour, set(FallbackReason) - row.reasons, stream)
    assert answer.ending is Ending.ERROR_STATUS, answer
    assert answer.status == row.uncovered_status, answer
    assert "second" not in answer.body
    assert attempts(answer) in (0, 1)


@pytest.mark.parametrize("stream", BOTH)
async def test_a_target_that_nothing_listens_for_is_a_connection_failure(scene: Scene, stream: bool) -> None:
    second = await scene.engine("second")
    chat = route("chat", ["first"], fallback=["second"], when=[CONNECT])
    endpoints = {"first": [free_port()], "second": [second.port]}
    await scene.serve(deployment("first"), deployment("second"), chat, endpoints=endpoints)
    answer = await _ask(scene, stream)
    assert (answer.ending, target(answer), attempts(answer)) == (Ending.DONE, "second", 2)


@pytest.mark.parametrize("stream", BOTH)
async def test_a_target_without_a_replica_is_passed_over(scene: Scene, stream: bool) -> None:
    second = await scene.engine("second")
    chat = route("chat", ["first"], fallback=["second"], when=[CAPACITY])
    await scene.serve(deployment("first"), deployment("second"), chat, endpoints={"second": [second.port]})
    answer = await _ask(scene, stream)
    assert (answer.ending, target(answer)) == (Ending.DONE, "second")


async def test_a_request_goes_down_the_whole_list_of_fallbacks(scene: Scene) -> None:
    names = ["first", "second", "third", "fourth"]
    engines = [await scene.engine(name, Behaviour(fault=Fault.STATUS)) for name in names[:-1]]
    engines.append(await scene.engine(names[-1]))
    chat = route("chat", ["first"], fallback=names[1:])
    endpoints = {name: [engine.port] for name, engine in zip(names, engines, strict=True)}
    await scene.serve(*map(deployment, names), chat, endpoints=endpoints)
    answer = await scene.client.chat("chat")
    assert (answer.text.split()[0], target(answer), attempts(answer)) == ("fourth", "fourth", 4)
    assert [engine.log.total for engine in engines] == [1, 1, 1, 1]


async def test_when_every_target_fails_the_client_gets_the_last_ones_words(scene: Scene) -> None:
    names = ["first", "second"]
    engines = {
        name: await scene.engine(name, Behaviour(fault=Fault.STATUS, message=f"{name} is ill"))
        for name in names
    }
    chat = route("chat", ["first"], fallback=["second"])
    await scene.serve(*map(deployment, names), chat, endpoints={name: [engines[name].port] for name in names})
    answer = await scene.client.chat("chat")
    assert answer.status == 500
    assert answer.json()["error"]["message"] == "second is ill"


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (Fault.RESET_AFTER_CHUNKS, Ending.TRUNCATED),
        (Fault.ERROR_AFTER_CHUNKS, Ending.ERROR_EVENT),
    ],
)
async def test_a_stream_that_breaks_after_content_ends_as_an_error(
    scene: Scene, fault: Fault, ending: Ending
) -> None:
    first, second = await scene.engine("first", Behaviour(fault=fault)), await scene.engine("second")
    chat = route("chat", ["first"], fallback=["second"])
    endpoints = {"first": [first.port], "second": [second.port]}
    await scene.serve(deployment("first"), deployment("second"), chat, endpoints=endpoints)
    answer = await scene.client.stream_chat("chat")
    assert answer.ending is ending
    assert answer.text == "first t1 t2 ", "what had been said before arrives, and nothing of another target"
    assert second.log.total == 0
