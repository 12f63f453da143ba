"""One gateway with its stand-ins and a client: what nearly every test of this folder is played on."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from pointsman.api import ModelDeployment, ModelRoute, ObjectKey, Secret
from pointsman.gateway import Gateway, GatewayPlaces
from pointsman.gateway.answering import PATIENCE
from pointsman.routing import ProxySettings, RouteProgramming, RoutingInput
from tests.support.behaviour import Behaviour
from tests.support.builders import Address, key, routing_input
from tests.support.certificates import CertificateAuthority
from tests.support.clients import Answer, OpenAIClient
from tests.support.engine_process import EngineProcess
from tests.support.engine_stand_in import EngineStandIn
from tests.support.polling import eventually_async
from tests.support.ports import free_ports
from tests.support.processes import tree_rss_bytes
from tests.support.provider_stand_in import KeyHeader, ProviderStandIn

READY_SECONDS = 60.0

Object = ModelDeployment | ModelRoute | Secret


class Scene:
    """A gateway on free ports, started by the first `serve`. Everything ends with the scene.

    Change `settings` and `patience` before the first `serve`. Stand-ins run in this process unless they are
    to be killed.
    """

    def __init__(self, folder: Path) -> None:
        listen_port, tombstone_port = free_ports(2)
        self.settings = ProxySettings(
            listen_port=listen_port, tombstone_port=tombstone_port, processor=platform.machine()
        )
        self.patience = PATIENCE
        self.folder = folder / "gateway"
        self.log_file = folder / "envoy.log"
        self._things = AsyncExitStack()
        self._gateway: Gateway | None = None
        self._client: OpenAIClient | None = None
        self._given = RoutingInput()

    def change_settings(self, **changes: Any) -> None:
        """Other settings than the defaults."""
        assert self._gateway is None, "the gateway runs already"
        self.settings = replace(self.settings, **changes)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.listen_port}"

    @property
    def gateway(self) -> Gateway:
        assert self._gateway is not None, "serve something first"
        return self._gateway

    @property
    def client(self) -> OpenAIClient:
        """A client without a key."""
        assert self._client is not None, "serve something first"
        return self._client

    @property
    def given(self) -> RoutingInput:
        """What the gateway was told last."""
        return self._given

    # Stand-ins.

    async def engine(
        self,
        name: str,
        behaviour: Behaviour | None = None,
        *,
        port: int = 0,
        served_names: Sequence[str] = (),
    ) -> EngineStandIn:
        """An engine in this process."""
        engine = EngineStandIn(name, default=behaviour, port=port, served_names=served_names)
        return await self._things.enter_async_context(engine)

    async def engine_process(self, name: str, behaviour: Behaviour | None = None) -> EngineProcess:
        """An engine that can be killed."""
        return await self._things.enter_context(EngineProcess(name, behaviour=behaviour)).ready()

    async def provider(
        self,
        name: str,
        *,
        keys: Sequence[str] = (),
        key_header: KeyHeader = KeyHeader.BEARER,
        prefixes: Sequence[str] = ("/v1",),
        authority: CertificateAuthority | None = None,
        behaviour: Behaviour | None = None,
    ) -> ProviderStandIn:
        """A provider in this process; with an authority it speaks TLS."""
        provider = ProviderStandIn(
            name, keys=keys, key_header=key_header, prefixes=prefixes, authority=authority, default=behaviour
        )
        return await self._things.enter_async_context(provider)

    async def other_client(
        self, *, api_key: str = "", headers: Mapping[str, str] | None = None
    ) -> OpenAIClient:
        """Another client, with a key or headers of its own."""
        client = OpenAIClient(self.url, api_key=api_key, headers=headers)
        return await self._things.enter_async_context(client)

    # The gateway.

    async def serve(self, *objects: Object, endpoints: Mapping[str, Iterable[Address]] | None = None) -> None:
        """Tell the gateway these objects and no others, and wait until Envoy has said yes or no to all."""
        await self.serve_input(routing_input(*objects, endpoints=endpoints))

    async def serve_input(self, given: RoutingInput, *, within_seconds: float = READY_SECONDS) -> None:
        """`serve`, of an input that is ready made."""
        self.tell(given)
        if self._gateway is None:
            await self._start()
        await self.gateway.ready(within_seconds)

    def tell(self, given: RoutingInput) -> None:
        """Hand over an input without waiting for anything."""
        self._given = given
        if self._gateway is not None:
            self._gateway.update(given)

    async def _start(self) -> None:
        places = GatewayPlaces(self.folder, self.log_file)
        self._gateway = Gateway(self.settings, places, patience=self.patience)
        self._gateway.update(self._given)
        self._things.push_async_callback(self._gateway.stop, 0)
        await self._gateway.start()
        self._client = await self._things.enter_async_context(OpenAIClient(self.url))

    def programming(self, route: str) -> RouteProgramming:
        """What Envoy made of a route."""
        return self.gateway.programming()[key(route)]

    async def programmed(self, *routes: str, within_seconds: float = READY_SECONDS) -> None:
        """Wait until these routes are in use as written."""

        def in_use() -> bool:
            states = {name: self.programming(name) for name in routes}
            late = {name: state for name, state in states.items() if not state.programmed}
            assert not late, str(late)
            return True

        await eventually_async(in_use, within_seconds, f"{routes} are programmed")

    async def stats(self, prefix: str = "") -> dict[str, float]:
        """Envoy's counters and gauges in Prometheus' form, labels included in the name."""
        page = await self.gateway.envoy.admin.get("/stats/prometheus")
        lines = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in lines if name.startswith(prefix)}

    def envoy_rss_bytes(self) -> int:
        """Resident memory of Envoy."""
        pid = self.gateway.envoy.pid
        assert pid is not None, f"Envoy does not run\n{self.log()}"
        return tree_rss_bytes(pid)

    def log(self) -> str:
        """What Envoy logged."""
        return self.log_file.read_text(encoding="utf-8") if self.log_file.exists() else ""

    async def __aenter__(self) -> Scene:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._things.aclose()


def target(answer: Answer) -> str:
    """The deployment that answered, without its namespace; empty where none is named."""
    return answer.headers.get("x-pointsman-target", "").rpartition("/")[2]


def attempts(answer: Answer) -> int:
    """The attempts that a request took, 0 where the answer does not say."""
    return int(answer.headers.get("x-pointsman-attempts", "0"))


async def in_parallel(count: int, one: Any) -> list[Answer]:
    """`one(index)` for so many requests at the same time."""
    return list(await asyncio.gather(*(one(index) for index in range(count))))


def error_of(answer: Answer) -> dict[str, Any]:
    """The error object of an answer, held to the shape that OpenAI's clients parse."""
    content_type = answer.headers.get("content-type", "")
    assert content_type.startswith("application/json"), f"{answer.status} {content_type}: {answer.body}"
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}, error
    assert error["message"], error
    assert error["type"], error
    return dict(error)


def object_key(name: str) -> ObjectKey:
    """The key of an object in the default namespace."""
    return key(name)
