"""What a node asks the API server for one pod. It asks until it is answered, as a kubelet does."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp

from tests.support.cluster.api_client import STRATEGIC, ApiClient, ApiError
from tests.support.cluster.process_node.environment import MissingReference, Sources
from tests.support.cluster.process_node.references import referenced
from tests.support.cluster.process_node.settings import NodeSettings

Json = dict[str, Any]

_AGAIN_SECONDS = 0.5
_TOKEN_RENEW_SHARE = 0.8
_TOO_MANY = 429


class PodApi:
    """The API server as one pod of the node needs it."""

    def __init__(self, client: ApiClient, pod: Json, settings: NodeSettings) -> None:
        metadata = pod["metadata"]
        self._client = client
        self._settings = settings
        self._name, self._namespace, self._uid = metadata["name"], metadata["namespace"], metadata["uid"]
        self._tokens: dict[tuple[str, int], tuple[str, float]] = {}

    async def sources(self, pod: Json) -> Sources:
        """The ConfigMaps and Secrets that it names and that there are."""
        config_maps, secrets = referenced(pod)
        settings = self._settings
        return Sources(
            await self._found("configmaps", config_maps),
            await self._found("secrets", secrets),
            {"cpu": settings.cpu, "memory": settings.memory, **settings.resources},
        )

    async def services(self, pod: Json) -> list[Json]:
        """Those that its containers hear of by variables."""
        if pod["spec"].get("enableServiceLinks") is False:
            return []
        listed = await self._ask("GET", self._path("services", ""))
        services: list[Json] = listed["items"]
        return services

    async def token(self, account: str, audience: str, seconds: int) -> str:
        """A token of its account, bound to it; kept until it is to be renewed. Raises MissingReference."""
        token, until = self._tokens.get((audience, seconds), ("", 0.0))
        if time.monotonic() < until:
            return token
        bound = {"apiVersion": "v1", "kind": "Pod", "name": self._name, "uid": self._uid}
        spec: Json = {"expirationSeconds": seconds, "boundObjectRef": bound}
        if audience:
            spec["audiences"] = [audience]
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            answer = await self._ask("POST", f"{self._path('serviceaccounts', account)}/token", request)
        except ApiError as error:
            raise MissingReference(f"failed to fetch token: {error.message}") from error
        token = answer["status"]["token"]
        self._tokens[audience, seconds] = (token, time.monotonic() + seconds * _TOKEN_RENEW_SHARE)
        return str(token)

    async def write_status(self, status: Json) -> None:
        """Nothing happens where the pod is gone, or another one has its name."""
        body = {"metadata": {"uid": self._uid}, "status": status}
        await self._unless_gone("PATCH", f"{self._path('pods', self._name)}/status", body, STRATEGIC)

    async def delete(self) -> None:
        """Tell that nothing of it runs: the API server may forget it."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._uid}}
        await self._unless_gone("DELETE", self._path("pods", self._name), body, "application/json")

    async def _found(self, plural: str, names: set[str]) -> dict[str, Json]:
        found = {}
        for name in sorted(names):
            try:
                found[name] = await self._ask("GET", self._path(plural, name))
            except ApiError as error:
                # A node may read an object once the API server has noticed that a pod of it refers to it.
                if error.status not in (403, 404):
                    raise
        return found

    async def _unless_gone(self, method: str, path: str, body: Json, content_type: str) -> None:
        while True:
            try:
                await self._ask(method, path, body, content_type)
                return
            except ApiError as error:
                if error.status in (404, 409, 422):
                    return
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _ask(
        self, method: str, path: str, body: Json | None = None, content_type: str = "application/json"
    ) -> Any:
        while True:
            try:
                return await self._client.request(method, path, body, content_type=content_type)
            except ApiError as error:
                if error.status < 500 and error.status != _TOO_MANY:
                    raise
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass  # it restarts, or is away
            await asyncio.sleep(_AGAIN_SECONDS)

    def _path(self, plural: str, name: str) -> str:
        return f"/api/v1/namespaces/{self._namespace}/{plural}/{name}".rstrip("/")
