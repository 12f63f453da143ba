"""The metrics page, read as Prometheus reads it, beside what was really asked and answered."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest

from pointsman.gateway import MetricsPage
from tests.e2e.gateway.scene import Scene, in_parallel, target
from tests.e2e.gateway.test_supervision import BACK_SECONDS, kill_envoy, none_can_start
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, hosted, route, secret
from tests.support.polling import eventually_async
from tests.support.ports import free_port

# Envoy merges histograms every five seconds.
MERGED_SECONDS = 30.0
LINE = re.compile(r'(pointsman_gateway_[a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')
SUFFIXES = ("_bucket", "_sum", "_count")

Labels = tuple[tuple[str, str], ...]


class Page:
    """A page's samples. Raises AssertionError for what Prometheus does not take."""

    def __init__(self, text: str) -> None:
        assert text.endswith("\n")
        self.samples: dict[tuple[str, Labels], float] = {}
        kinds: dict[str, str] = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, family, kind = line.split()
                assert family not in kinds, f"{family} is there twice"
                kinds[family] = kind
            elif not line.startswith("# HELP "):
                found = LINE.fullmatch(line)
                assert found, line
                name, labels = found[1], tuple(sorted(LABEL.findall(found[2])))
                family = next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), name)
                assert list(kinds)[-1] == family, f"{name} stands below {list(kinds)[-1]}"
                assert (name, labels) not in self.samples, line
                self.samples[name, labels] = float(found[3])
        self._check_histograms({family for family, kind in kinds.items() if kind == "histogram"})

    def _check_histograms(self, families: set[str]) -> None:
        for family in families:
            for who, count in self.of(f"{family}_count").items():
                buckets = [
                    value
                    for (name, labels), value in self.samples.items()
                    if name == f"{family}_bucket" and set(who) < set(labels)
                ]
                assert buckets == sorted(buckets), family
                assert buckets[-1] == count, family

    def of(self, name: str) -> Mapping[Labels, float]:
        return {labels: value for (found, labels), value in self.samples.items() if found == name}

    def sum(self, name: str, **labels: str) -> float:
        """The sum of a metric over all samples that have these labels."""
        wanted = set(labels.items())
        return sum(
            value for found, value in self.of(f"pointsman_gateway_{name}").items() if wanted <= set(found)
        )


