"""One agent that answers for those of all pods, and the pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web

from pointsman.api import ObjectKey
from pointsman.workloads import naming
from tests.support.ports import free_port

CHAT = ObjectKey("default", "chat")


def pod(
    name: str = "chat-0",
    *,
    revision: str = "r1",
    role: str = naming.LEADER,
    ready: bool = True,
    live: bool = True,
) -> dict[str, Any]:
    """A pod of CHAT; `live`: its agent loads adapters."""
    labels = {naming.DEPLOYMENT: CHAT.name, naming.REVISION: revision, naming.ROLE: role}
    labels |= {naming.ADAPTERS: "live"} if live else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": CHAT.namespace, "labels": labels, "uid": "1"},
        "status": {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


class OneAgent:
    """What it answers may be changed at any time; `told` is for who hears of it."""

    def __init__(self, text: str) -> None:
        self.port = free_port()
        self.asked = 0
        self.status = 200
        self.text = text
        self.told: list[ObjectKey] = []

    async def answer(self, _: web.Request) -> web.StreamResponse:
        self.asked += 1
        return web.Response(status=self.status, text=self.text)

    @asynccontextmanager
    async def asked_by(self, asking: Coroutine[Any, Any, None], *routes: web.RouteDef) -> AsyncIterator[None]:
        """It serves `routes`, and `asking` runs meanwhile."""
        app = web.Application()
        app.add_routes(routes)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        task = asyncio.create_task(asking)
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await runner.cleanup()
