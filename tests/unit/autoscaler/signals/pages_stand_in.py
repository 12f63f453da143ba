"""Metrics pages on this machine, and a Prometheus that answers what it is told to."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from pointsman.addresses import Address
from pointsman.api import ObjectKey
from pointsman_autoscaler.signals.watched import Replica, Watched
from pointsman_autoscaler.view import Flavour
from tests.support.loopback_server import LoopbackServer

KEY = ObjectKey("chat", "m")
ENGINE = "pointsman_engine_requests_running 3.0\npointsman_engine_requests_waiting 1.0\n"


class Page(LoopbackServer):
    """`/metrics` says `text` with `status`, after `pause_seconds`; `asked` counts."""

    def __init__(self, text: str = ENGINE, *, status: int = 200, pause_seconds: float = 0.0) -> None:
        self.port = 0
        self.text = text
        self.status = status
        self.pause_seconds = pause_seconds
        self.asked = 0
        self.location = ""

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        return app

    async def _metrics(self, _: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.pause_seconds)
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=self.status, text=self.text, headers=headers)


class PrometheusStandIn(LoopbackServer):
    """Answers questions about engines with `engines` and about gateways with `gateways`, as a matrix."""

    def __init__(self) -> None:
        self.port = 0
        self.engines: list[dict[str, Any]] = []
        self.gateways: list[dict[str, Any]] = []
        self.status = 200
        self.text = ""
        """In place of an answer."""
        self.location = ""
        """Where else to ask, for a status that says so."""
        self.queries: list[str] = []
        self.authorizations: list[str] = []

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v1/query", self._query)
        return app

    async def _query(self, request: web.Request) -> web.Response:
        query = request.query["query"]
        self.queries.append(query)
        self.authorizations.append(request.headers.get("Authorization", ""))
        if self.text or self.status != 200:
            headers = {"Location": self.location} if self.location else {}
            return web.Response(status=self.status, text=self.text, headers=headers)
        result = self.engines if "pointsman_engine" in query else self.gateways
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})


def series(name: str, *values: tuple[float, float], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "values": [[at, str(value)] for at, value in values]}


def watched(*addresses: Address | None, ready_seconds: float = 0.0) -> Watched:
    replicas = tuple(
        Replica(f"pod-{number}", "default", address, 0.0, ready_seconds, is_ready=True)
        for number, address in enumerate(addresses)
    )
    return Watched(KEY, {"default": Flavour("default", 1.0)}, replicas, {"default": len(replicas)})
