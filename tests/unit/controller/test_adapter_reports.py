"""Which replicas are asked for their adapters, how often, and who hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from aiohttp import web

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
from tests.unit.controller.one_agent import CHAT, OneAgent, pod

LIST = "the first list"
PENDING = AdapterReport(list_digest(LIST), (ReportedAdapter("de", "de-1", False),))
LOADED = AdapterReport(list_digest(LIST), (ReportedAdapter("de", "de-1", True),))
SOON = 20.0


def config_map(text: str, key: str = FILE) -> dict[str, Any]:
    metadata = {"name": "chat-adapters", "namespace": "default", "labels": {naming.DEPLOYMENT: "chat"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}}


class Agents(OneAgent):
    def __init__(self) -> None:
        super().__init__(PENDING.to_json())
        self.reports = AdapterReports(self.told.append, Random(1), self.port)

    async def until(self, want: AdapterReport | None) -> None:
        wanted = {} if want is None else {"chat-0": want}
        await eventually_async(lambda: self.reports.of(CHAT) == wanted, SOON, f"{wanted} is known")


@pytest.fixture
async def agents() -> AsyncIterator[Agents]:
    made = Agents()
    async with made.asked_by(made.reports.run(), web.get(PATH, made.answer)):
        yield made


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
