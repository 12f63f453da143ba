"""Requests for a model at zero: held until a replica of it can answer, within bounds; Envoy carries them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pointsman.api import FallbackReason, ModelDeployment
from pointsman.gateway.metrics_page import MetricsPage
from pointsman.routing.settings import HoldSettings
from tests.e2e.gateway.scene import Scene, attempts, error_of, in_parallel, target
from tests.e2e.gateway.test_fallback_table import assert_nothing_leaked
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, endpoint, key, route
from tests.support.clients import Answer, Ending, chat_body
from tests.support.polling import eventually_async

OWN = key("own")
IDLE = {"scaling": {"idle": {"after": "10m"}, "maxReplicas": 4}}


def idle(name: str = "own", **more: Any) -> ModelDeployment:
    """One that may be at zero. Its public name is its own, so that bodies pass as they are."""
    return deployment(name, served_names=["chat"], spec=IDLE, **more)


async def at_zero(
    scene: Scene, *, seconds: float = 60.0, bounds: HoldSettings | None = None, **stated: Any
) -> None:
    scene.change_settings(hold=bounds or HoldSettings(seconds=seconds))
    spare = await scene.engine("spare")
    chat = route("chat", ["own"], **stated)
    await scene.serve(idle(), deployment("spare"), chat, endpoints={"spare": [spare.port]})


def come(scene: Scene, *ports: int) -> None:
    """These replicas are ready now, and no others."""
    given = scene.given
    scene.tell(replace(given, endpoints={**given.endpoints, OWN: tuple(map(endpoint, ports))}))


async def held(scene: Scene, count: int) -> None:
    await eventually_async(
        lambda: scene.gateway.hold.held.get(OWN, 0) == count, 60, f"{count} requests are held"
    )


async def counted(scene: Scene, name: str) -> dict[str, float]:
    """Rows of the gateway's metrics page."""
    page = await MetricsPage(scene.gateway).text()
    rows = [line for line in page.splitlines() if line.startswith(f"pointsman_gateway_{name}{{")]
    return {row[row.index("{") : row.rindex(" ")]: float(row.rpartition(" ")[2]) for row in rows}


async def test_many_large_requests_arrive_whole_once_a_replica_is_ready(scene: Scene) -> None:
    await at_zero(scene)
    sizes = [10, 1_000, 200_000, 3_000_000] * 5
    bodies = [json.dumps(chat_body("chat", f"{n} {'x' * size}")).encode() for n, size in enumerate(sizes)]

    async def ask(index: int) -> Answer:
        return await scene.client.request("POST", "/v1/chat/completions", bodies[index])

    asked = asyncio.create_task(in_parallel(len(bodies), ask))
    await held(scene, 20)
    assert await counted(scene, "held_requests") == {'{target="default/own"}': 20.0}
    active = await counted(scene, "active_requests")
    assert active['{target="default/own"}'] == 20.0, "what is held has arrived"
    own = await scene.engine("own", served_names=["chat"])
    come(scene, own.port)
    answers = await asked
    assert {(one.ending, target(one), attempts(one)) for one in answers} == {(Ending.DONE, "own", 2)}
    seen = own.log.records()
    assert {one.body_sha256 for one in seen} == {hashlib.sha256(body).hexdigest() for body in bodies}
    assert own.log.total == 20, "each arrives once"
    for answer in answers:
        assert_nothing_leaked(answer, list(seen))
    assert await counted(scene, "held_requests") == {'{target="default/own"}': 0.0}

    async def all_told() -> bool:
        found = await counted(scene, "attempts_total")
        by_class = {
            name: sum(v for row, v in found.items() if f'class="{name}"' in row) for name in ("held", "ok")
        }
        assert by_class == {"held": 20.0, "ok": 20.0}
        return True

    await eventually_async(all_told, 30, "attempts are counted")
    # Running traffic goes to the replica alone.
    answer = await scene.client.chat("chat")
    assert (attempts(answer), answer.ending) == (1, Ending.DONE)


@pytest.mark.parametrize("stream", [False, True])
async def test_no_limit_of_the_route_cuts_a_hold(scene: Scene, stream: bool) -> None:
    """The request's own time begins when it is let go."""
    when = sorted(FallbackReason)
    await at_zero(scene, fallback=["spare"], when=when, request="3s", first_token="2s", idle="2s")
    ask = scene.client.stream_chat if stream else scene.client.chat
    asked = asyncio.create_task(ask("chat"))
    await held(scene, 1)
    _, still = await asyncio.wait([asked], timeout=3.2)
    assert still, asked
    own = await scene.engine("own", served_names=["chat"])
    come(scene, own.port)
    answer = await asked
    assert (answer.ending, target(answer)) == (Ending.DONE, "own"), answer
    assert answer.seconds > 3.2


