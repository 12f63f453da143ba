"""The control endpoint of a stand-in (`/_stand_in/…`) and the client for it.

A test in the same process uses the stand-in's `script` and `log` directly; this is for stand-ins that run
as a process of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.behaviour import Behaviour, behaviour_from_dict
from tests.support.script import Script
from tests.support.seen_requests import (
    RequestLog,
    SeenRequest,
    seen_request_from_dict,
    seen_request_to_dict,
)

PREFIX = "/_stand_in"


def add_control_routes(
    app: web.Application,
    name: str,
    script: Script,
    log: RequestLog,
    set_gauges: Callable[[dict[str, float]], None],
) -> None:
    """Add the control endpoint to an application. Its requests are not recorded."""

    async def state(request: web.Request) -> web.Response:
        return web.json_response({"name": name, "counts": log.counts(), "default": script.default.as_dict()})

    async def requests(request: web.Request) -> web.Response:
        return web.json_response([seen_request_to_dict(seen) for seen in log.records()])

    async def clear(request: web.Request) -> web.Response:
        log.clear()
        return web.json_response(log.counts())

    async def change(request: web.Request) -> web.Response:
        order = await request.json()
        try:
            _apply(order, script, set_gauges)
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return await state(request)

    app.router.add_get(PREFIX, state)
    app.router.add_get(f"{PREFIX}/requests", requests)
    app.router.add_delete(f"{PREFIX}/requests", clear)
    app.router.add_put(f"{PREFIX}/behaviour", change)


def _apply(order: dict[str, Any], script: Script, set_gauges: Callable[[dict[str, float]], None]) -> None:
    if order.get("reset"):
        script.reset()
    if "default" in order:
        script.default = behaviour_from_dict(order["default"])
    for model, behaviour in order.get("models", {}).items():
        script.set_model(model, None if behaviour is None else behaviour_from_dict(behaviour))
    if "next" in order:
        script.queue(behaviour_from_dict(order["next"]), int(order.get("times", 1)))
    set_gauges(order.get("gauges", {}))


class StandInControl:
    """Talks to the control endpoint of the stand-in at `url`. Raises aiohttp.ClientError when it is gone."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, f"{self.url}{PREFIX}{path}", json=body, ssl=False) as response,
        ):
            text = await response.text()
            if response.status != 200:
                raise ValueError(f"the stand-in refused: {text}")
            return json.loads(text)

    async def requests(self) -> tuple[SeenRequest, ...]:
        """The requests it kept, oldest first."""
        return tuple(seen_request_from_dict(row) for row in await self._call("GET", "/requests"))

    async def counts(self) -> dict[str, int]:
        """See `RequestLog.counts`."""
        state: dict[str, Any] = await self._call("GET", "")
        counts: dict[str, int] = state["counts"]
        return counts

    async def clear(self) -> None:
        """Forget the requests seen so far."""
        await self._call("DELETE", "/requests")

    async def set_default(self, behaviour: Behaviour) -> None:
        await self._call("PUT", "/behaviour", {"default": behaviour.as_dict()})

    async def set_model(self, model: str, behaviour: Behaviour | None) -> None:
        await self._call("PUT", "/behaviour", {"models": {model: behaviour and behaviour.as_dict()}})

    async def queue(self, behaviour: Behaviour, times: int = 1) -> None:
        await self._call("PUT", "/behaviour", {"next": behaviour.as_dict(), "times": times})

    async def set_gauges(self, **gauges: float) -> None:
        """Set gauges of an engine: `waiting`, `kv_cache_usage`, `healthy` (1 or 0)."""
        await self._call("PUT", "/behaviour", {"gauges": gauges})

    async def reset(self) -> None:
        """Answer well again."""
        await self._call("PUT", "/behaviour", {"reset": True})
