"""What a branch of the hub is, is asked once for all who want to know; a hub that is away holds nobody up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from pointsman.api import EgressProxy, ObjectKey
from pointsman.controller.hub import Hub
from pointsman.controller.modeldeployment.pinning import HubName, Pin
from tests.support import hub as stand_in
from tests.support.forward_proxy import ForwardProxy
from tests.support.polling import eventually_async
from tests.support.ports import free_port

COMMIT = "c" * 40
FILES = {"config.json": b"{}"}
REPOSITORIES = {
    "acme/open": stand_in.HubRepository(COMMIT, FILES),
    "acme/private": stand_in.HubRepository(COMMIT, FILES, token="hf_hush"),
}
CHAT, SEARCH = ObjectKey("default", "chat"), ObjectKey("default", "search")
OPEN = HubName("acme/open", "main")


class Operator:
    """Asks the hub and is told of answers, as the operator is; its clock stands."""

    def __init__(self, url: str, proxy: EgressProxy | None = None) -> None:
        self.told: list[ObjectKey] = []
        self.now = 1000.0
        self.hub = Hub(url, self.told.append, proxy=proxy, clock=lambda: self.now)

    @asynccontextmanager
    async def leads(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.hub.run())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def answer(self, name: HubName) -> Pin:
        """What is known in the end."""
        if (pin := self.hub.of(name, CHAT)) is not None:
            return pin
        await eventually_async(lambda: CHAT in self.told, 30, "there is an answer")
        found = self.hub.of(name, CHAT)
        assert found is not None
        return found


async def test_a_branch_is_its_commit_and_all_who_asked_are_told() -> None:
    async with stand_in.Hub(REPOSITORIES) as server:
        operator = Operator(server.url)
        async with operator.leads():
            assert operator.hub.of(OPEN, CHAT) is None
            assert operator.hub.of(OPEN, SEARCH) is None
            await eventually_async(lambda: len(operator.told) == 2, 30, "both are told")
            assert operator.told == [CHAT, SEARCH]
            assert operator.hub.of(OPEN, CHAT) == operator.hub.of(OPEN, SEARCH) == Pin(OPEN, COMMIT)
            assert server.questions == 1


async def test_who_comes_late_for_an_answer_has_it_and_does_not_ask_again() -> None:
    """Where a thousand are looked at, the next look may be minutes away: it must not begin anew each time."""
    async with stand_in.Hub(REPOSITORIES) as server:
        operator = Operator(server.url)
        async with operator.leads():
            for one in (CHAT, SEARCH):
                assert operator.hub.of(OPEN, one) is None
            await eventually_async(lambda: len(operator.told) == 2, 30, "both are told")
            operator.now += 300
            other = HubName("acme/open", "other")
            assert operator.hub.of(other, CHAT) is None
            await eventually_async(lambda: len(operator.told) == 3, 30, "the other one is answered too")
            assert operator.hub.of(OPEN, CHAT) == operator.hub.of(OPEN, SEARCH) == Pin(OPEN, COMMIT)
            assert server.questions == 2
            assert operator.hub.of(OPEN, CHAT) is None, "once: it was asked for minutes ago"


async def test_what_was_said_a_while_ago_is_asked_again() -> None:
    async with stand_in.Hub(REPOSITORIES) as server:
        operator = Operator(server.url)
        async with operator.leads():
            await operator.answer(OPEN)
            operator.now += 11
            assert operator.hub.of(OPEN, CHAT) is None
            await eventually_async(lambda: server.questions == 2, 30, "it is asked again")


async def test_a_refresh_is_another_question() -> None:
    async with stand_in.Hub(REPOSITORIES) as server:
        operator = Operator(server.url)
        async with operator.leads():
            await operator.answer(OPEN)
            assert operator.hub.of(replace(OPEN, refresh="today"), CHAT) is None


REFUSED = {
    "a private repository": ("acme/private", "main", "to the operator, which has no token"),
    "a repository that is none": ("acme/gone", "main", "to the operator, which has no token"),
    "a branch that is none": ("acme/open", "release/1.2", "has no such branch or tag"),
}


@pytest.mark.parametrize(("repository", "name", "want"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_is_an_answer(repository: str, name: str, want: str) -> None:
    async with stand_in.Hub(REPOSITORIES) as server:
        operator = Operator(server.url)
        async with operator.leads():
            pin = await operator.answer(HubName(repository, name))
            assert (pin.commit, want in pin.problem) == ("", True), pin
            # Another name is asked for all that.
            assert operator.hub.of(OPEN, SEARCH) is None


async def test_a_hub_that_is_away_holds_nobody_up() -> None:
    operator = Operator(f"http://127.0.0.1:{free_port()}")
    async with operator.leads():
        pin = await operator.answer(OPEN)
        assert "cannot be reached" in pin.problem
        other = HubName("acme/other", "main")
        assert operator.hub.of(other, SEARCH) == Pin(other, problem=pin.problem)
        operator.now += 61
        assert operator.hub.of(other, SEARCH) is None


async def test_an_answer_that_nobody_expected_is_one_too() -> None:
    """Whoever waits for it would wait for ever."""
    async with stand_in.Hub({"acme/odd": stand_in.HubRepository("not a commit", FILES)}) as server:
        operator = Operator(server.url)
        async with operator.leads():
            odd = await operator.answer(HubName("acme/odd", "main"))
            assert odd.problem == "the hub names no commit"
    operator = Operator("http://[not-an-address")
    async with operator.leads():
        assert (await operator.answer(OPEN)).commit == ""


async def test_who_leads_again_asks_again() -> None:
    """What was asked when another took over is not waited for."""
    async with stand_in.Hub(REPOSITORIES) as server:
        operator = Operator(server.url)
        assert operator.hub.of(OPEN, CHAT) is None
        async with operator.leads():
            assert await operator.answer(OPEN) == Pin(OPEN, COMMIT)


async def test_a_hub_outside_is_asked_by_the_proxy_of_the_fleet() -> None:
    async with ForwardProxy() as proxy:
        way = EgressProxy(url=proxy.url, cidrs=("127.0.0.1/32",))
        operator = Operator("https://huggingface.co", way)
        async with operator.leads():
            pin = await operator.answer(OPEN)
        assert "cannot be reached" in pin.problem
        assert proxy.asked == {"huggingface.co:443"}
