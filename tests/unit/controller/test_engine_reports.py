"""Which agents are asked what their engines show, how often, and who hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from aiohttp import web

from pointsman.catalog.metric_report import PATH, MetricReport, Presence, ReportedMetric
from pointsman.controller.engine_reports import EngineReports
from pointsman.workloads import naming
from tests.support.polling import eventually_async
from tests.unit.controller.one_agent import CHAT, OneAgent, pod

GOOD = MetricReport(True, (ReportedMetric("steps_total", "vllm:steps", Presence.FOUND),))


class Agents(OneAgent):
    def __init__(self) -> None:
        super().__init__(GOOD.to_json())
        self.elsewhere = ""
        self.sent = 0
        """Bytes of an answer without an end."""
        self.reports = EngineReports(self.told.append, Random(1), self.port)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        answer = await super().answer(request)
        if self.elsewhere:
            raise web.HTTPFound(self.elsewhere)
        return answer

    async def endless(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" " * 2**16)
            self.sent += 2**16

    async def until_told(self, times: int) -> None:
        await eventually_async(lambda: len(self.told) >= times, 30, f"told {times} times")


@pytest.fixture
async def agents() -> AsyncIterator[Agents]:
    made = Agents()
    routes = (web.get(PATH, made.answer), web.get("/endless", made.endless))
    async with made.asked_by(made.reports.run(), *routes):
        yield made


async def test_one_ready_replica_of_a_version_is_asked_and_once(agents: Agents) -> None:
    agents.reports.hear(None, pod("a", ready=False))
    assert agents.reports.of(CHAT).awaited == {"r1"}
    agents.reports.hear(pod("a", ready=False), pod("a"))
    await agents.until_told(1)
    assert agents.reports.of(CHAT).known == {"r1": GOOD}
    assert not agents.reports.of(CHAT).awaited
    # More replicas of the same version are no news, nor is one that comes back; another version is.
    agents.reports.hear(None, pod("b"))
    agents.reports.hear(pod("a"), pod("a", ready=False))
    agents.reports.hear(pod("a", ready=False), pod("a"))
    agents.reports.hear(None, pod("c", revision="r2"))
    await agents.until_told(2)
    assert agents.reports.of(CHAT).known == {"r1": GOOD, "r2": GOOD}
    assert (agents.asked, agents.told) == (2, [CHAT, CHAT])


async def test_workers_of_a_group_are_not_asked(agents: Agents) -> None:
    agents.reports.hear(None, pod("worker", role=naming.WORKER))
    agents.reports.hear(None, pod("leader", revision="r2"))
    await agents.until_told(1)
    assert agents.asked == 1


async def test_what_went_is_forgotten(agents: Agents) -> None:
    agents.reports.hear(None, pod("a"))
    await agents.until_told(1)
    agents.reports.hear(pod("a"), None)
    assert agents.reports.of(CHAT) == type(agents.reports.of(CHAT))()


async def test_one_that_does_not_answer_is_given_up_and_said_once(agents: Agents) -> None:
    agents.status = 404
    agents.reports.hear(None, pod("a"))
    await eventually_async(lambda: agents.asked >= 1, 30, "it was asked")
    assert agents.reports.of(CHAT).awaited == {"r1"}, "given up at the first failure"
    await eventually_async(lambda: agents.asked >= 2, 20, "it is asked again soon")
    await agents.until_told(1)
    assert not agents.reports.of(CHAT).awaited
    assert not agents.reports.of(CHAT).known


async def test_a_leader_that_begins_again_asks_again(agents: Agents) -> None:
    agents.reports.hear(None, pod("a"))
    await agents.until_told(1)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        again = group.create_task(agents.reports.run())
        await eventually_async(lambda: agents.asked >= 2, 30, "it was asked again")
        again.cancel()
    assert len(agents.told) == 1, "the same answer is no news"


async def test_nobody_is_asked_but_the_agent(agents: Agents) -> None:
    """Whoever may make pods may give one our labels: it must not choose what the operator reads."""
    agents.elsewhere = f"http://127.0.0.1:{agents.port}/endless"
    agents.reports.hear(None, pod("a"))
    await eventually_async(lambda: agents.asked >= 2, 30, "it is asked again")
    assert agents.sent == 0


@pytest.mark.parametrize("text", ["[" * 100_000, GOOD.to_json() + " " * 2**24], ids=["too deep", "too long"])
async def test_what_no_agent_says_is_no_answer(text: str, agents: Agents) -> None:
    agents.text = text
    agents.reports.hear(None, pod("a"))
    await eventually_async(lambda: agents.asked >= 2, 30, "it is asked again")
    assert not agents.reports.of(CHAT).known
    agents.text = GOOD.to_json()
    agents.reports.hear(None, pod("b", revision="r2"))
    await eventually_async(lambda: "r2" in agents.reports.of(CHAT).known, 30, "others are still asked")
