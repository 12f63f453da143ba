"""Replicas follow the load, with real engines behind a real gateway."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
import pytest

from tests.e2e.local.running_up import Up, gemma
from tests.support import manifests
from tests.support.polling import eventually_async

Start = Callable[..., Up]
SCALING = {"maxReplicas": 3, "objectives": {"ttft": {"p95": "20s"}}}
SPEC = {
    "scaling": SCALING,
    "engine": {"maxConcurrency": 4},
    # Longer than the last answers take where engines share two cores with other tests.
    "drain": {"timeout": "200s"},
}
CLIENTS = 10
# As long: three engines start, and five minutes of theirs pass, while other tests have most of the cores.
UP_SECONDS, DOWN_SECONDS = 200.0, 250.0


@asynccontextmanager
async def asked(one: Up, session: aiohttp.ClientSession, clients: int) -> AsyncIterator[list[int]]:
    """Some clients that ask one question after the other; the statuses that they got."""
    statuses: list[int] = []
    stop = asyncio.Event()

    async def ask() -> None:
        while not stop.is_set():
            statuses.append((await one.ask(session, tokens=16))[0])

    asking = [asyncio.create_task(ask()) for _ in range(clients)]
    try:
        yield statuses
        stop.set()
        await asyncio.gather(*asking)
    finally:
        for task in asking:
            task.cancel()


def told(one: Up) -> str:
    return one.run("explain", "modeldeployment/chat").stdout.partition("Scaling\n")[2]


@pytest.mark.timeout(600)
async def test_replicas_come_with_load_and_go_without(up: Start) -> None:
    one = up(program="tests.e2e.local.quick_scaling")
    one.write("chat.yaml", gemma(spec=SPEC))
    one.write("route.yaml", manifests.route("chat", ["chat"]))
    one.until_ready("chat")
    one.until_ready("chat", kind="ModelRoute")
    stated = (one.folder / "chat.yaml").read_bytes()

    async def replicas(count: int, within_seconds: float) -> None:
        async def settled() -> bool:
            complete = one.condition("ModelDeployment", "chat", "Progressing").get("reason") == "Complete"
            return complete and len(one.engines()) == count

        await eventually_async(settled, within_seconds, f"{count} replicas run")

    async with aiohttp.ClientSession() as session:
        await one.until_status(session, 200, 30)
        assert len(one.engines()) == 1
        first = set(one.engines())
        async with asked(one, session, CLIENTS) as statuses:
            await replicas(3, UP_SECONDS)
            said = told(one)
        assert "3 replicas because" in said
        assert "requests/s" in said
        # They run while replicas go.
        last = [asyncio.create_task(one.ask(session, tokens=150)) for _ in range(3)]
        await replicas(1, DOWN_SECONDS)
        statuses += [(await task)[0] for task in last]
    assert set(statuses) == {200}
    assert first == set(one.engines())
    history = told(one)
    assert history.index("1 replica because") < history.index("before:") < history.index("3 replicas because")
    assert one.condition("ModelDeployment", "chat", "ScalingActive")["status"] == "True"
    assert "from 1 to " in one.output
    assert (one.folder / "chat.yaml").read_bytes() == stated


@pytest.mark.timeout(600)
async def test_a_model_that_nobody_asks_goes_and_its_next_requests_wait_for_it(up: Start) -> None:
    """Also after a restart, which starts nothing that nobody asks for."""
    one = up(program="tests.e2e.local.quick_scaling")
    resting = {**SCALING, "idle": {"after": "5m"}}
    one.write("chat.yaml", gemma(spec={**SPEC, "scaling": resting}))
    one.write("route.yaml", manifests.route("chat", ["chat"]))

    def rests() -> bool:
        ready = one.condition("ModelDeployment", "chat", "Ready")
        return not one.engines() and (ready.get("status"), ready.get("reason")) == ("True", "Idle")

    def said(line: str) -> bool:
        return line in one.output

    async with aiohttp.ClientSession() as session:
        one.until_ready("chat", kind="ModelRoute")
        await one.until_status(session, 200, 60)
        await eventually_async(rests, DOWN_SECONDS, "nothing runs")
        assert "nothing was asked for a while" in told(one)
        answers = await asyncio.gather(*(one.ask(session) for _ in range(5)))
        assert {status for status, _ in answers} == {200}
        assert "from 0 to 1" in one.output
        await eventually_async(rests, DOWN_SECONDS, "nothing runs any more")
        one.send(signal.SIGTERM)
        one.wait(60)

        one = up(program="tests.e2e.local.quick_scaling")
        # What the state folder says is of the former run at first.
        for line in ("0 replicas ready", "route chat"):
            await eventually_async(partial(said, line), 60, f"it says: {line}")
        assert not one.engines()
        await eventually_async(rests, 60, "the status says so")
        assert (await one.ask(session))[0] == 200
        assert "from 0 to 1" in one.output
