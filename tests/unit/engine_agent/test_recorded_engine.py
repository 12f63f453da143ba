"""What is known of vLLM from its sources, held to what a real one said; so are the stand-ins for it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pointsman.catalog import shipped_catalog
from pointsman.catalog.metric_report import Presence
from pointsman.engine_agent.asking import running_requests
from pointsman.engine_agent.engine_metrics import PREFIX, read, report
from pointsman_autoscaler.simulator.gaps import ITL_BUCKETS, TTFT_BUCKETS
from tests.support.behaviour import Behaviour, Dialect
from tests.support.engine_metrics import EngineMetrics
from tests.support.engines.adapters import CONFIGURATION, RunningAdapters
from tests.support.engines.pages import vllm_page
from tests.support.engines.script import EngineScript, version_number
from tests.support.engines.vllm import Vllm
from tests.support.error_bodies import context_overflow, status_error
from tests.support.recorded_engine import VERSION, adapter_answers, answers, metrics_page

VLLM = shipped_catalog().engines["vllm"]


def test_every_metric_that_we_name_is_on_the_real_page() -> None:
    said = read(metrics_page(), VLLM, VERSION)
    assert said.missing == ()
    assert {one.presence for one in report(said, VLLM, VERSION).metrics} == {Presence.FOUND}
    counted = {name: said.values[name] for name in ("prompt_tokens_total", "generation_tokens_total")}
    assert counted == {"prompt_tokens_total": 73, "generation_tokens_total": 23}
    assert (said.values["requests_finished_total"], said.values["steps_total"]) == (7, 23)
    assert running_requests(said) == 0
    counts = {
        sample.name.removeprefix(PREFIX): sample.value
        for family in said.families
        for sample in family.samples
        if sample.name.endswith("_count")
    }
    # Of 23 tokens in 7 answers, 16 came after another one.
    assert counts == {
        "first_token_seconds_count": 7,
        "inter_token_seconds_count": 16,
        "request_seconds_count": 7,
        "queue_seconds_count": 7,
    }


def series(page: str) -> dict[str, set[str]]:
    """Name -> the names of its labels, and the bucket edges, of each sample of a page."""
    found: dict[str, set[str]] = {}
    for line in page.splitlines():
        if line.startswith("vllm:"):
            [name] = re.findall(r"^[^{ ]+", line)
            pairs = re.findall(r'(\w+)="([^"]*)"', line)
            found.setdefault(name, set()).update(
                f"le={value}" if key == "le" else key for key, value in pairs
            )
    return found


@pytest.mark.parametrize(
    "page", [vllm_page(EngineMetrics("m"), version_number(VERSION)), EngineMetrics("m").text()]
)
def test_the_stand_ins_pages_have_nothing_that_the_real_one_has_not(page: str) -> None:
    real, ours = series(metrics_page()), series(page)
    assert {name: labels for name, labels in ours.items() if not labels <= real.get(name, set())} == {}
    buckets = [name for name in ours if name.endswith("_bucket")]
    assert {name: real[name] - ours[name] for name in buckets} == {name: set() for name in buckets}


@pytest.mark.parametrize(
    ("name", "edges"),
    [("time_to_first_token_seconds", TTFT_BUCKETS), ("inter_token_latency_seconds", ITL_BUCKETS)],
)
def test_simulated_engines_count_latencies_in_the_real_buckets(name: str, edges: tuple[float, ...]) -> None:
    labels = series(metrics_page())[f"vllm:{name}_bucket"]
    real = {float(label.removeprefix("le=")) for label in labels if label.startswith("le=")}
    assert sorted(real) == list(edges)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Vllm]:
    """The scripted engine, started as the real one was, with adapters of the same ranks."""
    for name, rank in (("de", 8), ("fr", 16), ("big", 128)):
        folder = tmp_path / f"model-{name}"
        folder.mkdir()
        (folder / CONFIGURATION).write_text(json.dumps({"r": rank}))
    made = Vllm(
        EngineScript(behaviour=Behaviour(chunks=3)),
        host="127.0.0.1",
        port=0,
        served_names=["support"],
        version=version_number(VERSION),
        page=lambda engine: vllm_page(engine.metrics, version_number(VERSION)),
    )
    made.adapters = RunningAdapters(highest_rank=64, served_names=made.served_names)
    made.takes_adapters = True
    async with made:
        yield made


def told_of(status: int, body: str) -> tuple[int, Any]:
    """A status, and what of its body somebody may go by."""
    if not body.startswith("{"):
        return status, body
    said = json.loads(body)
    if "data" in said:
        return status, [(row["id"], row["root"], row["parent"]) for row in said["data"][1:]]
    return status, said


async def test_the_stand_in_takes_adapters_and_refuses_them_as_the_real_one(
    engine: Vllm, tmp_path: Path
) -> None:
    async with aiohttp.ClientSession(engine.url) as session:
        for name, want in adapter_answers().items():
            method = "GET" if want.request is None else "POST"
            sent = json.loads(json.dumps(want.request).replace("/weights", str(tmp_path)))
            async with session.request(method, want.path, json=sent) as answer:
                body = (await answer.text()).replace(str(tmp_path), "/weights")
            assert told_of(answer.status, body) == told_of(want.status, want.body), name


def test_the_stand_ins_errors_are_made_as_the_real_ones() -> None:
    unknown, overflow = answers()["unknown-model"], answers()["context-chat"]
    assert status_error(404, unknown.json["error"]["message"], Dialect.VLLM)["error"] == {
        **unknown.json["error"],
        "param": None,
    }
    ours, real = context_overflow(Dialect.VLLM)["error"], overflow.json["error"]
    assert re.sub(r"\d+", "N", ours.pop("message")) == re.sub(r"\d+", "N", real.pop("message"))
    assert ours == real


def keys(said: Any, at: str = "") -> set[str]:
    """Where anything stands in a JSON document."""
    if isinstance(said, list):
        return {key for one in said for key in keys(one, f"{at}[]")}
    if isinstance(said, dict):
        return {f"{at}.{name}" for name in said} | {
            key for name, one in said.items() for key in keys(one, f"{at}.{name}")
        }
    return set()


@pytest.mark.parametrize("name", ["chat", "completion", "stream", "stream-continuous", "completion-stream"])
async def test_the_stand_ins_answers_have_nothing_that_the_real_ones_have_not(
    engine: Vllm, name: str
) -> None:
    real = answers()[name]
    body: dict[str, Any] = {"model": "support", "messages": [], "prompt": "hi"}
    if "stream" in name:
        usage = {"include_usage": True, "continuous_usage_stats": "continuous" in name}
        body |= {"stream": True, "stream_options": usage}
    async with (
        aiohttp.ClientSession(engine.url) as session,
        session.post(real.path, json=body) as answer,
    ):
        text = await answer.text()
        assert (answer.status, answer.content_type) == (real.status, (real.content_type or "").split(";")[0])
    if "stream" not in name:
        assert keys(json.loads(text)) <= keys(real.json)
        return
    assert text.endswith("data: [DONE]\n\n")
    ours = [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n")[:-2]]
    assert keys(ours) <= keys(real.events)
    assert keys(ours[0]) <= keys(real.events[0])
    assert keys(ours[-1]) <= keys(real.events[-1])
