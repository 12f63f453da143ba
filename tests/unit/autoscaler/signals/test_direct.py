"""Agents and gateways are read as they answer: what does not answer leaves a gap and holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from pointsman.addresses import Address
from pointsman_autoscaler.signals.direct import DirectSource
from pointsman_autoscaler.signals.watched import Blind, Watched
from pointsman_autoscaler.view import View
from tests.support.polling import eventually_async
from tests.support.ports import free_port
from tests.unit.autoscaler.signals.pages_stand_in import KEY, Page, watched

GATEWAY = 'pointsman_gateway_envoy_up{} 1\npointsman_gateway_active_requests{target="chat/m"} 2\n'


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def source(*gateways: Address) -> AsyncIterator[tuple[DirectSource, Clock]]:
    clock = Clock()
    async with DirectSource(lambda: gateways, clock) as made:
        yield made, clock


async def seen(made: DirectSource, what: Watched) -> View:
    view = await made.view(what)
    assert isinstance(view, View)
    return view


async def test_agents_and_gateways_make_a_view() -> None:
    async with Page() as agent, Page(GATEWAY) as gateway, source(gateway.address) as (made, _):
        view = await seen(made, watched(agent.address))
        [pod] = view.pods
        assert [(one.at_seconds, one.running, one.waiting) for one in pod.samples] == [(1000.0, 3.0, 1.0)]
        assert [(one.in_flight, one.requests_total) for one in view.gateway] == [(2.0, 2.0)]


async def test_an_agent_that_is_gone_is_a_gap() -> None:
    async with Page() as agent, source() as (made, _):
        view = await seen(made, watched(agent.address, Address("127.0.0.1", free_port())))
        assert [len(pod.samples) for pod in view.pods] == [1, 0]
        assert list(view.gateway) == []


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(Page(status=500), id="an error"),
        pytest.param(Page("<html>hello</html>"), id="a page of something else"),
        pytest.param(Page("pointsman_engine_requests_running 1\n" * 40_000), id="a page without an end"),
    ],
)
async def test_what_is_no_page_is_a_gap_and_then_blindness(page: Page) -> None:
    async with page, source() as (made, clock):
        clock.now = 10.0
        assert isinstance(await made.view(watched(page.address)), View)
        clock.now = 70.0
        assert isinstance(await made.view(watched(page.address)), Blind)


async def test_nobody_chooses_who_else_is_asked() -> None:
    async with Page() as other, Page(status=302) as agent, source() as (made, _):
        agent.location = other.address.url("/metrics")
        await made.view(watched(agent.address))
        assert (agent.asked, other.asked) == (1, 0)


async def test_models_that_are_looked_at_together_share_a_look_at_gateways() -> None:
    async with Page(GATEWAY) as gateway, source(gateway.address) as (made, clock):
        await asyncio.gather(*(made.view(watched()) for _ in range(20)))
        assert gateway.asked == 1
        clock.now += 5.0
        await made.view(watched())
        assert gateway.asked == 2


async def test_one_that_hangs_holds_up_no_other() -> None:
    async with Page(pause_seconds=30.0) as slow, Page() as quick, source() as (made, _):
        hanging = asyncio.create_task(made.view(watched(slow.address)))
        try:
            await made.view(watched(quick.address))
            assert not hanging.done(), "it was waited for"
        finally:
            hanging.cancel()


async def test_hundreds_that_hang_hold_up_no_other() -> None:
    async with Page(pause_seconds=30.0) as slow, Page() as quick, source() as (made, _):
        hanging = asyncio.create_task(made.view(watched(*[slow.address] * 400)))
        try:
            await eventually_async(lambda: slow.asked >= 200, 30, "many are asked at the same time")
            await made.view(watched(quick.address))
            assert not hanging.done(), "they were waited for"
        finally:
            hanging.cancel()


async def test_a_gateway_that_is_silent_leaves_arrivals_unknown() -> None:
    gone = Address("127.0.0.1", free_port())
    async with Page(GATEWAY) as gateway, source(gateway.address, gone) as (made, _):
        [sample] = (await seen(made, watched())).gateway
        assert (sample.requests_total, sample.in_flight) == (None, None)


async def test_what_is_forgotten_begins_anew() -> None:
    async with Page() as agent, source() as (made, clock):
        for _ in range(3):
            clock.now += 15.0
            view = await seen(made, watched(agent.address))
        assert len(view.pods[0].samples) == 3
        made.forget(KEY)
        clock.now += 15.0
        assert len((await seen(made, watched(agent.address))).pods[0].samples) == 1


async def test_a_clock_that_goes_back_begins_anew() -> None:
    async with Page() as agent, source() as (made, clock):
        await made.view(watched(agent.address))
        clock.now -= 600.0
        view = await seen(made, watched(agent.address))
        assert [sample.at_seconds for sample in view.pods[0].samples] == [400.0]


async def test_what_is_silent_is_said_once_and_forgotten_with_its_replica() -> None:
    nobody = Address("127.0.0.1", free_port())
    async with source() as (made, _):
        with capture_logs() as said:
            for replicas in ((nobody,), (nobody,), (), (nobody,), (nobody,)):
                await made.view(watched(*replicas))
        assert [one["event"] for one in said] == ["metrics_unreadable"] * 2
