"""Gateways are asked in long polls: what they say arrives when it is said, also after they begin anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from aiohttp import web

from pointsman.addresses import Address
from pointsman.api import ObjectKey
from pointsman.controller.gateways import Gateways
from pointsman.gateway.cluster.board import ProgrammingBoard
from pointsman.kube.gateways import behind_service, pod_addresses
from pointsman.routing import RouteProgramming
from pointsman.routing.programming import PATH
from tests.support.builders import key
from tests.support.polling import eventually_async
from tests.support.ports import free_port

USED = RouteProgramming(True, True, "Programmed", "", 1)
CHAT, TALK = key("chat"), key("talk")
Said = dict[ObjectKey, RouteProgramming]


class Gateway:
    """Says what `said` holds; `changed` makes it look."""

    def __init__(self, **said: RouteProgramming) -> None:
        self.said: Said = {key(name): one for name, one in said.items()}
        self.changed = asyncio.Event()

    def say(self, **said: RouteProgramming) -> None:
        self.said |= {key(name): one for name, one in said.items()}
        self.changed.set()

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        board = ProgrammingBoard(lambda: self.said, lambda: frozenset(self.said.items()))
        app = web.Application()
        app.add_routes([board.route()])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        keeping = asyncio.create_task(board.keep(self.changed))
        try:
            yield
        finally:
            keeping.cancel()
            board.close()
            await runner.cleanup()


class Asking:
    """The gateways of a Service, and the routes of which they were said to say something else."""

    def __init__(self) -> None:
        self.news: list[set[ObjectKey] | None] = []
        place = behind_service(ObjectKey("system", "gateways"))
        self.gateways = Gateways(place, self._changed, jitter=lambda: 0.0)

    def _changed(self, routes: Iterable[ObjectKey] | None) -> None:
        self.news.append(None if routes is None else set(routes))

    def hear(self, *ports: int) -> None:
        for number in range(2):
            found = _slice(number, ports[number]) if number < len(ports) else None
            self.gateways.hear(_slice(number, 0), found)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.gateways.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _slice(number: int, port: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"gateways-{number}", "namespace": "system"},
        "addressType": "IPv4",
        "ports": [{"name": "metrics", "port": port}],
        "endpoints": [{"addresses": ["127.0.0.1"]}],
    }


async def _one_gateway() -> None:
    asking, gateway, port = Asking(), Gateway(chat=USED, talk=USED), free_port()
    async with asking.running():
        async with gateway.serving(port):
            asking.hear(port)
            await asking.gateways.heard(30)
            assert asking.gateways.said_of(CHAT) == (USED,)
            assert asking.news == [None]
            later = replace(USED, generation=2)
            gateway.say(chat=later)
            await eventually_async(lambda: asking.gateways.said_of(CHAT) == (later,), 30, "it is heard")
            assert asking.news == [None, {CHAT}]
        # While it is away, what it said last stays.
        assert asking.gateways.said_of(TALK) == (USED,)
        again = Gateway(chat=USED)
        async with again.serving(port):
            await eventually_async(lambda: asking.gateways.said_of(TALK) == (None,), 30, "it is heard anew")
        asking.hear()
        await eventually_async(lambda: asking.gateways.said_of(CHAT) == (), 30, "it is gone")
        assert asking.news[-1] is None


def test_what_a_gateway_says_is_heard_when_it_says_it_and_when_it_begins_anew() -> None:
    asyncio.run(_one_gateway())


async def _another_gateway() -> None:
    asking, one, two = Asking(), Gateway(chat=USED, talk=USED), Gateway(chat=USED)
    first, second = free_port(), free_port()
    async with asking.running(), one.serving(first), two.serving(second):
        asking.hear(first)
        await asking.gateways.heard(30)
        asking.hear(first, second)
        await eventually_async(lambda: len(asking.gateways.said_of(CHAT)) == 2, 30, "both are heard")
        assert asking.news == [None, {TALK}]
        asking.hear(first)
        await eventually_async(lambda: len(asking.gateways.said_of(CHAT)) == 1, 30, "one is gone")
        assert asking.news == [None, {TALK}, {TALK}]


def test_a_gateway_that_says_what_others_say_is_no_news() -> None:
    asyncio.run(_another_gateway())


async def _mumbling_gateway() -> None:
    asking, gateway, port = Asking(), Gateway(chat=USED), free_port()
    said = [b"\xff", b"[" * 100_000]

    async def mumble(_: web.Request) -> web.Response:
        return web.Response(body=said.pop(), content_type="application/json", charset="utf-8")

    app = web.Application()
    app.router.add_get(PATH, mumble)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with asking.running():
        asking.hear(port)
        await eventually_async(lambda: not said, 30, "it was asked twice")
        await runner.cleanup()
        async with gateway.serving(port):
            await eventually_async(lambda: asking.gateways.said_of(CHAT) == (USED,), 30, "it is heard")


def test_a_gateway_whose_words_cannot_be_read_is_asked_again() -> None:
    asyncio.run(_mumbling_gateway())


ENDLESS_BYTES = 512 * 2**20


async def _endless_gateway() -> None:
    asking, gateway, port = Asking(), Gateway(chat=USED), free_port()
    asked, sent_bytes = 0, 0

    async def rave(request: web.Request) -> web.StreamResponse:
        nonlocal asked, sent_bytes
        asked += 1
        answer = web.StreamResponse()
        await answer.prepare(request)
        with suppress(ConnectionError):
            while sent_bytes < ENDLESS_BYTES:
                await answer.write(b" " * 2**20)
                sent_bytes += 2**20
        return answer

    app = web.Application()
    app.router.add_get(PATH, rave)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with asking.running():
        asking.hear(port)
        await eventually_async(lambda: asked == 2, 60, "it is asked again")
        await runner.cleanup()
        assert sent_bytes < ENDLESS_BYTES / 2
        async with gateway.serving(port):
            await eventually_async(lambda: asking.gateways.said_of(CHAT) == (USED,), 60, "it is heard")


def test_a_page_without_end_is_not_held_in_memory() -> None:
    asyncio.run(_endless_gateway())


def _pod(*, ready: str = "True", ip: str = "127.0.0.9", **metadata: str) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]
    return {
        "metadata": {"name": "gateway-0", **metadata},
        "spec": {"containers": [{"name": "gateway", "ports": ports}]},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
    }


def test_a_gateway_in_a_pod_is_asked_while_it_is_ready() -> None:
    assert pod_addresses(_pod()) == {Address("127.0.0.9", 9090)}
    assert pod_addresses(_pod(ready="False")) == frozenset()
    assert pod_addresses(_pod(ip="")) == frozenset()
    assert pod_addresses(_pod(deletionTimestamp="2026-01-01T00:00:00Z")) == frozenset()
