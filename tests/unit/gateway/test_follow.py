"""What the follower hands to its gateway, and what it makes of a hand-over that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pointsman.errors import PointsmanError
from pointsman.gateway.cluster.follow import Follower
from pointsman.gateway.cluster.metrics import hearing
from pointsman.gateway.cluster.settings import ClusterGatewaySettings
from pointsman.gateway.exposition import page
from pointsman.kube.objects import MODEL_ROUTE, KubeObject
from pointsman.kube.ports import Change, Chunk, Selection, WatchEvent
from pointsman.routing import ProxySettings, RoutingInput
from tests.support import manifests
from tests.support.builders import key
from tests.support.polling import eventually_async

KEY = "sk-of-a-provider"


class Routes:
    """An API server that has routes and nothing else."""

    def __init__(self, *names: str) -> None:
        self._listed = tuple(_route(name) for name in names)
        self._news: asyncio.Queue[KubeObject] = asyncio.Queue()

    def add(self, name: str) -> None:
        self._news.put_nowait(_route(name))

    async def get(self, kind: object, at: object) -> KubeObject | None:
        raise AssertionError("a gateway gets nothing one by one")

    async def list(self, selection: Selection) -> tuple[KubeObject, ...]:
        raise AssertionError("a gateway lists in chunks")

    async def chunks(self, selection: Selection, size: int = 500) -> AsyncGenerator[Chunk, None]:
        yield Chunk(self._listed if selection.kind == MODEL_ROUTE else (), "1")

    async def watch(
        self, selection: Selection, resource_version: str, timeout_seconds: int
    ) -> AsyncGenerator[WatchEvent, None]:
        while selection.kind == MODEL_ROUTE:
            yield WatchEvent(Change.ADDED, await self._news.get())
        await asyncio.Event().wait()


def _route(name: str) -> KubeObject:
    return manifests.route(name, ["a"], metadata={"uid": name, "resourceVersion": "1"})


class Taker:
    """A gateway that fails as it is told, and else takes what it is given."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.tried = 0
        self.given = RoutingInput()

    def take(self, given: RoutingInput) -> None:
        self.tried += 1
        if self._failures:
            raise self._failures.pop(0)
        self.given = given


@asynccontextmanager
async def following(reader: Routes, taker: Taker) -> AsyncIterator[Follower]:
    settings = ClusterGatewaySettings(ProxySettings(), Path("nowhere"), "127.0.0.1", 0, 0.0)
    follower = Follower(reader, settings, taker.take)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
        assert not task.done(), "it has ended"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextmanager
def said(event: str) -> Iterator[None]:
    with capture_logs() as logs:
        yield
    assert event in {line["event"] for line in logs}
    assert KEY not in str(logs)


async def test_everything_that_is_listed_is_given_at_once() -> None:
    taker = Taker()
    async with following(Routes("one", "two"), taker) as follower:
        await eventually_async(lambda: follower.has_begun, 30, "it has begun")
        assert set(taker.given.routes) == {key("one"), key("two")}
        assert taker.tried == 1


@pytest.mark.parametrize("failure", [PointsmanError("no"), ValueError(f"cannot parse {KEY}")])
async def test_a_hand_over_that_fails_is_said_and_the_next_one_is_tried(failure: Exception) -> None:
    reader, taker = Routes("one"), Taker(failure)
    with said("input_refused"):
        async with following(reader, taker) as follower:
            await eventually_async(lambda: taker.tried == 1, 30, "it has tried")
            assert not follower.has_begun, "a gateway that serves nothing is not ready"
            reader.add("two")
            await eventually_async(lambda: follower.has_begun, 30, "it has begun")
            assert set(taker.given.routes) == {key("one"), key("two")}
            assert "pointsman_gateway_inputs_refused_total{} 1\n" in page(hearing(follower))


async def test_the_age_of_each_watch_is_said() -> None:
    async with following(Routes("one"), Taker()) as follower:
        await eventually_async(lambda: follower.has_begun, 30, "it has begun")
        lines = [line for line in page(hearing(follower)).splitlines() if "watch_age_seconds{" in line]
    kinds = [line.split('"')[1] for line in lines]
    assert kinds == ["EndpointSlice", "ModelDeployment", "ModelRoute"]
    assert all(float(line.split()[-1]) < 5 for line in lines)
