"""Which replicas are asked for their adapters, how often, and who hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from aiohttp import web

from pointsman.api import ObjectKey
from pointsman.catalog.adapter_report import (
    PATH,
    AdapterReport,
    ReportedAdapter,
    list_digest,
    read_adapter_report,
)
from pointsman.controller.adapter_reports import AdapterReports
from pointsman.errors import PointsmanError
from pointsman.workloads import naming
from pointsman.workloads.adapters import FILE
from tests.support.polling import eventually_async
from tests.support.ports import free_port

CHAT = ObjectKey("default", "chat")
LIST = "the first list"
PENDING = AdapterReport(list_digest(LIST), (ReportedAdapter("de", "de-1", False),))
LOADED = AdapterReport(list_digest(LIST), (ReportedAdapter("de", "de-1", True),))
SOON = 20.0


def pod(name: str = "chat-0", *, ready: bool = True, live: bool = True, uid: str = "1") -> dict[str, Any]:
    labels = {naming.DEPLOYMENT: "chat", naming.ROLE: naming.LEADER, naming.REVISION: "r1"}
    labels |= {naming.ADAPTERS: "live"} if live else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels, "uid": uid},
        "status": {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def config_map(text: str, key: str = FILE) -> dict[str, Any]:
    metadata = {"name": "chat-adapters", "namespace": "default", "labels": {naming.DEPLOYMENT: "chat"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}}


class Agents:
    """One agent for all pods, and who is told of what."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked = 0
        self.status = 200
        self.text = PENDING.to_json()
        self.told: list[ObjectKey] = []
        self.reports = AdapterReports(self.told.append, Random(1), self.port)

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=self.status, text=self.text)

    async def until(self, want: AdapterReport | None) -> None:
        wanted = {} if want is None else {"chat-0": want}
        await eventually_async(lambda: self.reports.of(CHAT) == wanted, SOON, f"{wanted} is known")


@pytest.fixture
async def agents() -> AsyncIterator[Agents]:
    made = Agents()
    app = web.Application()
    app.router.add_get(PATH, made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", made.port).start()
    asking = asyncio.create_task(made.reports.run())
    yield made
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    await runner.cleanup()


async def test_a_replica_is_asked_until_all_is_loaded_and_then_rarely(agents: Agents) -> None:
    agents.reports.hear_list(None, config_map(LIST))
    agents.reports.hear(None, pod())
    await agents.until(PENDING)
    agents.text = LOADED.to_json()
    await agents.until(LOADED)
    assert agents.told == [CHAT, CHAT]
    # Others that wait for theirs are asked again meanwhile.
    agents.text, asked = PENDING.to_json(), agents.asked
    agents.reports.hear(None, pod("chat-1"))
    await eventually_async(lambda: agents.asked >= asked + 2, SOON, "the other is asked twice")
    assert agents.reports.of(CHAT) == {"chat-0": LOADED, "chat-1": PENDING}


async def test_another_list_makes_it_due(agents: Agents) -> None:
    agents.reports.hear_list(None, config_map(LIST))
    agents.text = LOADED.to_json()
    agents.reports.hear(None, pod())
    await agents.until(LOADED)
    later = AdapterReport(list_digest("another"))
    agents.text = later.to_json()
    agents.reports.hear_list(config_map(LIST), config_map("another"))
    await agents.until(later)


async def test_only_ready_replicas_that_load_adapters_are_asked(agents: Agents) -> None:
    agents.reports.hear(None, pod("other", live=False))
    agents.reports.hear(None, pod(ready=False))
    agents.reports.hear(pod(ready=False), pod())
    await agents.until(PENDING)
    agents.reports.hear(pod(), pod(ready=False))
    await agents.until(None)
    agents.reports.hear(pod(ready=False), pod())
    await agents.until(PENDING)
    agents.reports.hear(pod(), None)
    await agents.until(None)


async def test_an_agent_that_tells_nothing_is_said_to(agents: Agents) -> None:
    agents.status = 404
    agents.reports.hear(None, pod())
    await agents.until(AdapterReport(""))
    agents.status = 200
    await agents.until(PENDING)


@pytest.mark.parametrize("text", ["", "[]", '{"list": "x", "adapters": [1]}', "[" * 100_000])
def test_what_is_no_report_is_not_read_as_one(text: str) -> None:
    with pytest.raises(PointsmanError):
        read_adapter_report(text)


async def test_config_maps_of_other_content_are_passed_over(agents: Agents) -> None:
    agents.reports.hear(None, pod())
    await agents.until(PENDING)
    agents.reports.hear_list(None, config_map("x", key="chat-template.jinja"))
    agents.reports.hear_list(config_map("x", key="chat-template.jinja"), None)
    assert agents.reports.of(CHAT) == {"chat-0": PENDING}
