"""One container of a pod: pulled, configured, started, probed, ended, and started again by its policy."""

from __future__ import annotations

import asyncio
import datetime
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiohttp

from tests.support.cluster.process_node import mounts
from tests.support.cluster.process_node.actions import ActionFailed, Inside, act
from tests.support.cluster.process_node.container_state import ContainerState
from tests.support.cluster.process_node.environment import (
    Json,
    MissingReference,
    Sources,
    container_environment,
    expand,
    service_environment,
)
from tests.support.cluster.process_node.images import Image, find_image
from tests.support.cluster.process_node.probes import watch_health
from tests.support.cluster.process_node.process import ContainerProcess
from tests.support.cluster.process_node.settings import NodeSettings
from tests.support.cluster.process_node.translation import Translation
from tests.support.cluster.process_node.volumes import Places, mount_paths

_Found = TypeVar("_Found")

# What a container has of this machine's environment. Nothing of the tests' own may reach it unsaid.
_PASSED = ("PATH", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_LEAST_GRACE_SECONDS = 2.0  # a kubelet gives it after a preStop hook that took all
_MESSAGE_BYTES = 4096
_LOG_MESSAGE_BYTES = 2048
_STABLE_FACTOR = 2  # who ran so many times the longest back-off starts from the shortest again


class Around(Protocol):
    """The pod that a container is in."""

    pod: dict[str, Any]
    settings: NodeSettings
    images: Sequence[Image]
    folder: Path
    places: Places
    address: str
    session: aiohttp.ClientSession

    def described(self) -> dict[str, Any]: ...
    async def sources(self) -> Sources: ...
    async def services(self) -> Sequence[Json]: ...
    def api_environment(
        self, container: Mapping[str, Any], folder: Path, paths: Mapping[str, str] | None
    ) -> dict[str, str]: ...
    def changed(self) -> None: ...
    def event(self, reason: str, message: str, *, warning: bool = True) -> None: ...


def now() -> str:
    """The time as the API writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Container:
    """Runs by its policy (`Always`, `OnFailure`, `Never`) until it has ended for good, or is stopped."""

    def __init__(self, around: Around, spec: Mapping[str, Any], policy: str, restart_count: int = 0) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.state = ContainerState(self.name, spec["image"], restart_count=restart_count)
        self.began = asyncio.Event()
        """Set while it has started in the sense of its startup probe."""
        self._around = around
        self._policy = policy
        self._process: ContainerProcess | None = None
        self._inside: Inside | None = None
        self._stopping = False
        self._out_of_memory = False
        self._task: asyncio.Task[None] | None = None
        self._folder: Path = around.folder / "containers" / self.name
        self._runs = 0

    # From outside.

    def start(self) -> asyncio.Task[None]:
        """Begin; the task is over when the container has ended for good."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._task = asyncio.create_task(self._run(), name=f"container {self.name}")
        return self._task

    async def stop(self, grace_seconds: float) -> None:
        """preStop, SIGTERM, and kill -9 when the grace is over. It is not started again."""
        self._stopping = True
        if self._task is None or self._task.done():
            return
        if self._process is not None and self._process.is_running:
            await self._terminate(grace_seconds)
        else:
            self._task.cancel()
        await asyncio.wait([self._task])

    def kill(self) -> None:
        """End it as a machine that loses power does."""
        self._stopping = True
        if self._process is not None:
            self._process.kill()
        if self._task is not None:
            self._task.cancel()

    def out_of_memory(self) -> None:
        """kill -9, and say that it was for its memory."""
        self._out_of_memory = True
        assert self._process is not None, f"{self.name} does not run"
        self._process.kill()

    def log(self, *, previous: bool = False) -> Path:
        """The log of its run, or of the one before."""
        return self._folder.joinpath(f"{self.state.restart_count - previous}.log")

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    # Its life.

    def _set(self, state: ContainerState) -> None:
        if state != self.state:
            self.state = state
            self._around.changed()

    async def _run(self) -> None:
        crashes = 0
        while True:
            image = await self._pulled()
            command, inside = await self._configured(image)
            began = time.monotonic()
            await self._once(command, inside, image)
            if self._stopping or not self._is_to_restart():
                return
            longest = self._around.settings.restart_backoff_most_seconds
            crashes = 1 if time.monotonic() - began > _STABLE_FACTOR * longest else crashes + 1
            await self._back_off(crashes)
            self._set(replace(self.state, restart_count=self.state.restart_count + 1))

    def _is_to_restart(self) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and self.state.exit_code != 0)

    async def _back_off(self, crashes: int) -> None:
        """The first restart is at once; from the second on it takes longer each time."""
        settings = self._around.settings
        if crashes < 2:
            return
        seconds = min(
            settings.restart_backoff_seconds * 2 ** (crashes - 2), settings.restart_backoff_most_seconds
        )
        metadata = self._around.pod["metadata"]
        pod = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        message = f"back-off {seconds:g}s restarting failed container={self.name} pod={pod}"
        self._set(self.state.waits("CrashLoopBackOff", message))
        self._around.event("BackOff", f"Back-off restarting failed container {self.name} in pod {pod}")
        await asyncio.sleep(seconds)

    async def _pulled(self) -> Image:
        around, reference = self._around, self.state.image
        mounted = {mount["name"] for mount in self.spec.get("volumeMounts", ())}
        for volume in around.pod["spec"].get("volumes", ()):
            if "image" in volume and volume["name"] in mounted:
                held = volume["image"]["reference"]
                await self._until_there(held, partial(around.places.images.get, held))
        return await self._until_there(reference, lambda: find_image(around.images, reference))

    async def _until_there(self, reference: str, find: Callable[[], _Found | None]) -> _Found:
        """Pull an image, its own or one of a volume: a kubelet says of both the same."""
        settings, tries = self._around.settings, 0
        while (found := find()) is None:
            failure = f'failed to pull and unpack image "{reference}": {reference}: not found'
            self._set(self.state.waits("ErrImagePull", failure))
            self._around.event("Failed", f'Failed to pull image "{reference}": {failure}')
            await asyncio.sleep(min(1.0, settings.pull_backoff_seconds / 2))
            self._set(
                self.state.waits(
                    "ImagePullBackOff", f'Back-off pulling image "{reference}": ErrImagePull: {failure}'
                )
            )
            self._around.event("BackOff", f'Back-off pulling image "{reference}"', warning=False)
            await asyncio.sleep(
                min(settings.pull_backoff_seconds * 2**tries, settings.restart_backoff_most_seconds)
            )
            tries += 1
        return found

    async def _configured(self, image: Image) -> tuple[list[str], Inside]:
        while True:
            try:
                return await self._configuration(image)
            except MissingReference as missing:
                self._set(self.state.waits("CreateContainerConfigError", str(missing)))
                self._around.event("Failed", f"Error: {missing}")
                await asyncio.sleep(self._around.settings.resync_seconds)

    async def _configuration(self, image: Image) -> tuple[list[str], Inside]:
        around = self._around
        sources = await around.sources()
        paths = mount_paths(around.pod, self.spec, around.places)
        paths[self._message_path] = str(self._message_file)
        self._message_file.touch()
        is_mounted = around.settings.mounts == "namespace" or (
            around.settings.mounts == "auto" and mounts.are_allowed()
        )
        prefix = mounts.mounting(paths, self._folder) if is_mounted else []
        translation = Translation({} if is_mounted else paths, around.address)
        stated = container_environment(around.described(), self.spec, sources)
        links = service_environment(await around.services())
        scratch = self._folder / "tmp"
        scratch.mkdir(exist_ok=True)
        environment = {
            **{name: os.environ[name] for name in _PASSED if name in os.environ},
            "HOME": str(scratch),
            "TMPDIR": translation.text("/tmp") if "/tmp" in paths else str(scratch),
            "HOSTNAME": around.pod["metadata"]["name"],
            "PROCESS_NODE_POD_IP": around.address,
            "PROCESS_NODE_IMAGE": self.state.image,
            **around.api_environment(self.spec, self._folder, None if is_mounted else paths),
            **around.settings.environment,
            **image.environment,
            **{name: text for name, text in links.items() if not name.startswith("KUBERNETES_")},
            **{name: translation.text(text) for name, text in stated.items()},
        }
        command = [expand(word, stated) for word in self.spec.get("command", ())]
        arguments = [expand(word, stated) for word in self.spec.get("args", ())]
        started = image.command(translation.texts(command), translation.texts(arguments))
        ports = {port["name"]: port["containerPort"] for port in self.spec.get("ports", ()) if "name" in port}
        inside = Inside(
            around.address, ports, environment, translation, self._folder, tuple(prefix), around.session
        )
        return [*prefix, *started], inside

    async def _once(self, command: list[str], inside: Inside, image: Image) -> None:
        self._message_file.write_bytes(b"")
        started_at = now()
        self._runs += 1
        process = await ContainerProcess.start(command, inside.environment, self._folder, self.log())
        self._process, self._inside = process, inside
        container_id = f"process://{self._around.pod['metadata']['uid']}-{self.name}-{self._runs}"
        self._set(self.state.runs(started_at, container_id, f"{image.pattern}@{self.state.image}"))
        health = asyncio.create_task(self._health(inside), name=f"health {self.name}")
        try:
            await process.ended()
        finally:
            health.cancel()
            process.kill()
        self.began.clear()
        code = process.exit_code
        reason = "OOMKilled" if self._out_of_memory else "Completed" if code == 0 else "Error"
        self._out_of_memory = False
        self._set(self.state.ends(code, reason, started_at, now(), self._last_message(code)))

    async def _health(self, inside: Inside) -> None:
        hook = self.spec.get("lifecycle", {}).get("postStart")
        if hook is not None:
            try:
                await act(hook, inside, float("inf"), log=self.log())
            except ActionFailed as failed:
                self._around.event("FailedPostStartHook", f"PostStartHook failed: {failed}")
                await self._terminate(self._grace_seconds)
                return

        def started() -> None:
            self.began.set()
            self._set(replace(self.state, started=True))

        kind = await watch_health(
            self.spec,
            lambda action, seconds: act(action, inside, seconds, log=self.log()),
            longest_period=self._around.settings.longest_probe_period_seconds,
            started=started,
            ready=lambda is_ready: self._set(replace(self.state, ready=is_ready)),
            unhealthy=lambda kind, said: self._around.event(
                "Unhealthy", f"{kind.capitalize()} probe failed: {said}"
            ),
        )
        self._around.event(
            "Killing", f"Container {self.name} failed {kind} probe, will be restarted", warning=False
        )
        own = self.spec[f"{kind}Probe"].get("terminationGracePeriodSeconds")
        await self._terminate(self._grace_seconds if own is None else own)

    @property
    def _grace_seconds(self) -> float:
        return float(self._around.pod["spec"].get("terminationGracePeriodSeconds", 30))

    async def _terminate(self, grace_seconds: float) -> None:
        process, inside = self._process, self._inside
        assert process is not None
        assert inside is not None
        began = time.monotonic()
        hook = self.spec.get("lifecycle", {}).get("preStop")
        if hook is not None and grace_seconds > 0:
            try:
                await act(hook, inside, grace_seconds, log=self.log())
            except ActionFailed as failed:
                self._around.event("FailedPreStopHook", f"PreStopHook failed: {failed}")
            grace_seconds = max(_LEAST_GRACE_SECONDS, grace_seconds - (time.monotonic() - began))
        await process.stop(grace_seconds)

    # Its last words.

    @property
    def _message_path(self) -> str:
        return str(self.spec.get("terminationMessagePath", "/dev/termination-log"))

    @property
    def _message_file(self) -> Path:
        return self._folder.joinpath("termination-log")

    def _last_message(self, code: int) -> str:
        message = self._message_file.read_bytes()[:_MESSAGE_BYTES] if self._message_file.exists() else b""
        falls_back = self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        if not message and code != 0 and falls_back:
            message = self.log().read_bytes()[-_LOG_MESSAGE_BYTES:]
        return message.decode(errors="replace")
