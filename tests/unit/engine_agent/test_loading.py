"""Adapters of a running engine follow the mounted list, whatever engine, sources and list do meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pointsman.api import EngineName, Task
from pointsman.backoff import Backoff
from pointsman.catalog.adapter_report import list_digest, read_adapter_report
from pointsman.engine_agent.adapter_settings import AdapterSettings
from pointsman.engine_agent.asking import Engine
from pointsman.engine_agent.loading import AdapterLoading
from pointsman.engine_agent.settings import EngineSettings
from tests.support.engines.adapters import CONFIGURATION, RunningAdapters
from tests.support.engines.script import EngineScript
from tests.support.engines.vllm import Vllm
from tests.support.polling import eventually_async
from tests.support.ports import free_port

SOON = 30.0
HELD_BACK_SECONDS = 5.0


class Source:
    """Where adapters come from: what is `missing` cannot be fetched, what is `held` waits to be let go."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.brought: list[str] = []
        self.ranks: dict[str, int] = {}

    async def bring(self, item: Mapping[str, str]) -> str:
        source = item["source"]
        if source in self.held:
            await self.held[source].wait()
        if source in self.missing:
            return f"RepositoryNotFound: {source}: does not exist"
        folder = Path(item["into"])
        folder.mkdir(exist_ok=True)
        (folder / CONFIGURATION).write_text(json.dumps({"r": self.ranks.get(source, 16)}))
        self.brought.append(source)
        return ""


class Pod:
    """The agent's loading beside a scripted vLLM, which can be started again."""

    def __init__(self, folder: Path, version: str = "0.33.0") -> None:
        self.list = folder / "adapters.json"
        self.store = folder / "store"
        self.store.mkdir()
        self.source = Source()
        self.port = free_port()
        self.version = version
        self.engine: Vllm | None = None
        settings = AdapterSettings(
            self.list,
            self.store,
            self.source.bring,
            look_seconds=0.02,
            again=Backoff(0.02, 0.1, jitter=0.0),
            held_back_seconds=HELD_BACK_SECONDS,
        )
        self.loading = AdapterLoading(settings)

    async def start_engine(self) -> Vllm:
        """One that has forgotten everything."""
        if self.engine is not None:
            await self.engine.stop()
        self.engine = Vllm(
            EngineScript(start_seconds=0.0),
            host="127.0.0.1",
            port=self.port,
            served_names=["chat"],
            version=(0, 33, 0),
            page=lambda _: "",
        )
        self.engine.adapters = RunningAdapters(highest_rank=64)
        self.engine.takes_adapters = True
        await self.engine.begin()
        return self.engine

    def wants(self, **adapters: str) -> None:
        """Name -> source, written as a kubelet does it: whole."""
        following = self.list.with_suffix(".tmp")
        following.write_text(listed(adapters))
        following.replace(self.list)

    def loaded(self) -> dict[str, str]:
        """Name -> folder, as the engine has them."""
        assert self.engine is not None
        return {name: Path(path).name for name, path in self.engine.adapters.paths.items()}

    def troubles(self) -> dict[str, str]:
        return {one.name: one.trouble for one in self.loading.report().adapters}

    def reported(self) -> dict[str, bool]:
        return {one.name: one.loaded for one in self.loading.report().adapters}

    async def until_loaded(self, **adapters: str) -> None:
        wanted = {name: folder_of(source) for name, source in adapters.items()}
        await eventually_async(lambda: self.loaded() == wanted, SOON, f"{wanted} are loaded")
        await eventually_async(lambda: self.reported() == dict.fromkeys(wanted, True), SOON, "and said to be")


def folder_of(source: str) -> str:
    return source.replace("/", "-").replace(":", "")


def listed(adapters: Mapping[str, str]) -> str:
    found = [
        {"name": name, "path": folder_of(source), "item": {"source": source, "into": folder_of(source)}}
        for name, source in adapters.items()
    ]
    return json.dumps({"adapters": found})


async def running(pod: Pod) -> AsyncIterator[Pod]:
    async with aiohttp.ClientSession() as session:
        settings = EngineSettings(EngineName.VLLM, "127.0.0.1", pod.port, "chat", (Task.CHAT,), pod.version)
        task = asyncio.create_task(pod.loading.run(Engine(settings, session)))
        yield pod
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    if pod.engine is not None:
        await pod.engine.stop()


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[Pod]:
    async for one in running(Pod(tmp_path)):
        yield one


@pytest.fixture
async def older(tmp_path: Path) -> AsyncIterator[Pod]:
    """An engine that loads nothing over a name."""
    async for one in running(Pod(tmp_path, "0.31.0")):
        yield one


async def test_what_is_listed_is_loaded_and_what_is_not_goes(pod: Pod) -> None:
    pod.wants(de="hf://acme/de")
    await pod.start_engine()
    await pod.until_loaded(de="hf://acme/de")
    pod.wants(de="hf://acme/de", fr="hf://acme/fr")
    await pod.until_loaded(de="hf://acme/de", fr="hf://acme/fr")
    pod.wants(fr="hf://acme/fr")
    await pod.until_loaded(fr="hf://acme/fr")
    assert pod.source.brought == ["hf://acme/de", "hf://acme/fr"]


async def test_other_weights_of_a_name_take_its_place_without_a_gap(pod: Pod) -> None:
    pod.wants(de="hf://acme/de", fr="hf://acme/fr")
    engine = await pod.start_engine()
    await pod.until_loaded(de="hf://acme/de", fr="hf://acme/fr")
    engine.adapters.told.clear()
    pod.wants(de="hf://acme/de2", fr="hf://acme/fr")
    await pod.until_loaded(de="hf://acme/de2", fr="hf://acme/fr")
    assert engine.adapters.told == [("load", "de")]


