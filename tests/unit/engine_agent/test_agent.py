"""What an agent says of its engine, over HTTP, while the engine loads, serves, hangs and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from pointsman.api import EngineName, Task
from pointsman.catalog.adapter_report import AdapterReport, list_digest
from pointsman.catalog.metric_report import read_report
from pointsman.engine_agent.adapter_settings import AdapterSettings
from pointsman.engine_agent.agent import Agent
from pointsman.engine_agent.liveness import Patience
from pointsman.engine_agent.settings import AgentSettings, EngineSettings, asked_task
from tests.support.polling import eventually_async
from tests.support.ports import free_port

QUICK = Patience(
    interval_seconds=0.02,
    timeout_seconds=5.0,
    restart_failures=4,
    restart_seconds=0.1,
    look_seconds=0.02,
    stalled_seconds=0.3,
)
SERVES = 30.0
ENDLESS_BYTES = 512 * 2**20


class Engine:
    """A vLLM that can be told to load, to hang in its computing half, and to end."""

    def __init__(self) -> None:
        self.port = free_port()
        self.is_loaded = True
        self.computes = asyncio.Event()
        self.computes.set()
        self.refuses = 0
        self.steps = 0
        self.running = 0
        self.health_page = b""
        self.has_endless_metrics = False
        self.sent_bytes = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def end(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.is_loaded else 503, body=self.health_page)

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        if self.has_endless_metrics:
            return await self._endless(request)
        return web.Response(
            text=f"vllm:num_requests_running {self.running}\nvllm:iteration_tokens_total_count {self.steps}\n"
        )

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        line = b"# nothing of use\n" * 10_000
        with suppress(ConnectionError):
            while self.sent_bytes < ENDLESS_BYTES:
                await answer.write(line)
                self.sent_bytes += len(line)
        return answer

    async def _chat(self, _: web.Request) -> web.Response:
        self.running += 1
        try:
            await self.computes.wait()
        finally:
            self.running -= 1
        if self.refuses:
            return web.Response(status=self.refuses, text="no template")
        self.steps += 1
        return web.json_response({})


class Scene:
    """An engine with its agent, and what the agent says."""

    def __init__(self, engine: Engine, port: int, drain_port: int, session: aiohttp.ClientSession) -> None:
        self.engine = engine
        self.drain_port = drain_port
        self._port = port
        self._session = session

    async def said(self, path: str, port: int = 0) -> tuple[int, str]:
        async with self._session.get(f"http://127.0.0.1:{port or self._port}{path}") as answer:
            return answer.status, (await answer.text()).strip()

    async def until(self, path: str, status: int, words: str = "") -> None:
        async def so() -> bool:
            try:
                found = await self.said(path)
            except aiohttp.ClientError as error:
                raise AssertionError(str(error)) from error
            assert found[0] == status, str(found)
            assert words in found[1], str(found)
            return True

        await eventually_async(so, SERVES, f"{path} answers {status} {words}")


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    engine, port, drain_port = Engine(), free_port(), free_port()
    beside = EngineSettings(EngineName.VLLM, "127.0.0.1", engine.port, "m", (Task.CHAT,))
    running = asyncio.create_task(
        Agent(AgentSettings(beside, 60, "127.0.0.1", port, drain_port), QUICK).run()
    )
    try:
        async with aiohttp.ClientSession() as session:
            yield Scene(engine, port, drain_port, session)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await engine.end()


async def test_it_is_ready_once_a_request_was_answered(scene: Scene) -> None:
    await scene.until("/readyz", 503, "does not answer")
    scene.engine.is_loaded = False
    await scene.engine.start()
    await scene.until("/readyz", 503, "answers 503")
    scene.engine.refuses = 400
    scene.engine.is_loaded = True
    await scene.until("/readyz", 503, "/v1/chat/completions answers 400: no template")
    assert await scene.said("/engine") == (200, "lives")
    scene.engine.refuses = 0
    await scene.until("/readyz", 200)
    assert scene.engine.steps == 1


async def test_one_whose_computing_half_hangs_is_found_and_let_go_after_its_restart(scene: Scene) -> None:
    await scene.engine.start()
    await scene.until("/readyz", 200)
    scene.engine.computes.clear()
    scene.engine.running = 1
    await scene.until("/engine", 503, "hangs: ")
    await scene.until("/readyz", 503)
    assert (await scene.said("/livez"))[0] == 200
    await scene.engine.end()
    assert (await scene.said("/engine"))[0] == 503
    # What ends the container asks for a drain first, as at the end of the pod.
    assert await scene.said("/drain", scene.drain_port) == (200, "nothing to wait for")
    scene.engine.computes.set()
    scene.engine.running, scene.engine.is_loaded = 0, False
    await scene.engine.start()
    scene.engine.is_loaded = True
    await scene.until("/engine", 200, "lives")
    await scene.until("/readyz", 200)


async def test_one_that_never_answers_its_first_request_hangs_too(scene: Scene) -> None:
    scene.engine.refuses = 500
    await scene.engine.start()
    await scene.until("/engine", 503, "hangs: /v1/chat/completions answers 500")
    scene.engine.refuses = 0
    await scene.until("/engine", 200)


async def test_it_says_which_metrics_its_engine_has(scene: Scene) -> None:
    await scene.engine.start()
    await scene.until("/readyz", 200)
    await scene.until("/metrics", 200, 'pointsman_engine_metric_available{name="steps_total"} 1.0')
    await scene.until("/metrics", 200, 'pointsman_engine_metric_available{name="cache_usage_ratio"} 0.0')
    await scene.until("/metrics", 200, "pointsman_engine_steps_total 1.0")
    report = read_report((await scene.said("/metrics/names"))[1])
    missing = {one.engine_name for one in report.missing}
    assert "vllm:kv_cache_usage_perc" in missing
    assert not missing & {"vllm:num_requests_running", "vllm:iteration_tokens_total_count"}


async def test_it_is_ready_once_the_engine_has_its_adapters(tmp_path: Path) -> None:
    """A list that is not there yet holds it back for a while, and no longer."""
    engine, port, drain_port = Engine(), free_port(), free_port()
    beside = EngineSettings(EngineName.VLLM, "127.0.0.1", engine.port, "m", (Task.CHAT,))
    loads = AdapterSettings(
        tmp_path / "adapters.json", tmp_path, nothing_to_bring, look_seconds=0.02, held_back_seconds=3.0
    )
    settings = AgentSettings(beside, 60, "127.0.0.1", port, drain_port, loads)
    running = asyncio.create_task(Agent(settings, QUICK).run())
    try:
        await engine.start()
        async with aiohttp.ClientSession() as session:
            scene = Scene(engine, port, drain_port, session)
            await scene.until("/readyz", 503, "adapters are being loaded")
            await scene.until("/readyz", 200)
            assert await scene.said("/adapters") == (200, AdapterReport("").to_json())
            assert (await scene.said("/adapters", drain_port))[0] == 404
            loads.file.write_text('{"adapters": []}')
            await scene.until("/adapters", 200, list_digest('{"adapters": []}'))
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await engine.end()


async def nothing_to_bring(item: Mapping[str, str]) -> str:
    raise AssertionError(f"{item} was not listed")


async def test_an_agent_that_loads_no_adapters_tells_of_none(scene: Scene) -> None:
    await scene.engine.start()
    await scene.until("/readyz", 200)
    assert (await scene.said("/adapters"))[0] == 404


def test_readiness_asks_for_what_answers_json() -> None:
    assert asked_task((Task.SPEECH, Task.EMBEDDING, Task.CHAT)) is Task.CHAT
    assert asked_task((Task.IMAGE,)) is Task.IMAGE


async def test_an_engine_whose_pages_are_no_text_is_asked_on(scene: Scene) -> None:
    scene.engine.health_page = b"\xff\xfe not UTF-8"
    scene.engine.is_loaded = False
    await scene.engine.start()
    await scene.until("/readyz", 503, "answers 503")
    scene.engine.is_loaded = True
    await scene.until("/readyz", 200)


async def test_a_page_without_end_is_not_held_in_memory(scene: Scene) -> None:
    scene.engine.has_endless_metrics = True
    await scene.engine.start()
    await scene.until("/readyz", 200)
    scene.engine.sent_bytes = 0
    status, page = await scene.said("/metrics")
    assert status == 200
    assert 'pointsman_engine_metric_available{name="requests_running"} 0.0' in page
    assert scene.engine.sent_bytes < 64 * 2**20


async def test_who_reads_metrics_cannot_take_a_replica_out(scene: Scene) -> None:
    await scene.engine.start()
    await scene.until("/readyz", 200)
    assert (await scene.said("/drain"))[0] == 404
    assert await scene.said("/readyz") == (200, "ready")
    assert (await scene.said("/metrics", scene.drain_port))[0] == 404