@asynccontextmanager
async def metrics_of(scene: Scene) -> AsyncIterator[str]:
    """The address of a metrics server for the scene's gateway."""
    server, port = MetricsPage(scene.gateway), free_port()
    await server.start("127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


async def read(url: str) -> Page:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        return Page(await response.text())


async def merged(url: str, requests: int) -> bool:
    """Whether the times of so many requests are there."""
    return (await read(url)).sum("request_duration_seconds_count") == requests


async def ready(url: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/ready") as response:
        return response.status == 200


async def serve(scene: Scene) -> None:
    """A route that falls back from a failing engine to a provider with a price."""
    failing = await scene.engine("failing", Behaviour(fault=Fault.STATUS))
    far = await scene.provider("far", keys=["sk-far"])
    await scene.serve(
        deployment("failing"),
        hosted("far", f"http://localhost:{far.port}/v1", secret=("keys", "far"), price=("2", "10")),
        secret("keys", {"far": "sk-far"}, allowed_hosts=["localhost"]),
        secret("clients", {"alice": "pm-alice", "bob.the-2nd_one": "pm-bob"}, labels={"team": "a"}),
        route("chat", ["failing"], fallback=["far"], cooldown=(10_000, "1s"), api_keys={"team": "a"}),
        endpoints={"failing": [failing.port]},
    )


async def test_tokens_of_a_mirror_are_nobodys(scene: Scene) -> None:
    engine = await scene.engine("own", Behaviour(chunks=3, first_token_seconds=0.3))
    copy = await scene.engine("copy", Behaviour(chunks=50))
    await scene.serve(
        deployment("own"),
        deployment("copy"),
        route("chat", ["own"], mirror=("copy", 100)),
        endpoints={"own": [engine.port], "copy": [copy.port]},
    )
    async with metrics_of(scene) as url:
        for ask in (scene.client.chat, scene.client.stream_chat):
            assert (await ask("chat")).ok
        await eventually_async(lambda: copy.log.total == 2, 30, "both copies have arrived")
        await copy.settled()
        page = await read(url)
        assert page.sum("completion_tokens_total") == 6


async def test_requests_attempts_tokens_and_money_are_counted_for_each_client(scene: Scene) -> None:
    await serve(scene)
    async with metrics_of(scene) as url:
        for key in ("pm-alice", "pm-bob"):
            asking = await scene.other_client(api_key=key)
            for ask in (asking.chat, asking.chat, asking.stream_chat):
                answer = await ask("chat")
                assert target(answer) == "far"
        page = await read(url)
        for client in ("alice", "bob.the-2nd_one"):
            assert page.sum("requests_total", client=client, code="200", target="default/far") == 3
            prompt, completion = (
                page.sum(f"{kind}_tokens_total", client=client, target="default/far", route="default/chat")
                for kind in ("prompt", "completion")
            )
            assert prompt > 0
            assert completion > 0
            money = page.sum("cost_total", client=client, target="default/far")
            assert money == pytest.approx((prompt * 2 + completion * 10) / 1e6)
        failed = page.sum("attempts_total", target="default/failing")
        assert failed == page.sum("attempts_total", target="default/failing", **{"class": "server_error"}) > 0
        assert page.sum("attempts_total", target="default/far", **{"class": "ok"}) == 6

        async def timed() -> bool:
            later = await read(url)
            streams = later.sum("first_token_seconds_count", target="default/far", stream="true")
            return streams == 2 and later.sum("request_duration_seconds_count", target="default/far") == 6

        await eventually_async(timed, MERGED_SECONDS, "times are merged")


async def test_words_of_clients_and_targets_make_no_series(scene: Scene) -> None:
    await serve(scene)
    asking = await scene.other_client(api_key="pm-alice")
    async with metrics_of(scene) as url:
        await asking.chat("chat")
        await scene.client.chat("unknown-0")
        # Those that are histograms show what was asked once they are merged.
        await eventually_async(lambda: merged(url, 1), MERGED_SECONDS, "times are merged")
        before = len((await read(url)).samples)

        async def odd(index: int) -> object:
            await scene.client.chat(f"unknown-{index}")
            return await asking.chat(
                "chat", headers={"user-agent": f"agent-{index}", "x-pm-retry": f"word-{index}"}
            )

        await in_parallel(40, odd)
        assert len((await read(url)).samples) == before


async def test_money_goes_on_over_a_crash_of_envoy(scene: Scene) -> None:
    await serve(scene)
    asking = await scene.other_client(api_key="pm-alice")
    async with metrics_of(scene) as url:
        assert (await asking.chat("chat")).ok
        first = await read(url)
        each = first.sum("cost_total")
        assert each > 0
        assert (first.sum("envoy_up"), first.sum("envoy_restarts_total")) == (1, 0)
        with none_can_start(scene):
            await kill_envoy(scene)
            away = await read(url)
            assert away.sum("cost_total") == each
            assert (away.sum("envoy_up"), away.sum("envoy_restarts_total")) == (0, 1)
            assert not await ready(url)

        async def back() -> bool:
            return await ready(url) and (await asking.chat("chat")).ok

        await eventually_async(back, BACK_SECONDS, "a new Envoy answers")
        # It has counted as much as the former had: only the new start tells that these are other tokens.
        again = await read(url)
        answered = again.sum("requests_total", code="200", client="alice")
        assert again.sum("cost_total") == pytest.approx(each * (1 + answered))
        assert again.sum("envoy_up") == 1
