"""The node: registers itself, keeps its Lease, follows the pods that are bound to it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import shutil
import tempfile
import traceback
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from tests.support.certificates import ServerCertificate
from tests.support.cluster.access import Access
from tests.support.cluster.api_client import STRATEGIC, ApiClient, ApiError
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node.api import NodeApi
from tests.support.cluster.process_node.container import Container, now
from tests.support.cluster.process_node.node_object import lease, node_object, node_status, pod_event
from tests.support.cluster.process_node.pod import Pod
from tests.support.cluster.process_node.pod_status import Ended
from tests.support.cluster.process_node.settings import NodeSettings

_AGAIN_SECONDS = 0.5
_WATCH_SECONDS = "300"
_DONE = ("Succeeded", "Failed")


class ProcessNode:
    """A node of the cluster as an async context manager. Leaving it ends every process and the Node object.

    Something that went wrong inside, such as a pod field that it does not know, is raised on leaving.
    """

    def __init__(
        self,
        access: Access,
        remover: Access,
        certificate: ServerCertificate,
        settings: NodeSettings,
        *,
        folder: Path | None = None,
    ) -> None:
        """`access` is a kubelet's; `remover` may delete the Node in the end, which a kubelet may not;
        `certificate` is that of the node's own API.
        """
        self.settings = settings
        self.images = list(settings.images)
        """May be changed while it runs: an image that is added is found at the next try to pull it."""
        self.pods: dict[str, Pod] = {}
        """The pods it has, by `namespace/name`."""
        self._access = access
        self._remover = remover
        self._client = ApiClient(access)
        self._given_folder = folder
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"pointsman-{settings.name}-"))
        self._by_uid: dict[str, Pod] = {}
        self._addresses = ipaddress.ip_network(settings.pod_network).hosts()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._told: set[tuple[str, str, str]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._heart: asyncio.Task[None] | None = None
        self._vanished = False
        self._api = NodeApi(certificate, access.authority_pem, self._find_log)

    @classmethod
    def of(
        cls, control_plane: ControlPlane, settings: NodeSettings, *, folder: Path | None = None
    ) -> ProcessNode:
        """A node that asks as a kubelet does: user `system:node:NAME` of the group `system:nodes`."""
        access = control_plane.access(f"system:node:{settings.name}", ("system:nodes",))
        certificate = control_plane.server_certificate(("127.0.0.1", settings.name))
        return cls(access, control_plane.access(), certificate, settings, folder=folder)

    # For tests.

    def pod(self, namespace: str, name: str) -> Pod:
        """A pod that it has. Raises KeyError."""
        return self.pods[f"{namespace}/{name}"]

    def container(self, namespace: str, pod: str, name: str) -> Container:
        """A container of a pod that it has."""
        return self.pod(namespace, pod).container(name)

    def log(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> str:
        """What a container wrote."""
        path = self.container(namespace, pod, container).log(previous=previous)
        return path.read_text(errors="replace") if path.exists() else ""

    def _find_log(self, namespace: str, name: str, container: str, previous: bool) -> Path | None:
        pod = self.pods.get(f"{namespace}/{name}")
        found = [one for one in (*pod.init, *pod.main) if one.name == container] if pod else []
        return found[0].log(previous=previous) if found else None

    def remove_image(self, pattern: str) -> None:
        """Have no image of that pattern any more; what runs goes on."""
        self.images[:] = [image for image in self.images if image.pattern != pattern]

    def evict(self, namespace: str, name: str, *, resource: str = "memory") -> None:
        """End a pod for lack of a resource, as a kubelet under pressure does: it stays, as Failed."""
        message = f"The node was low on resource: {resource}. "
        self.pod(namespace, name).end(0, Ended("Evicted", message, disrupted=True))

    def vanish(self) -> None:
        """Lose power: every process ends, nothing is written, and the Node object stays behind, silent."""
        self._vanished = True
        if self._heart is not None:
            self._heart.cancel()
        for task in self._tasks:
            task.cancel()
        for pod in self._by_uid.values():
            pod.kill()

    # Start and stop.

    async def __aenter__(self) -> ProcessNode:
        await self._client.__aenter__()
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        self._version = (await self._client.request("GET", "/version"))["gitVersion"]
        await self._api.start()
        await self._register()
        self._heart = asyncio.create_task(self._beat(), name=f"heart {self.settings.name}")
        self._start(self._follow_pods(), "pods")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        was_there = not self._vanished
        self.vanish()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if was_there:
            await self._remove()
        await self._api.stop()
        assert self._session is not None
        await self._session.close()
        await self._client.__aexit__(None, None, None)
        if self._given_folder is None:
            shutil.rmtree(self.folder)
        if error is None and self._failures:
            raise self._failures[0]

    async def _remove(self) -> None:
        async with ApiClient(self._remover) as remover:
            try:
                await remover.request("DELETE", f"/api/v1/nodes/{self.settings.name}")
            except ApiError as error:
                if error.status != 404:
                    raise
            except (aiohttp.ClientConnectionError, TimeoutError):
                pass  # the cluster is gone, and the Node with it

    async def _register(self) -> None:
        try:
            await self._client.request("POST", "/api/v1/nodes", node_object(self.settings))
        except ApiError as error:
            if error.status != 409:
                raise
        await self._renew()
        status = {"status": node_status(self.settings, self._version, now(), self._api.port)}
        path = f"/api/v1/nodes/{self.settings.name}/status"
        await self._client.request("PATCH", path, status, content_type=STRATEGIC)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_seconds)
            # A missed beat is made up for by the next one.
            with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
                await self._renew()

    async def _renew(self) -> None:
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        wanted = lease(self.settings, moment)
        try:
            await self._client.request(
                "PATCH", f"{leases}/{self.settings.name}", wanted, content_type=STRATEGIC
            )
        except ApiError as error:
            if error.status != 404:
                raise
            await self._client.request("POST", leases, wanted)

    def _start(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(coroutine, name=f"{self.settings.name} {name}")
        self._keep(task)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # At once, for those who wait for what will not come; and again on leaving.
            traceback.print_exception(error)
            self._failures.append(error)

    # Pods.

    async def _follow_pods(self) -> None:
        selector = {"fieldSelector": f"spec.nodeName={self.settings.name}"}
        while True:
            try:
                listed = await self._client.request("GET", "/api/v1/pods", parameters=selector)
                self._take_all(listed["items"])
                version = listed["metadata"]["resourceVersion"]
                while True:
                    version = await self._watch({**selector, "resourceVersion": version})
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError):
                # What was missed is seen in the next list.
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _watch(self, parameters: dict[str, str]) -> str:
        """Follow one watch to its end; returns where the next goes on."""
        asked = {**parameters, "allowWatchBookmarks": "true", "timeoutSeconds": _WATCH_SECONDS}
        version = parameters["resourceVersion"]
        async for event in self._client.watch("/api/v1/pods", asked):
            pod = event["object"]
            version = pod["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                self._forget(pod["metadata"]["uid"])
            elif event["type"] != "BOOKMARK":
                self._take(pod)
        return version

    def _take_all(self, pods: list[dict[str, Any]]) -> None:
        for pod in pods:
            self._take(pod)
        for uid in set(self._by_uid) - {pod["metadata"]["uid"] for pod in pods}:
            self._forget(uid)

    def _take(self, pod: dict[str, Any]) -> None:
        known = self._by_uid.get(pod["metadata"]["uid"])
        if known is not None:
            known.update(pod)
            return
        is_going = bool(pod["metadata"].get("deletionTimestamp"))
        if pod.get("status", {}).get("phase") in _DONE and not is_going:
            return
        metadata = pod["metadata"]
        folder = self.folder / "pods" / f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
        folder.mkdir(parents=True, exist_ok=True)
        assert self._session is not None
        taken = Pod(
            pod,
            self.settings,
            self.images,
            self.settings.api_server or self._access.server,
            self._client,
            self._session,
            folder,
            self.folder / "claims",
            self._next_address(),
            self._tell,
        )
        self._by_uid[taken.uid] = self.pods[taken.place] = taken
        task = taken.start()
        self._keep(task)
        task.add_done_callback(lambda _: self._drop(taken))
        if is_going:
            taken.update(pod)

    def _forget(self, uid: str) -> None:
        known = self._by_uid.get(uid)
        if known is not None:
            known.forget()

    def _drop(self, pod: Pod) -> None:
        self._by_uid.pop(pod.uid, None)
        if self.pods.get(pod.place) is pod:
            del self.pods[pod.place]

    def _next_address(self) -> str:
        try:
            return str(next(self._addresses))
        except StopIteration:  # all were given out once; the first are free again by now
            self._addresses = ipaddress.ip_network(self.settings.pod_network).hosts()
            return str(next(self._addresses))

    def _tell(self, pod: dict[str, Any], reason: str, message: str, warning: bool) -> None:
        """Record an event, once for each text: repetition says nothing here."""
        key = (pod["metadata"]["uid"], reason, message)
        if key not in self._told:
            self._told.add(key)
            event = pod_event(self.settings.name, pod, reason, message, warning=warning, now=now())
            self._start(self._post(event), "event")

    async def _post(self, event: dict[str, Any]) -> None:
        path = f"/api/v1/namespaces/{event['metadata']['namespace']}/events"
        # An event is worth no second try, as with a kubelet.
        with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
            await self._client.request("POST", path, event)
