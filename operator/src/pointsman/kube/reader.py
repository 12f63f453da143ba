"""The Reader port over a connection."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pointsman.api.meta import ObjectKey
from pointsman.kube.connection import Connection
from pointsman.kube.errors import Interrupted, KindNotServed, NotFound, from_status
from pointsman.kube.lines import JsonLines
from pointsman.kube.objects import Kind, KubeObject
from pointsman.kube.ports import CHUNK, Change, Chunk, Selection, WatchEvent


class KubeReader:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, kind: Kind, key: ObjectKey) -> KubeObject | None:
        try:
            found: KubeObject = await self._connection.request("GET", kind.path(key))
        except KindNotServed:
            raise
        except NotFound:
            return None
        return found

    async def list(self, selection: Selection) -> tuple[KubeObject, ...]:
        async with aclosing(self.chunks(selection)) as chunks:
            return tuple([obj async for chunk in chunks for obj in chunk.items])

    async def chunks(self, selection: Selection, size: int = CHUNK) -> AsyncGenerator[Chunk, None]:
        kind = selection.kind
        query: dict[str, str | int] = {"limit": size, **_selectors(selection)}
        while True:
            answer: dict[str, Any] = await self._connection.request(
                "GET", kind.collection(selection.namespace), query=query
            )
            items: list[dict[str, Any]] = answer.get("items") or []
            for item in items:
                # The API server leaves out of a list what the list says for all.
                item["apiVersion"] = kind.api_version
                item["kind"] = kind.kind
            yield Chunk(tuple(items), str(answer["metadata"]["resourceVersion"]))
            rest = answer["metadata"].get("continue")
            if not rest:
                return
            query["continue"] = rest

    async def watch(
        self, selection: Selection, resource_version: str, timeout_seconds: int
    ) -> AsyncGenerator[WatchEvent, None]:
        path = selection.kind.collection(selection.namespace)
        query: dict[str, str | int] = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": timeout_seconds,
            **_selectors(selection),
        }
        lines = JsonLines()
        async with self._connection.stream(path, query) as parts:
            # The server has accepted the watch; the first bookmark of its own comes a minute later.
            yield WatchEvent(Change.BOOKMARK, {"metadata": {"resourceVersion": resource_version}})
            async for part in parts:
                try:
                    for line in lines.feed(part):
                        yield _event(line, path)
                except ValueError as error:
                    raise Interrupted(f"a line of the watch is not JSON: {error}", where=path) from error
        if lines.is_within_a_line:
            raise Interrupted("the watch ended in the middle of a line", where=path)


def _event(line: dict[str, Any], path: str) -> WatchEvent:
    if line["type"] == "ERROR":
        raise from_status(line["object"], code=500, where=path)
    return WatchEvent(Change(line["type"]), line["object"])


def _selectors(selection: Selection) -> dict[str, str]:
    chosen = {"labelSelector": selection.labels, "fieldSelector": selection.fields}
    return {name: text for name, text in chosen.items() if text}
