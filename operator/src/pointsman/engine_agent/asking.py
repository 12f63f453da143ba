"""The questions that an agent asks its engine, over HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from pointsman.api import Task
from pointsman.catalog import EngineFacts, LiveAdapters, shipped_catalog
from pointsman.catalog.metric_report import MetricReport
from pointsman.engine_agent.engine_metrics import Readings, read, report
from pointsman.engine_agent.settings import EngineSettings
from pointsman.errors import PointsmanError
from pointsman.pages import read_page

# A first token on a slow machine with a large model takes some seconds; its budget bounds all attempts.
_TOKEN_TIMEOUT = aiohttp.ClientTimeout(total=120)
_QUICK_TIMEOUT = aiohttp.ClientTimeout(total=10)
# Some hundred megabytes from a network volume, while the engine works on requests.
_LOAD_TIMEOUT = aiohttp.ClientTimeout(total=120)
_MOST_SAID = 300
# vLLM's metrics are some 200 KB with their histograms; the agent has little memory.
_LONGEST_PAGE_BYTES = 8 * 2**20

_ASKED: dict[Task, tuple[str, dict[str, Any]]] = {
    Task.CHAT: (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1},
    ),
    Task.COMPLETION: ("/v1/completions", {"prompt": "hi", "max_tokens": 1}),
    Task.EMBEDDING: ("/v1/embeddings", {"input": "hi"}),
    Task.RERANK: ("/v1/rerank", {"query": "hi", "documents": ["hi"]}),
}


@dataclass(frozen=True)
class Answer:
    """What came of a question: "" in `trouble` where all is well."""

    trouble: str = ""
    is_final: bool = False
    """Asking again cannot help: the engine refuses what it was asked."""
    is_gone: bool = False
    """Nobody listens there, or whoever did has gone: the process has ended, or is only starting."""

    @property
    def is_good(self) -> bool:
        return not self.trouble


class Engine:
    """One engine, asked over one session."""

    def __init__(self, settings: EngineSettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._facts: EngineFacts = shipped_catalog().engines[settings.name]
        self._session = session

    @property
    def metric_names(self) -> list[str]:
        """Ours, of those that its version has."""
        return sorted(self._facts.metric_names(self._settings.version))

    async def is_alive(self) -> bool:
        """Whether it says that it lives. Not bounded: the caller's timeout is."""
        return (await self._get(self._facts.endpoints.alive, None)).is_good

    async def is_loaded(self) -> Answer:
        """Whether it says that the model is there."""
        return await self._get(self._facts.endpoints.ready, _QUICK_TIMEOUT)

    async def answers_a_request(self) -> Answer:
        """Ask for one real token: engines say that they are healthy before they can serve.

        Tasks whose requests are no JSON (speech, images) are believed by their ready endpoint.
        """
        task = self._settings.asked_task
        asked = _ASKED.get(task)
        if asked is None:
            return Answer()
        path = self._facts.endpoints.tasks.get(task, asked[0])
        body = {"model": self._settings.served_name, **asked[1]}
        try:
            async with self._session.post(
                self._settings.url(path), json=body, timeout=_TOKEN_TIMEOUT
            ) as answer:
                text = await _text(answer)
                return Answer() if answer.status == 200 else _refused(path, answer.status, text)
        except (aiohttp.ClientError, TimeoutError) as error:
            return _silent(path, error)

    async def readings(self) -> Readings | None:
        """Its metrics in our names; None where it does not say any."""
        endpoints = self._facts.endpoints
        if endpoints.metrics is None:
            return None
        url = self._settings.url(endpoints.metrics, endpoints.metrics_port)
        try:
            async with self._session.get(url, timeout=_QUICK_TIMEOUT) as answer:
                if answer.status != 200:
                    return None
                return read(await _text(answer), self._facts, self._settings.version)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def metric_report(self) -> MetricReport:
        """Which of the metrics that its version should have it says."""
        return report(await self.readings(), self._facts, self._settings.version)

    async def adapters(self) -> dict[str, str] | None:
        """The adapters that it has, name -> path; None where it does not say. Raises TimeoutError where it is
        slow to.
        """
        url = self._settings.url(self._facts.endpoints.models or self._facts.endpoints.ready)
        try:
            async with self._session.get(url, timeout=_QUICK_TIMEOUT) as answer:
                if answer.status != 200:
                    return None
                listed = json.loads(await _text(answer))["data"]
                return {str(one["id"]): str(one["root"]) for one in listed if one.get("parent")}
        except TimeoutError:
            raise
        except (aiohttp.ClientError, ValueError, KeyError, TypeError, AttributeError):
            return None

    async def load_adapter(self, name: str, path: str, *, replaces: bool) -> str:
        """Gives why not, "" where it is loaded. `replaces`: the name is there with other weights."""
        live = self._live
        body: dict[str, Any] = {"lora_name": name, "lora_path": path}
        if replaces and live.is_in_place(self._version):
            body["load_inplace"] = True
        elif replaces and (trouble := await self.unload_adapter(name)):
            return trouble
        return await self._tell(live.load, body)

    async def unload_adapter(self, name: str) -> str:
        """Gives why not, "" where it is gone."""
        return await self._tell(self._live.unload, {"lora_name": name})

    @property
    def _live(self) -> LiveAdapters:
        live = self._facts.launch.live_adapters
        if live is None:
            raise PointsmanError(f"{self._settings.name} loads no adapters while it runs")
        return live

    @property
    def _version(self) -> str | None:
        return self._settings.version or self._facts.version

    async def _tell(self, path: str, body: Mapping[str, Any]) -> str:
        try:
            async with self._session.post(
                self._settings.url(path), json=body, timeout=_LOAD_TIMEOUT
            ) as answer:
                text = await _text(answer)
                return "" if answer.status == 200 else _refused(path, answer.status, text).trouble
        except (aiohttp.ClientError, TimeoutError) as error:
            return _silent(path, error).trouble

    async def _get(self, path: str, within: aiohttp.ClientTimeout | None) -> Answer:
        try:
            async with self._session.get(self._settings.url(path), timeout=within) as answer:
                text = await _text(answer)
                return Answer() if answer.status == 200 else _refused(path, answer.status, text)
        except (aiohttp.ClientError, TimeoutError) as error:
            return _silent(path, error)


async def _text(answer: aiohttp.ClientResponse) -> str:
    """Also of a page that is no text. Raises ClientPayloadError where it is longer than any."""
    return (await read_page(answer, _LONGEST_PAGE_BYTES)).decode(errors="replace")


def running_requests(readings: Readings | None) -> int | None:
    """Requests that the engine works on or holds back; None where it does not say."""
    if readings is None or "requests_running" not in readings.values:
        return None
    return int(readings.values["requests_running"] + readings.values.get("requests_waiting", 0.0))


def _refused(path: str, status: int, text: str) -> Answer:
    said = f"{path} answers {status}: {' '.join(text[:_MOST_SAID].split())}"
    return Answer(said, is_final=400 <= status < 500)


def _silent(path: str, error: Exception) -> Answer:
    is_gone = isinstance(error, aiohttp.ClientConnectionError) and not isinstance(error, TimeoutError)
    return Answer(f"{path} does not answer ({type(error).__name__})", is_gone=is_gone)
