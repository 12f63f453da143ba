"""One pod on the node: its volumes, its containers in their order, its status, its end."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from tests.support.cluster.access import account_kubeconfig
from tests.support.cluster.api_client import ApiClient, ApiError
from tests.support.cluster.process_node.container import Container, now
from tests.support.cluster.process_node.environment import MissingReference, Sources
from tests.support.cluster.process_node.images import Image
from tests.support.cluster.process_node.pod_api import PodApi
from tests.support.cluster.process_node.pod_status import Ended, PodPicture, is_sidecar, status
from tests.support.cluster.process_node.settings import NodeSettings
from tests.support.cluster.process_node.volumes import Places, make_volumes, wanted_tokens

HOST_ADDRESS = "127.0.0.1"

_TOGETHER_SECONDS = 0.01  # changes of several containers at one moment are one write
_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_FORGOTTEN_GRACE_SECONDS = 1.0


class Pod:
    """Lives from the moment that the node sees it until its processes are gone and the API knows."""

    def __init__(
        self,
        pod: dict[str, Any],
        settings: NodeSettings,
        images: Sequence[Image],
        server: str,
        client: ApiClient,
        session: aiohttp.ClientSession,
        folder: Path,
        claims: Path,
        address: str,
        tell: Callable[[dict[str, Any], str, str, bool], None],
    ) -> None:
        self.pod = pod
        self.settings = settings
        self.images = images
        self._server = URL(server)
        self.session = session
        self.folder = folder
        self.address = address
        self.places = Places(folder / "volumes", claims, settings.image_volumes)
        self._api = PodApi(client, pod, settings)
        self._tell = tell
        self._start_time = pod.get("status", {}).get("startTime") or now()
        self._has_sandbox = False
        self._ended: Ended | None = None
        self._written: dict[str, Any] = {}
        self._dirty = asyncio.Event()
        self._writing = asyncio.Lock()
        self._stop = asyncio.Event()
        self._deleted = asyncio.Event()
        self._grace_seconds = float(pod["spec"].get("terminationGracePeriodSeconds", 30))
        policy = pod["spec"].get("restartPolicy", "Always")
        before = _restart_counts(pod)
        self.init = [
            Container(
                self,
                spec,
                "Always" if is_sidecar(spec) else "OnFailure" if policy == "Always" else policy,
                before.get(spec["name"], 0),
            )
            for spec in pod["spec"].get("initContainers", ())
        ]
        self.main = [
            Container(self, spec, policy, before.get(spec["name"], 0)) for spec in pod["spec"]["containers"]
        ]
        reason = "PodInitializing" if self.init else "ContainerCreating"
        for container in (*self.init, *self.main):
            container.state = container.state.waits(reason)
        self._task: asyncio.Task[None] | None = None

    # From the node.

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def place(self) -> str:
        return f"{self.pod['metadata']['namespace']}/{self.pod['metadata']['name']}"

    def container(self, name: str) -> Container:
        """A container by its name, init containers too. Raises KeyError."""
        return {one.name: one for one in (*self.init, *self.main)}[name]

    def start(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run(), name=f"pod {self.place}")
        return self._task

    def update(self, pod: dict[str, Any]) -> None:
        """The API has another version of it; a deletion ends it."""
        self.pod = pod
        self._dirty.set()
        if pod["metadata"].get("deletionTimestamp"):
            self._deleted.set()
            self.end(float(pod["metadata"].get("deletionGracePeriodSeconds", 0)))

    def forget(self) -> None:
        """The API has it no more: it was deleted without waiting for us, or with its node."""
        self._deleted.set()
        self.end(_FORGOTTEN_GRACE_SECONDS)

    def end(self, grace_seconds: float, ended: Ended | None = None) -> None:
        """End it, for a reason of the node's own where `ended` says one; then it stays as Failed."""
        if not self._stop.is_set():
            self._ended = ended
        self._grace_seconds = grace_seconds
        self._stop.set()

    def kill(self) -> None:
        """End it as a machine that loses power does: nothing is written."""
        for container in (*self.init, *self.main):
            container.kill()
        if self._task is not None:
            self._task.cancel()

    # For its containers.

    def described(self) -> dict[str, Any]:
        """The pod with its addresses, which the API may not have yet."""
        addresses = {"podIP": self.address, "podIPs": [{"ip": self.address}], "hostIP": HOST_ADDRESS}
        return {**self.pod, "status": {**self.pod.get("status", {}), **addresses}}

    async def sources(self) -> Sources:
        return await self._api.sources(self.pod)

    async def services(self) -> list[dict[str, Any]]:
        return await self._api.services(self.pod)

    def api_environment(
        self, container: Mapping[str, Any], folder: Path, paths: Mapping[str, str] | None
    ) -> dict[str, str]:
        """How a container finds the API server.

        Where its volumes are not at their `paths`, by a kubeconfig that says where the account's token is.
        """
        host, port = str(self._server.host), str(self._server.port)
        found = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        account = None if paths is None else paths.get(_ACCOUNT_PATH)
        if account is None:
            return found
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(account_kubeconfig(str(self._server), account))
        return {**found, "KUBECONFIG": str(kubeconfig)}

    def changed(self) -> None:
        self._dirty.set()

    def event(self, reason: str, message: str, *, warning: bool = True) -> None:
        self._tell(self.pod, reason, message, warning)

    # Its life.

    async def _run(self) -> None:
        living = asyncio.create_task(self._live(), name=f"life {self.place}")
        stopping = asyncio.create_task(self._stop.wait())
        others = [asyncio.create_task(self._write_changes()), asyncio.create_task(self._refresh_volumes())]
        try:
            await asyncio.wait([living, stopping], return_when=asyncio.FIRST_COMPLETED)
            if living.done():
                living.result()  # raises what went wrong
                others.pop().cancel()
                await self._write_status()
                await stopping
            living.cancel()
            await self._end_containers(self._grace_seconds)
            await self._write_status()
            await self._deleted.wait()
            await self._api.delete()
        finally:
            for task in (living, stopping, *others):
                task.cancel()
            shutil.rmtree(self.places.pod, ignore_errors=True)

    async def _live(self) -> None:
        self._dirty.set()
        await self._prepare_volumes()
        self._has_sandbox = True
        for container in self.init:
            task = container.start()
            if is_sidecar(container.spec):
                await container.began.wait()
            else:
                await _over([task])
                if container.state.exit_code != 0:
                    await self._end_sidecars(time.monotonic() + self._grace_seconds)
                    return
        await _over([container.start() for container in self.main])
        await self._end_sidecars(time.monotonic() + self._grace_seconds)

    async def _prepare_volumes(self) -> None:
        while True:
            try:
                await self._make_volumes()
                return
            except MissingReference as missing:
                self.event("FailedMount", f"MountVolume.SetUp failed: {missing}")
                await asyncio.sleep(self.settings.resync_seconds)

    async def _make_volumes(self) -> None:
        account = self.pod["spec"].get("serviceAccountName", "default")
        tokens = {wanted: await self._api.token(account, *wanted) for wanted in wanted_tokens(self.pod)}
        make_volumes(self.described(), self.places, await self.sources(), tokens)

    async def _refresh_volumes(self) -> None:
        """Write changed ConfigMaps, Secrets and tokens into the volumes, as often as the node looks."""
        while True:
            await asyncio.sleep(self.settings.resync_seconds)
            if self._has_sandbox:
                # What has been deleted since stays as it was.
                with contextlib.suppress(MissingReference, ApiError):
                    await self._make_volumes()

    async def _end_containers(self, grace_seconds: float) -> None:
        """Main containers together, then sidecars in the reverse of their order."""
        deadline = time.monotonic() + grace_seconds
        plain = [one for one in self.init if not is_sidecar(one.spec)]
        await asyncio.gather(*(one.stop(grace_seconds) for one in (*plain, *self.main)))
        await self._end_sidecars(deadline)

    async def _end_sidecars(self, deadline: float) -> None:
        for container in reversed(self.init):
            if is_sidecar(container.spec):
                await container.stop(max(0.0, deadline - time.monotonic()))

    # What the API is told.

    def _picture(self) -> dict[str, Any]:
        # What we wrote last may not have come back yet.
        known = (*self.pod.get("status", {}).get("conditions", ()), *self._written.get("conditions", ()))
        return status(
            PodPicture(
                spec=self.pod["spec"],
                generation=self.pod["metadata"].get("generation", 0),
                conditions=list({condition["type"]: condition for condition in known}.values()),
                init=[one.state for one in self.init],
                main=[one.state for one in self.main],
                address=self.address if self._has_sandbox else "",
                host_address=HOST_ADDRESS,
                start_time=self._start_time,
                now=now(),
                ended=self._ended,
            )
        )

    async def _write_changes(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_TOGETHER_SECONDS)
            await self._write_status()

    async def _write_status(self) -> None:
        """Write what has changed; one write at a time, so that an older one never comes last."""
        async with self._writing:
            self._dirty.clear()
            wanted = self._picture()
            if _lasting(wanted) != _lasting(self._written):
                await self._api.write_status(wanted)
                self._written = wanted


async def _over(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for tasks without cancelling them when the wait is; raises what one of them raised."""
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


def _restart_counts(pod: dict[str, Any]) -> dict[str, int]:
    """Of containers that ran under a former node program: what it ran is gone, so each starts once more."""
    found = pod.get("status", {})
    statuses = (*found.get("initContainerStatuses", ()), *found.get("containerStatuses", ()))
    return {one["name"]: one["restartCount"] + 1 for one in statuses if one.get("containerID")}


def _lasting(written: dict[str, Any]) -> dict[str, Any]:
    """A status without the times that change by being written."""
    conditions = [
        {key: value for key, value in condition.items() if key != "lastTransitionTime"}
        for condition in written.get("conditions", ())
    ]
    return {**written, "conditions": conditions}
