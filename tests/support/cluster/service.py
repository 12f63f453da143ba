"""A Service without a kube-proxy: clients that pick a ready pod for each new connection, as its rules do."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter
from contextlib import suppress
from types import TracebackType

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.support.cluster.access import Access
from tests.support.cluster.api_client import ApiClient, ApiError, Json

HOST = "service.localhost"
"""What clients connect to; the resolver has the address for it."""

_AGAIN_SECONDS = 0.1


class Service(AbstractResolver):
    """Follows the EndpointSlices of a Service. Use as an async context manager, on the loop of its clients.

    `lag_seconds`: what changed is acted upon so much later, as on a node whose kube-proxy lags behind.
    """

    def __init__(self, access: Access, namespace: str, name: str) -> None:
        self.lag_seconds = 0.0
        self.connections: Counter[str] = Counter()
        """New connections by address."""
        self._client = ApiClient(access)
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._labels = f"kubernetes.io/service-name={name}"
        self._slices: dict[str, Json] = {}
        self._known: list[tuple[float, tuple[str, ...]]] = [(0.0, ())]
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Service:
        await self._client.__aenter__()
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        await self._client.__aexit__(None, None, None)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that new connections may go to now."""
        now = time.monotonic()
        due = [addresses for at, addresses in self._known if at <= now - self.lag_seconds]
        return due[-1] if due else self._known[0][1]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """One address for one connection. Raises OSError where the Service has none."""
        if not self.addresses:
            raise OSError(f"{host} has no endpoint")
        picked = random.choice(self.addresses)
        self.connections[picked] += 1
        return [
            ResolveResult(
                hostname=host,
                host=picked,
                port=port,
                family=socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Of a client's connector: others go on."""

    async def _follow(self) -> None:
        while True:
            with suppress(ApiError, aiohttp.ClientError):
                listed = await self._client.request(
                    "GET", self._path, parameters={"labelSelector": self._labels}
                )
                self._slices = {one["metadata"]["name"]: one for one in listed["items"]}
                self._note()
                version = listed["metadata"]["resourceVersion"]
                asked = {"labelSelector": self._labels, "resourceVersion": version}
                async for event in self._client.watch(self._path, asked):
                    self._take(event)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _take(self, event: Json) -> None:
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            self._slices.pop(name, None)
        else:
            self._slices[name] = event["object"]
        self._note()

    def _note(self) -> None:
        endpoints = [one for found in self._slices.values() for one in found["endpoints"] or ()]
        ready = [one for one in endpoints if one["conditions"].get("ready") is not False]
        # With none that is ready, kube-proxy takes those that end and still serve.
        chosen = ready or [one for one in endpoints if one["conditions"].get("serving")]
        addresses = tuple(sorted({one["addresses"][0] for one in chosen}))
        if addresses != self._known[-1][1]:
            self._known.append((time.monotonic(), addresses))
