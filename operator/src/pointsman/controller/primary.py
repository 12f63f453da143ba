"""kopf, embedded: it logs in, watches our own kinds, and every event is handed on. No decision is made here.

What of kopf is used is what it is good at: watches that come back by themselves, over one namespace or all.
Its stores, queues, timers and annotations are not: DESIGN and ARCHITECTURE say what they cost.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import aiohttp
import kopf

from pointsman.kube.credentials import Credentials
from pointsman.kube.objects import Kind, KubeObject

_LOGIN_MINUTES = 5
"""Tokens of service accounts live for an hour at least and are replaced after 80 % of it; a session that is
five minutes old still has a good one."""
_WATCH_SECONDS = 300
"""The API server ends a watch after 30 to 60 minutes; sooner, what was missed silently is found sooner."""
_SILENT_SECONDS = 70.0
"""A bookmark comes each minute: a watch that is silent for longer is dead."""
_CHUNK = 500
"""Objects in one piece of a list, as kubectl asks for."""

Seen = Callable[[Kind, KubeObject, bool], None]
"""Takes an object as it is now, or as it was last and True if it is gone. Must not wait."""


class PrimaryWatch:
    """The watch of some kinds. One lives in a process: kopf takes the signals that end it."""

    def __init__(
        self, credentials: Credentials, kinds: Sequence[Kind], namespaces: Sequence[str], seen: Seen
    ) -> None:
        """`namespaces`: those watched; all if there are none."""
        self._credentials = credentials
        self._namespaces = tuple(namespaces)
        self._registry = kopf.OperatorRegistry()
        kopf.on.login(registry=self._registry)(self._login)
        for kind in kinds:
            self._follow(kind, seen)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set, or until the process is asked to end."""
        # kopf.operator would wait five seconds for every task that began after it, and then end it: all of
        # ours, which have an order of their own in which to end.
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=_settings(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
        )
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()

    def _follow(self, kind: Kind, seen: Seen) -> None:
        # kopf calls its handlers with keywords of its own, and more in each release.
        async def hand_on(*, event: Any, **_: Any) -> None:
            seen(kind, event["object"], event["type"] == "DELETED")

        version = kind.api_version.rpartition("/")[2]
        kopf.on.event(kind.group, version, kind.plural, id=kind.plural, registry=self._registry)(hand_on)

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        access = await self._credentials.access()
        headers = {"Authorization": access.authorization} if access.authorization else {}
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=access.tls if access.tls is not None else True),
            headers=headers,
            proxy=access.proxy,
            middlewares=(_from_now_on,),
        )
        return kopf.AiohttpSession(
            server=access.server,
            aiohttp_session=session,
            expiration=datetime.now(UTC) + timedelta(minutes=_LOGIN_MINUTES),
        )


async def _from_now_on(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Begin a watch anew whose version the API server forgot, with all objects that there are.

    kopf does so where the watch itself says it, and ends the process at an answer that does. A watch without
    a version tells of each object first; what went meanwhile is found by comparing with a list.
    """
    answer = await handler(request)
    if answer.status != HTTPStatus.GONE or "watch" not in request.url.query:
        return answer
    answer.release()
    request.url = request.url.without_query_params("resourceVersion")
    answer = await handler(request)
    if answer.status == HTTPStatus.GONE:
        answer.release()
        # kopf comes back after this, later each time.
        raise aiohttp.ClientConnectionError("the API server says of every version that it is gone")
    return answer


class _NoDifferences(kopf.AnnotationsDiffBaseStorage):
    """kopf copies each object to find what changed since its handlers saw it: we have none that ask."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence({})


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = _WATCH_SECONDS
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = _SILENT_SECONDS
    settings.watching.chunk_size = _CHUNK
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.networking.enforce_retry_after = True
    # A worker of kopf waits for more events of its object before it ends.
    settings.queueing.idle_timeout = 1.0
    settings.queueing.exit_timeout = 1.0
    settings.process.ultimate_exiting_timeout = 10
    # Nothing of kopf's is ever written into an object; if a release began to, it would carry our name.
    settings.persistence.finalizer = "pointsman.dev/operator"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="pointsman.dev")
    settings.persistence.diffbase_storage = _NoDifferences(prefix="pointsman.dev")
    return settings
