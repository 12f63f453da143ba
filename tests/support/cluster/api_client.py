"""A Kubernetes client for tests and for the process node: paths, JSON, watches. Nothing is retried.

It is not the product's client on purpose: what a test checks with it must not share the product's mistakes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp

from tests.support.cluster.access import Access

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

_LINE_BYTES = 16 * 1024 * 1024  # an object is at most 1.5 MiB in etcd, and a watch line holds one


class ApiError(Exception):
    """The API server said no: `status` is the HTTP code, `reason` and `details` are those of its Status."""

    def __init__(self, status: int, answer: Any) -> None:
        fields = answer if isinstance(answer, dict) else {}
        self.status = status
        self.reason = str(fields.get("reason", ""))
        self.message = str(fields.get("message", answer))
        self.details: Json = fields.get("details") or {}
        super().__init__(f"{status} {self.reason}: {self.message}")


@dataclass(frozen=True)
class Resource:
    """A kind's place in the API's paths."""

    api_version: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of an object, a subresource, or of a collection (of all namespaces where it is empty)."""
        parts = ["/api" if "/" not in self.api_version else "/apis", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


class ApiClient:
    """Asks as one user. Use as an async context manager."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._resources: dict[tuple[str, str], Resource] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> ApiClient:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._access.tls_context(), limit=0),
            headers=self._access.headers(),
            timeout=aiohttp.ClientTimeout(total=60),
            read_bufsize=2**18,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        parameters: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON (or text, where it is none). Raises ApiError, and aiohttp.ClientError."""
        assert self._session is not None
        async with self._session.request(
            method,
            self._access.server + path,
            params=parameters,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content_type} if body is not None else None,
        ) as response:
            text = await response.text()
            answer = _parsed(text)
            if response.status >= 400:
                raise ApiError(response.status, answer)
            return answer

    async def watch(self, path: str, parameters: Mapping[str, str]) -> AsyncIterator[Json]:
        """Events until the server closes the watch. Raises ApiError, also for an event that is an error."""
        assert self._session is not None
        async with self._session.get(
            self._access.server + path,
            params={**parameters, "watch": "true"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        ) as response:
            if response.status >= 400:
                raise ApiError(response.status, _parsed(await response.text()))
            async for event in _lines(response.content):
                if event["type"] == "ERROR":
                    raise ApiError(int(event["object"].get("code", 500)), event["object"])
                yield event

    async def resource(self, api_version: str, kind: str) -> Resource:
        """Where objects of a kind are. Raises LookupError for a kind that the API server does not have."""
        found = self._resources.get((api_version, kind))
        if found is None:
            prefix = "/api" if "/" not in api_version else "/apis"
            listed = await self.request("GET", f"{prefix}/{api_version}")
            for row in listed["resources"]:
                if "/" not in row["name"]:
                    resource = Resource(api_version, row["name"], row["namespaced"])
                    self._resources[api_version, row["kind"]] = resource
            found = self._resources.get((api_version, kind))
        if found is None:
            raise LookupError(f"the API server has no {kind} in {api_version}")
        return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[Json]:
    kept = bytearray()
    async for piece in stream.iter_any():
        kept += piece
        if len(kept) > _LINE_BYTES:
            raise ValueError("a line of a watch is longer than any object can be")
        *whole, rest = kept.split(b"\n")
        kept = bytearray(rest)
        for line in whole:
            if line.strip():
                yield json.loads(line)
