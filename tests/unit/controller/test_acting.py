"""A plan meets what the API server says to it: refusals, and names that are another object's by now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from pointsman.api import ObjectKey
from pointsman.controller.acting import MANAGER, Actor, Blocked
from pointsman.controller.children import Children
from pointsman.controller.plan import Announcement, Doomed, Plan, Trimmed
from pointsman.controller.primaries import Primaries
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Access
from pointsman.kube.made import maker
from pointsman.kube.objects import MODEL_DEPLOYMENT, KubeObject, kind_of
from pointsman.kube.reader import KubeReader
from pointsman.kube.writer import KubeWriter
from tests.support.ports import free_port

Json = dict[str, Any]
Answer = Callable[[web.Request], Awaitable[web.Response]]
CHAT = ObjectKey("models", "chat")
SERVICE: Json = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "chat",
        "namespace": "models",
        "labels": {"pointsman.dev/deployment": "chat"},
    },
}
STATUS: Json = {
    "apiVersion": MODEL_DEPLOYMENT.api_version,
    "kind": "ModelDeployment",
    "metadata": {"name": "chat", "namespace": "models"},
    "status": {"replicas": 1},
}


def chat(uid: str, version: int) -> Json:
    meta = {"name": "chat", "namespace": "models", "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": MODEL_DEPLOYMENT.api_version, "kind": "ModelDeployment", "metadata": meta}


def status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


class _Address:
    def __init__(self, server: str) -> None:
        self._access = Access(server, None)

    async def access(self) -> Access:
        return self._access

    def refuse(self) -> None: ...


class Scene:
    """An actor, what it knows, and which statuses it wrote."""

    def __init__(self, connection: Connection, statuses: list[Json], *, each_alone: bool = False) -> None:
        self.statuses = statuses
        self.announced: list[Announcement] = []
        self.primaries = Primaries(MODEL_DEPLOYMENT, lambda _: None)
        self.primaries.saw(chat("one", 5), False)
        children = Children(lambda _: None)
        reader, writer = KubeReader(connection), KubeWriter(connection)
        self.actor = Actor(reader, writer, children, self._announce, each_alone=each_alone)

    def _announce(self, about: KubeObject, said: Announcement) -> None:
        self.announced.append(said)

    async def act(self, plan: Plan) -> bool:
        return await self.actor.act(plan, CHAT, self.primaries)


@asynccontextmanager
async def scene(
    service: Answer, *, read: Answer | None = None, each_alone: bool = False
) -> AsyncIterator[Scene]:
    """An API server that answers to the making of the Service as `service` does, to its reading as `read`
    does, and takes every status.
    """
    statuses: list[Json] = []

    async def status_written(request: web.Request) -> web.Response:
        statuses.append(await request.json())
        return web.json_response(statuses[-1])

    app = web.Application()
    app.router.add_post("/api/v1/namespaces/models/services", service)
    if read is not None:
        app.router.add_get("/api/v1/namespaces/models/services/chat", read)
    app.router.add_delete("/api/v1/namespaces/models/services/{name}", service)
    app.router.add_patch("/api/v1/namespaces/models/services/{name}", service)
    app.router.add_patch(
        f"/apis/{MODEL_DEPLOYMENT.api_version}/namespaces/models/modeldeployments/chat/status", status_written
    )
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with Connection(_Address(f"http://127.0.0.1:{port}")) as connection:
            yield Scene(connection, statuses, each_alone=each_alone)
    finally:
        await runner.cleanup()


async def test_a_refusal_that_says_something_else_each_time_is_not_tried_again_at_once() -> None:
    asked = 0

    async def refuse(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return status(403, f"denied, see request {asked}")

    async with scene(refuse) as it:
        plan = Plan(apply=(SERVICE,), status=STATUS)
        assert await it.act(plan)  # it began: the next look says it
        for _ in range(3):
            with pytest.raises(Blocked):  # and is tried again later each time
                await it.act(plan)
        obstacle = it.actor.obstacle(CHAT)
        assert obstacle is not None
        assert obstacle.message == "Service chat: denied, see request 4"


async def test_an_object_that_is_too_large_is_refused_and_not_tried_for_ever() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return status(413, "Request entity too large: limit is 3145728")

    async with scene(refuse) as it:
        assert await it.act(Plan(apply=(SERVICE,), status=STATUS))
        obstacle = it.actor.obstacle(CHAT)
        assert obstacle is not None
        assert obstacle.reason == "Refused"


async def test_a_status_is_not_written_to_an_object_that_came_while_children_were_written() -> None:
    replaced: list[Callable[[], object]] = []

    async def take(request: web.Request) -> web.Response:
        for each in replaced:
            each()
        written = await request.json()
        written["metadata"]["uid"] = "child"
        return web.json_response(written)

    async with scene(take) as it:
        replaced.append(lambda: it.primaries.saw(chat("two", 9), False))
        await it.act(Plan(apply=(SERVICE,), status=STATUS))
        assert it.statuses == []


async def test_a_refusal_is_announced_once_its_status_says_it() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return status(403, "no Services here")

    async with scene(refuse) as it:
        await it.act(Plan(apply=(SERVICE,), status=STATUS, announcements=(Announcement("Starting", ""),)))
        assert it.announced == []
        refused = Announcement("Refused", "no Services here", is_warning=True)
        with pytest.raises(Blocked):
            await it.act(Plan(apply=(SERVICE,), status=STATUS, announcements=(refused,)))
        assert (len(it.statuses), it.announced) == (1, [refused])


async def test_a_long_refusal_is_said_in_short() -> None:
    """A status with a message of any length would be refused itself, and never be written."""

    async def refuse(_: web.Request) -> web.Response:
        return status(403, "no " * 20_000)

    async with scene(refuse) as it:
        await it.act(Plan(apply=(SERVICE,), status=STATUS))
        obstacle = it.actor.obstacle(CHAT)
        assert obstacle is not None
        assert len(obstacle.message) < 2048


def there(manager: str) -> Json:
    entry = {"manager": manager, "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": OWNED}}}
    meta = {**SERVICE["metadata"], "uid": "child", "resourceVersion": "1", "managedFields": [entry]}
    return {**SERVICE, "metadata": meta}


OWNED: Json = {".": {}, "f:pointsman.dev/deployment": {}}


@pytest.mark.parametrize(
    ("manager", "reason"),
    [(maker(MANAGER, SERVICE), ""), ("kubectl", "NameTaken")],
    ids=["ours, of which the answer was lost", "somebody else's"],
)
async def test_what_is_there_already_is_ours_or_left_alone(manager: str, reason: str) -> None:
    """Nothing but the status is written: a patch of the Service would find no way."""

    async def exists(_: web.Request) -> web.Response:
        body = {"kind": "Status", "code": 409, "reason": "AlreadyExists", "message": "services chat exists"}
        return web.json_response(body, status=409)

    async def read(_: web.Request) -> web.Response:
        return web.json_response(there(manager))

    async with scene(exists, read=read) as it:
        assert await it.act(Plan(apply=(SERVICE,), status=STATUS)) is bool(reason)
        obstacle = it.actor.obstacle(CHAT)
        assert (obstacle.reason if obstacle else "") == reason
        assert len(it.statuses) == (0 if reason else 1)


async def test_children_that_stand_alone_are_written_though_one_is_refused() -> None:
    """What is to go goes once nothing else is refused than before: what replaces it is there."""
    asked: list[tuple[str, str]] = []

    async def service(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            asked.append((request.method, request.match_info["name"]))
            return web.json_response({"kind": "Status", "status": "Success"})
        name = (await request.json())["metadata"]["name"]
        asked.append((request.method, name))
        if name == "chat":
            return status(422, "spec.expression: Invalid value")
        return web.json_response({**await request.json(), "metadata": {**other["metadata"], "uid": "2"}})

    other = {**SERVICE, "metadata": {**SERVICE["metadata"], "name": "other"}}
    former = Doomed(kind_of(SERVICE), ObjectKey("models", "former"), "3")
    async with scene(service, each_alone=True) as it:
        plan = Plan(apply=(SERVICE, other), delete=(former,), status=STATUS)

        assert await it.act(plan)
        assert asked == [("POST", "chat"), ("POST", "other")]
        assert it.actor.invalid(CHAT) == {"chat"}

        with pytest.raises(Blocked):
            await it.act(plan)
        assert asked[2][1] == "chat"
        assert asked[-1] == ("DELETE", "former")
        assert len(it.statuses) == 1


async def test_what_others_added_goes_after_what_needs_it_is_written_anew() -> None:
    """A native policy's rules may use variables that are to go: to take those out first is refused."""
    asked: list[str] = []

    async def service(request: web.Request) -> web.Response:
        asked.append(request.method)
        if asked == ["PATCH"]:
            return status(422, "undefined field 'variables.x'")
        return web.json_response({**SERVICE, "metadata": {**SERVICE["metadata"], "uid": "1"}})

    trim = Trimmed(kind_of(SERVICE), CHAT, {"spec": {"variables": None}})
    async with scene(service, each_alone=True) as it:
        await it.act(Plan(apply=(SERVICE,), trim=(trim,), status=STATUS))

    assert asked == ["PATCH", "POST", "PATCH"]


async def test_what_others_added_and_may_not_be_taken_out_is_said_and_holds_up_nothing_else() -> None:
    asked: list[str] = []

    async def service(request: web.Request) -> web.Response:
        asked.append(request.method)
        if request.method == "PATCH":
            return status(403, "no patches here")
        return web.json_response({**SERVICE, "metadata": {**SERVICE["metadata"], "uid": "1"}})

    trim = Trimmed(kind_of(SERVICE), CHAT, {"spec": {"variables": None}})
    async with scene(service, each_alone=True) as it:
        assert await it.act(Plan(apply=(SERVICE,), trim=(trim,), status=STATUS))
        obstacle = it.actor.obstacle(CHAT)

    assert "POST" in asked
    assert obstacle is not None
    assert (obstacle.reason, obstacle.message) == ("Refused", "Service chat: no patches here")
