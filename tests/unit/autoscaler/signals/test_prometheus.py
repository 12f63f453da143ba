"""Three kinds of blindness, and none of them is zero: no answer, no series, only old ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pointsman.api.fleet import PrometheusSettings
from pointsman_autoscaler.signals.prometheus import PrometheusSource
from pointsman_autoscaler.signals.watched import Blind
from pointsman_autoscaler.view import View
from tests.support.ports import free_port
from tests.unit.autoscaler.signals.pages_stand_in import PrometheusStandIn, series, watched

RUNNING = "pointsman_engine_requests_running"
NO_ADDRESS = watched(None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def asking(url: str, token: Path | None = None) -> AsyncIterator[tuple[PrometheusSource, Clock]]:
    clock = Clock()
    stated = {"url": url, **({"bearerTokenFile": str(token)} if token else {})}
    async with PrometheusSource(PrometheusSettings.model_validate(stated), clock) as made:
        yield made, clock


async def test_its_samples_have_the_times_of_their_scrapes() -> None:
    async with PrometheusStandIn() as prometheus, asking(prometheus.url) as (made, _):
        prometheus.engines = [
            series(RUNNING, (970, 1), (985, 2), pod="pod-0"),
            series(RUNNING, (985, 9), pod="gone"),
        ]
        prometheus.gateways = [
            series("pointsman_gateway_envoy_up", (984, 1), instance="x"),
            series("pointsman_gateway_active_requests", (984, 4), instance="x", target="chat/m"),
        ]
        view = await made.view(NO_ADDRESS)
        assert isinstance(view, View)
        [pod] = view.pods
        assert [(one.at_seconds, one.running) for one in pod.samples] == [(970.0, 1.0), (985.0, 2.0)]
        assert [(one.at_seconds, one.in_flight) for one in view.gateway] == [(984.0, 4.0)]


async def test_the_first_question_asks_for_what_was_before() -> None:
    async with PrometheusStandIn() as prometheus, asking(prometheus.url) as (made, _):
        for _ in range(2):
            await made.view(NO_ADDRESS)
        assert [query.endswith("[600s]") for query in prometheus.queries] == [True, True, False, False]


async def test_no_series_is_no_load_of_zero() -> None:
    async with PrometheusStandIn() as prometheus, asking(prometheus.url) as (made, _):
        assert await made.view(NO_ADDRESS) == Blind(
            "Prometheus has no series of its replicas; see that it scrapes their PodMonitor"
        )


async def test_series_that_have_ended_are_no_load_of_zero() -> None:
    async with PrometheusStandIn() as prometheus, asking(prometheus.url) as (made, _):
        prometheus.engines = [series(RUNNING, (900, 0), pod="pod-0")]
        assert await made.view(NO_ADDRESS) == Blind(
            "Prometheus has only old samples of its replicas; see that its scrapes succeed"
        )


async def test_what_was_seen_lately_counts_until_it_is_old() -> None:
    async with PrometheusStandIn() as prometheus, asking(prometheus.url) as (made, clock):
        prometheus.engines = [series(RUNNING, (1000, 1), pod="pod-0")]
        assert isinstance(await made.view(NO_ADDRESS), View)
        prometheus.status = 503
        clock.now = 1030.0
        assert isinstance(await made.view(NO_ADDRESS), View)
        clock.now = 1061.0
        blind = await made.view(NO_ADDRESS)
        assert isinstance(blind, Blind)
        assert f"Prometheus at {prometheus.url} does not answer" in blind.reason
        prometheus.status = 200
        prometheus.engines = [series(RUNNING, (1061, 1), pod="pod-0")]
        assert isinstance(await made.view(NO_ADDRESS), View)


@pytest.mark.parametrize(
    "text", ["<html>", "[]", '{"data": {}}', '{"data": {"result": [{"metric": {"pod": "a"}, "values": 3}]}}']
)
async def test_an_answer_that_is_none_is_no_answer(text: str) -> None:
    async with PrometheusStandIn() as prometheus, asking(prometheus.url) as (made, _):
        prometheus.text = text
        blind = await made.view(NO_ADDRESS)
        assert isinstance(blind, Blind)
        assert "does not answer" in blind.reason


async def test_without_replicas_a_prometheus_that_is_gone_is_blindness_too_in_time() -> None:
    async with asking(f"http://127.0.0.1:{free_port()}") as (made, clock):
        assert isinstance(await made.view(watched()), View)
        clock.now += 60.0
        blind = await made.view(watched())
        assert isinstance(blind, Blind)
        # The reason is the same at each look.
        clock.now += 60.0
        assert await made.view(watched()) == blind


async def test_the_reason_is_the_same_whatever_the_error() -> None:
    """It is written to every deployment: an error that changes would be written at every look."""
    async with PrometheusStandIn() as prometheus, asking(prometheus.url) as (made, _):
        prometheus.text = "<html>"
        first = await made.view(NO_ADDRESS)
        prometheus.status = 503
        assert await made.view(NO_ADDRESS) == first


async def test_one_that_answers_nobody_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """A thousand models would wait in vain one by one, for longer than a process may seem to hang."""
    token, elapsed = tmp_path / "token", Clock()
    async with PrometheusStandIn() as prometheus:
        settings = PrometheusSettings(url=prometheus.url, bearer_token_file=str(token))
        async with PrometheusSource(settings, Clock(), elapsed=elapsed) as made:
            for _ in range(40):
                assert isinstance(await made.view(NO_ADDRESS), Blind)
            token.write_text("there now")
            assert isinstance(await made.view(NO_ADDRESS), Blind)
            assert prometheus.queries == []
            elapsed.now += 10.0
            prometheus.engines = [series(RUNNING, (1000, 1), pod="pod-0")]
            assert isinstance(await made.view(NO_ADDRESS), View)
            assert isinstance(await made.view(NO_ADDRESS), View)


async def test_the_token_is_read_anew(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    async with PrometheusStandIn() as prometheus, asking(prometheus.url, token) as (made, _):
        await made.view(NO_ADDRESS)
        token.write_text("second\n")
        await made.view(NO_ADDRESS)
        assert prometheus.authorizations == ["Bearer first"] * 2 + ["Bearer second"] * 2
        token.unlink()
        assert isinstance(await made.view(NO_ADDRESS), Blind)
        assert len(prometheus.queries) == 4


async def test_an_answer_that_has_no_end_is_cut_off_and_said() -> None:
    stated = PrometheusSettings.model_validate
    async with PrometheusStandIn() as prometheus:
        prometheus.engines = [series(RUNNING, *((at, 1) for at in range(9000)), pod="pod-0")]
        async with PrometheusSource(stated({"url": prometheus.url}), Clock(), most_bytes=2**16) as made:
            assert await made.view(NO_ADDRESS) == Blind(
                "Prometheus says more than 0.0625 MiB of its replicas; see who else has their labels"
            )
        async with PrometheusSource(stated({"url": prometheus.url}), Clock(), most_bytes=2**20) as made:
            assert "more than" not in str(await made.view(NO_ADDRESS))


async def test_an_answer_that_has_one_look_elsewhere_is_cut_off_like_any_other() -> None:
    async with PrometheusStandIn() as prometheus:
        prometheus.status, prometheus.location, prometheus.text = 302, prometheus.url, "x" * 2**17
        settings = PrometheusSettings(url=prometheus.url)
        async with PrometheusSource(settings, Clock(), most_bytes=2**16) as made:
            assert "more than 0.0625 MiB" in str(await made.view(NO_ADDRESS))


async def test_why_it_does_not_answer_is_logged_without_the_question() -> None:
    with capture_logs() as said:
        async with asking(f"http://127.0.0.1:{free_port()}") as (made, _):
            await made.view(NO_ADDRESS)
    [one] = said
    assert one["reason"].endswith("Connection refused")
    assert "pointsman_engine" not in one["reason"]