@pytest.mark.parametrize(
    "bounds",
    [
        HoldSettings(requests=1),
        HoldSettings(requests_in_all=1),
        HoldSettings(body_bytes=200),
        HoldSettings(body_bytes_in_all=200),
    ],
    ids=["requests", "requests in all", "bytes", "bytes in all"],
)
async def test_what_is_above_the_bounds_is_refused_and_what_waits_is_not(
    scene: Scene, bounds: HoldSettings
) -> None:
    await at_zero(scene, bounds=bounds)
    first = asyncio.create_task(scene.client.chat("chat"))
    await held(scene, 1)
    answer = await scene.client.chat("chat", "x" * 150)
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 1
    assert error_of(answer)["code"] == "too_many_waiting"
    assert_nothing_leaked(answer, [])
    own = await scene.engine("own", served_names=["chat"])
    come(scene, own.port)
    assert (await first).ending is Ending.DONE


async def test_a_hold_ends_when_its_time_is_over(scene: Scene) -> None:
    await at_zero(scene, seconds=3)
    answer = await scene.client.chat("chat")
    assert (answer.status, error_of(answer)["code"]) == (503, "starting")
    assert "retry-after" in answer.headers
    assert 3 <= answer.seconds < 6, "it does not wait again at each attempt"
    assert_nothing_leaked(answer, [])
    assert dict(scene.gateway.hold.held) == {}


async def test_past_the_bounds_the_fallback_answers(scene: Scene) -> None:
    await at_zero(scene, seconds=0.3, fallback=["spare"], when=[FallbackReason.NO_CAPACITY])
    answer = await scene.client.stream_chat("chat")
    assert (answer.ending, target(answer)) == (Ending.DONE, "spare"), answer


async def test_a_client_that_hangs_up_is_held_no_more(scene: Scene) -> None:
    await at_zero(scene)
    asked = [asyncio.create_task(scene.client.chat("chat", "x" * 300_000)) for _ in range(3)]
    await held(scene, 3)
    asked[0].cancel()
    await held(scene, 2)
    own = await scene.engine("own", served_names=["chat"])
    come(scene, own.port)
    assert {one.ending for one in await asyncio.gather(*asked[1:])} == {Ending.DONE}
    assert own.log.total == 2


async def test_a_gateway_that_leaves_answers_those_that_it_holds(scene: Scene) -> None:
    await at_zero(scene)
    asked = asyncio.create_task(scene.client.chat("chat"))
    await held(scene, 1)
    await scene.gateway.stop(1.5)
    answer = await asked
    assert (answer.status, error_of(answer)["code"]) == (503, "starting")
    assert_nothing_leaked(answer, [])


async def test_a_replica_that_goes_as_it_comes_costs_no_request(scene: Scene) -> None:
    """It dies when it is asked: the request waits for the next."""
    await at_zero(scene)
    asked = asyncio.create_task(scene.client.chat("chat"))
    await held(scene, 1)

    died = asyncio.Event()

    async def die(request: web.Request) -> web.Response:
        come(scene)
        await scene.gateway.ready(60)
        assert request.transport is not None
        request.transport.close()
        died.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/chat/completions", die)
    async with TestServer(app) as dying:
        assert dying.port is not None
        come(scene, dying.port)
        await died.wait()
        await held(scene, 1)
    own = await scene.engine("own", served_names=["chat"])
    come(scene, own.port)
    answer = await asked
    assert (answer.ending, target(answer), attempts(answer)) == (Ending.DONE, "own", 4), answer


async def test_a_target_goes_to_zero_and_comes_back(scene: Scene) -> None:
    await at_zero(scene)
    own = await scene.engine("own", served_names=["chat"])
    for _ in range(3):
        come(scene, own.port)
        await scene.gateway.ready(60)
        assert (await scene.client.chat("chat")).ending is Ending.DONE
        come(scene)
        await scene.gateway.ready(60)
        asked = asyncio.create_task(scene.client.chat("chat"))
        await held(scene, 1)
        come(scene, own.port)
        assert (await asked).ending is Ending.DONE
    assert own.log.total == 6


async def test_nobody_else_can_say_that_a_request_was_held(scene: Scene) -> None:
    """Neither a client nor a replica: it is asked once, and what it says of itself is not shown."""
    asked = 0

    async def forge(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        said = {"x-pm-hold": request.headers.get("x-pm-hold", "word"), "x-pm-retry": "held"}
        return web.json_response({"error": {"message": "no"}}, status=400, headers=said)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", forge)
    await at_zero(scene)
    async with TestServer(app) as forger:
        assert forger.port is not None
        come(scene, forger.port)
        await scene.gateway.ready(60)
        answer = await scene.client.chat("chat", headers={"x-pm-hold": "word", "x-pm-retry": "held"})
    assert (answer.status, attempts(answer), asked) == (400, 1, 1)
    assert_nothing_leaked(answer, [])


async def test_a_fallback_at_zero_is_woken(scene: Scene) -> None:
    first = await scene.engine("first", Behaviour(fault=Fault.STATUS, status=500))
    spare = await scene.engine("spare")
    chat = route("chat", ["first"], fallback=["own"])
    await scene.serve(
        deployment("first"),
        idle(),
        deployment("spare"),
        chat,
        endpoints={"first": [first.port], "spare": [spare.port]},
    )
    asked = asyncio.create_task(scene.client.chat("chat"))
    await held(scene, 1)
    own = await scene.engine("own", served_names=["chat"])
    come(scene, own.port)
    answer = await asked
    assert (answer.ending, target(answer), attempts(answer)) == (Ending.DONE, "own", 3)