async def test_an_engine_that_loads_nothing_over_a_name_is_told_in_two_steps(older: Pod) -> None:
    older.wants(de="hf://acme/de")
    engine = await older.start_engine()
    await older.until_loaded(de="hf://acme/de")
    older.wants(de="hf://acme/de2")
    await older.until_loaded(de="hf://acme/de2")
    assert engine.adapters.told == [("load", "de"), ("unload", "de"), ("load", "de")]


async def test_an_engine_that_starts_again_has_forgotten_and_is_told_again(pod: Pod) -> None:
    pod.wants(de="hf://acme/de", fr="hf://acme/fr")
    await pod.start_engine()
    await pod.until_loaded(de="hf://acme/de", fr="hf://acme/fr")
    assert not pod.loading.is_catching_up(0.0)
    assert pod.engine is not None
    await pod.engine.stop()
    await eventually_async(lambda: pod.loading.is_catching_up(1.0), SOON, "requests go elsewhere")
    await pod.start_engine()
    await pod.until_loaded(de="hf://acme/de", fr="hf://acme/fr")
    await eventually_async(lambda: not pod.loading.is_catching_up(1.0), SOON, "requests come again")


async def test_what_does_not_exist_is_named_and_loaded_once_it_does(pod: Pod) -> None:
    pod.source.missing.add("hf://acme/fr")
    pod.wants(de="hf://acme/de", fr="hf://acme/fr")
    await pod.start_engine()
    await pod_says(pod, "fr", "RepositoryNotFound: hf://acme/fr: does not exist")
    await eventually_async(lambda: pod.reported() == {"de": True, "fr": False}, SOON, "the other is loaded")
    assert not pod.loading.is_catching_up(0.0), "what fails holds nobody back"
    pod.source.missing.clear()
    await pod.until_loaded(de="hf://acme/de", fr="hf://acme/fr")
    assert pod.troubles() == {"de": "", "fr": ""}


async def test_what_the_engine_refuses_is_said_in_its_words(pod: Pod) -> None:
    pod.source.ranks["hf://acme/fr"] = 256
    pod.wants(fr="hf://acme/fr")
    await pod.start_engine()
    await pod_says(pod, "fr", "LoRA rank 256 is greater than max_lora_rank 64.")
    pod.wants(fr="hf://acme/fr-small")
    await pod.until_loaded(fr="hf://acme/fr-small")


async def pod_says(pod: Pod, name: str, want: str) -> None:
    await eventually_async(lambda: want in pod.troubles().get(name, ""), SOON, f"{name}: {want}")


async def test_a_slow_load_keeps_no_other_requests_waiting_and_is_waited_for(pod: Pod) -> None:
    pod.wants(de="hf://acme/de")
    engine = await pod.start_engine()
    engine.adapters.load_seconds = 2.0
    assert pod.loading.is_catching_up(0.0)
    async with aiohttp.ClientSession() as session:
        await eventually_async(lambda: engine.adapters.told == [("load", "de")], SOON, "it loads")
        body: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
        async with session.post(f"{engine.url}/v1/chat/completions", json=body) as answer:
            assert answer.status == 200
    assert pod.reported() == {"de": False}
    await pod.until_loaded(de="hf://acme/de")
    assert engine.adapters.told == [("load", "de")], "asked once"


async def test_a_replica_is_held_back_for_a_while_only(pod: Pod) -> None:
    pod.source.held["hf://acme/de"] = asyncio.Event()
    pod.wants(de="hf://acme/de")
    await pod.start_engine()
    assert pod.loading.is_catching_up(100.0)
    assert pod.loading.is_catching_up(100.0 + HELD_BACK_SECONDS - 1)
    assert not pod.loading.is_catching_up(100.0 + HELD_BACK_SECONDS)


async def test_an_adapter_that_is_listed_no_more_is_not_fetched_to_its_end(pod: Pod) -> None:
    pod.source.held["hf://acme/de"] = asyncio.Event()
    pod.wants(de="hf://acme/de")
    await pod.start_engine()
    await eventually_async(lambda: pod.reported() == {"de": False}, SOON, "it is wanted")
    pod.wants(fr="hf://acme/fr")
    await pod.until_loaded(fr="hf://acme/fr")
    pod.source.held["hf://acme/de"].set()
    assert pod.source.brought == ["hf://acme/fr"]


BROKEN = {
    "no JSON": "{",
    "of another kind": "[]",
    "out of the store": listed({"de": "x"}).replace('"path": "x"', '"path": "../x"'),
    "into another folder": listed({"de": "x"}).replace('"into": "x"', '"into": "/etc"'),
    "without an item": '{"adapters": [{"name": "de", "path": "x"}]}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
async def test_a_list_that_is_away_or_broken_changes_nothing(pod: Pod, text: str) -> None:
    pod.wants(de="hf://acme/de")
    await pod.start_engine()
    await pod.until_loaded(de="hf://acme/de")
    digest = pod.loading.report().list_digest
    pod.list.write_text(text)
    pod.source.missing.clear()
    assert pod.engine is not None
    await pod.start_engine()
    await pod.until_loaded(de="hf://acme/de")
    pod.list.unlink()
    await pod.start_engine()
    await pod.until_loaded(de="hf://acme/de")
    assert pod.loading.report().list_digest == digest
    pod.wants()
    await pod.until_loaded()


async def test_a_report_says_which_list_it_is_about_and_is_read_back(pod: Pod) -> None:
    pod.wants(de="hf://acme/de")
    await pod.start_engine()
    await pod.until_loaded(de="hf://acme/de")
    report = pod.loading.report()
    assert report.list_digest == list_digest(listed({"de": "hf://acme/de"}))
    assert read_adapter_report(report.to_json()) == report
