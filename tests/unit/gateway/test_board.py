"""When what is said of routes is worked out, and when those who wait hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from pointsman.api import ObjectKey
from pointsman.gateway.cluster.board import ProgrammingBoard
from pointsman.routing import RouteProgramming
from pointsman.routing.programming import PATH, read_programming
from tests.support.builders import key
from tests.support.polling import eventually_async

USED = RouteProgramming(True, True, "Programmed", "", 1)


class Gateway:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.stage = 0
        self.looks = 0
        self.said = {key("chat"): USED}

    def now(self) -> dict[ObjectKey, RouteProgramming]:
        self.looks += 1
        return dict(self.said)


@asynccontextmanager
async def kept(gateway: Gateway, changed: asyncio.Event) -> AsyncIterator[str]:
    board = ProgrammingBoard(gateway.now, lambda: gateway.stage)
    app = web.Application()
    app.add_routes([board.route()])
    keeping = asyncio.create_task(board.keep(changed))
    async with TestServer(app) as server:
        try:
            yield str(server.make_url(PATH))
        finally:
            board.close()
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def test_it_is_worked_out_once_for_each_stage_and_told_to_those_who_wait() -> None:
    gateway, changed = Gateway(), asyncio.Event()
    async with kept(gateway, changed) as url, aiohttp.ClientSession() as session:

        async def asked(after: int | None = None) -> tuple[int, object]:
            async with session.get(url, params={} if after is None else {"after": str(after)}) as answer:
                return read_programming(await answer.text())

        await eventually_async(lambda: gateway.looks == 1, 30, "it has looked")
        revision, said = await asked()
        assert said == gateway.said
        waiting = asyncio.create_task(asked(revision))
        for _ in range(3):
            changed.set()
            await eventually_async(lambda: not changed.is_set(), 30, "it has heard")
        assert gateway.looks == 1, "nothing was said to be another"
        assert not waiting.done()
        gateway.stage, gateway.said = 1, {**gateway.said, key("talk"): USED}
        changed.set()
        newer, said = await asyncio.wait_for(waiting, 30)
        assert (newer, said, gateway.looks) == (revision + 1, gateway.said, 2)


async def test_who_asks_for_the_first_time_hears_of_what_is_so_by_now() -> None:
    gateway, changed = Gateway(), asyncio.Event()
    gateway.said = {}
    async with kept(gateway, changed) as url, aiohttp.ClientSession() as session:
        await eventually_async(lambda: gateway.looks == 1, 30, "it has looked")
        gateway.stage, gateway.said = 1, {key("chat"): USED}
        async with session.get(url) as answer:
            _, said = read_programming(await answer.text())
    assert said == gateway.said
