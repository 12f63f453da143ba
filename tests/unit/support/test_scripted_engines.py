"""Scripted vLLM and SGLang start, serve, measure and end as the real ones do in their versions."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.behaviour import Behaviour
from tests.support.clients import Ending, OpenAIClient
from tests.support.polling import eventually_async
from tests.support.ports import free_port
from tests.support.processes import StartedProcess, python_module, wait_until_url_answers

MODEL = "BAAI/bge-large-en-v1.5"
SLOW = Behaviour(chunks=60, gap_seconds=0.05)


@dataclass(frozen=True)
class Engine:
    process: StartedProcess
    url: str

    async def ready(self, path: str = "/health") -> None:
        await wait_until_url_answers(self.url + path, 60, process=self.process)

    async def status(self, path: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status

    async def text(self, path: str) -> str:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return await answer.text()


def started(name: str, *flags: str, image: str = "", script: Mapping[str, Any] | None = None) -> Engine:
    port = free_port()
    model = "--model-path" if name == "sglang" else "--model"
    command = python_module(
        f"tests.support.engines.{name}", model, "/weights", "--host", "127.0.0.1", "--port", str(port), *flags
    )
    environment = {"ENGINE_SCRIPT": json.dumps(script or {}), "PROCESS_NODE_IMAGE": image}
    return Engine(StartedProcess(command, env=environment), f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("image", "has", "has_not"),
    [
        ("vllm/vllm-openai:v0.33.0", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        ("vllm/vllm-openai:v0.9.2", "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"),
        ("vllm/vllm-openai:v0.10.2", "vllm:time_per_output_token_seconds_count", "vllm:inter_token"),
        ("vllm/vllm-openai@sha256:0123", "vllm:inter_token_latency_seconds_count", "vllm:time_per_output"),
    ],
)
async def test_vllm_has_the_metric_names_of_its_version(image: str, has: str, has_not: str) -> None:
    engine = started("vllm", "--served-model-name", "one", "two", image=image)
    with engine.process:
        await engine.ready()
        page = await engine.text("/metrics")
        assert has in page
        assert has_not not in page
        models = json.loads(await engine.text("/v1/models"))
        assert [row["id"] for row in models["data"]] == ["one", "two"]


@pytest.mark.parametrize(
    ("image", "flag"),
    [
        ("vllm/vllm-openai:v0.17.1", "--shutdown-timeout"),
        ("vllm/vllm-openai:v0.33.0", "--task"),
        ("vllm/vllm-openai:v0.33.0", "--disable-log-requests"),
    ],
)
def test_a_flag_that_the_version_has_not_ends_it_before_it_starts(image: str, flag: str) -> None:
    engine = started("vllm", flag, "1", image=image)
    with engine.process:
        assert engine.process.wait(30) == 2
        assert f"unrecognized arguments: {flag}" in engine.process.output


async def test_vllm_refuses_connections_until_it_serves() -> None:
    engine = started("vllm", script={"start_seconds": 4.0})
    with engine.process:
        await eventually_async(lambda: "loading" in engine.process.output, 30, "it has started")
        with pytest.raises(aiohttp.ClientConnectorError):
            await engine.status("/health")
        await engine.ready()


async def test_sglang_listens_before_it_is_ready_and_says_so() -> None:
    engine = started("sglang", "--enable-metrics", script={"start_seconds": 4.0, "warmup_seconds": 3.8})
    with engine.process:
        await wait_until_url_answers(f"{engine.url}/ready", 60, accept=lambda status: status == 503)
        await engine.ready("/ready")
        assert "sglang:num_running_reqs" in await engine.text("/metrics")


def test_an_engine_that_crashes_at_its_start_says_why() -> None:
    engine = started("vllm", script={"start_seconds": 0.0, "crash_at_start": "torch.OutOfMemoryError: CUDA"})
    with engine.process:
        assert engine.process.wait(30) == 1
        assert engine.process.output.splitlines()[-1] == "torch.OutOfMemoryError: CUDA"


@pytest.mark.parametrize(
    ("name", "flags", "wanted"),
    [
        pytest.param("vllm", (), Ending.TRUNCATED, id="vllm aborts"),
        pytest.param("vllm", ("--shutdown-timeout", "30"), Ending.DONE, id="vllm with time to end drains"),
        pytest.param("sglang", (), Ending.DONE, id="sglang drains"),
    ],
)
async def test_what_sigterm_does_to_a_stream(name: str, flags: tuple[str, ...], wanted: Ending) -> None:
    engine = started(name, *flags, script={"behaviour": SLOW.as_dict()})
    with engine.process:
        await engine.ready()
        async with OpenAIClient(engine.url) as client:
            asked = asyncio.create_task(client.stream_chat("/weights"))

            async def running() -> bool:
                return bool(json.loads(await engine.text("/_stand_in"))["counts"]["in_flight"] == 1)

            await eventually_async(running, 30, "the stream runs")
            engine.process.send(signal.SIGTERM)
            assert (await asked).ending is wanted
        assert engine.process.wait(30) == 0


async def test_an_engine_can_be_told_to_crash() -> None:
    engine = started("sglang")
    with engine.process:
        await engine.ready("/ready")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.post(f"{engine.url}/_stand_in/crash?code=3")
        assert engine.process.wait(30) == 3


async def test_tei_embeds_and_ranks() -> None:
    port = free_port()
    command = python_module("tests.support.engines.tei", "--hostname", "127.0.0.1", "--port", str(port))
    with StartedProcess(command) as process:
        url = f"http://127.0.0.1:{port}"
        await wait_until_url_answers(f"{url}/health", 20, process=process)
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{url}/v1/embeddings", json={"model": MODEL, "input": ["a"]}) as answer:
                assert len((await answer.json())["data"]) == 1
            async with session.post(f"{url}/rerank", json={"query": "q", "texts": ["a", "bbb"]}) as answer:
                assert [row["index"] for row in await answer.json()] == [1, 0]
            async with session.get(f"{url}/metrics") as answer:
                assert "te_request_success" in await answer.text()


async def test_triton_serves_the_models_of_its_repository(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "config.pbtxt").write_text('backend: "vllm"')
    port = free_port()
    flags = ("--model-repository", str(tmp_path), "--host", "127.0.0.1", "--openai-port", str(port))
    with StartedProcess(python_module("tests.support.engines.triton", *flags)) as process:
        await wait_until_url_answers(f"http://127.0.0.1:{port}/health/ready", 20, process=process)
        async with OpenAIClient(f"http://127.0.0.1:{port}") as client:
            assert await client.models() == ("large",)
