"""`pointsman up`: the folder, the engines, the gateway and the status, put together and kept together."""

import asyncio
import os
import platform
import signal
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.errors import PointsmanError
from pointsman.gateway import Gateway, GatewayPlaces, MetricsPage
from pointsman.local.background import spawn
from pointsman.local.deployments import OwnDeployment, Workplace
from pointsman.local.display.terminal import BAD, Line, Terminal, leaving_line, left_line, name_of
from pointsman.local.engines.launch import Launcher
from pointsman.local.engines.records import read_records
from pointsman.local.engines.replica import Surroundings
from pointsman.local.engines.spec import cores_for_replica
from pointsman.local.engines.supervisor import end_left
from pointsman.local.envoy_watch import EnvoyWatch
from pointsman.local.files.folder import Folder, Objects
from pointsman.local.files.watching import POLL_SECONDS
from pointsman.local.listening import Listen, free_port, refuse_if_taken
from pointsman.local.machine import available_memory_bytes, usable_cores
from pointsman.local.numbers import Numbers
from pointsman.local.scaling import MakeScaling, most_replicas
from pointsman.local.state import StateFolder
from pointsman.local.status.keeping import AGAIN_SECONDS, Keeping
from pointsman.local.status.objects import ObjectStore
from pointsman.local.status.publish import Publisher
from pointsman.local.this_machine import ThisMachine
from pointsman.local.weights.fetcher import Fetcher
from pointsman.routing import ProxySettings, RoutingInput

_DRAIN_SECONDS = 5.0
"""How long a first Ctrl-C lets requests finish; a person waits for it."""
_GATEWAY_READY_SECONDS = 30.0


@dataclass(frozen=True)
class UpSettings:
    """What `pointsman up` was asked for."""

    paths: tuple[Path, ...]
    listen: Listen
    state: Path
    cache: Path
    metrics: Listen | None = None


class LocalMode:
    """One run. `serve` returns when it was asked to stop and everything has ended."""

    def __init__(
        self,
        settings: UpSettings,
        terminal: Terminal,
        make_scaling: MakeScaling,
        *,
        environment: Mapping[str, str] | None = None,
        launcher: Launcher | None = None,
        rng: Random | None = None,
    ) -> None:
        """`make_scaling` gives what decides on replicas where a deployment asks for that."""
        self._settings = settings
        self._terminal = terminal
        self._state = StateFolder(settings.state)
        self._keeping = Keeping(terminal)
        self._folder = Folder(settings.paths, os.environ if environment is None else environment)
        self._launcher = launcher or Launcher()
        self._rng = rng or Random()
        self._make_scaling = make_scaling
        self._scaling: asyncio.Task[None] | None = None
        self._stated = self._objects = Objects()
        self._own: dict[ObjectKey, OwnDeployment] = {}
        self._leaving: dict[ObjectKey, tuple[OwnDeployment, asyncio.Task[None]]] = {}
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._routed: RoutingInput | None = None

    def stop(self) -> None:
        """Ask to end: the first time with a drain, the second time at once."""
        if self._stop.is_set():
            self._at_once.set()
            return
        self._stop.set()
        self._changed.set()

    def _told_to_stop(self) -> None:
        if not self._stop.is_set():
            self._terminal.plain(
                f" ending; what runs has {_DRAIN_SECONDS:g} s to finish, Ctrl-C again ends it at once"
            )
        self.stop()

    def _failed(self, error: BaseException) -> None:
        """An internal error somewhere: everything is ended in order, and the error is raised."""
        self._failure = self._failure or error
        self.stop()

    async def serve(self) -> None:
        """Serve until `stop`. Raises PointsmanError for what makes a start impossible."""
        with self._state.held():
            objects = await asyncio.to_thread(self._folder.read)
            refuse_if_taken(self._settings.listen)
            self._listen_to_signals()
            async with aiohttp.ClientSession() as session:
                await self._serve(session, objects)
        if self._failure is not None:
            raise self._failure

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._told_to_stop)

    async def _serve(self, session: aiohttp.ClientSession, objects: Objects) -> None:
        listen = self._settings.listen
        self._workplace = self._make_workplace(session)
        self._left = read_records(self._state.engines)
        self._store = ObjectStore(self._state)
        self._publisher = Publisher(self._state, self._store, self._terminal, self._keeping, listen)
        self._envoy = EnvoyWatch(self._state.log_path("gateway"), self._terminal, self._failed)
        gateway = Gateway(
            ProxySettings(
                listen_address=listen.host,
                listen_port=listen.port,
                tombstone_port=free_port(),
                processor=platform.machine(),
            ),
            GatewayPlaces(self._state.gateway, self._state.log_path("gateway"), self._envoy.started),
        )
        page = MetricsPage(gateway)
        self._numbers = Numbers(lambda stated: self._store.former_deployment(stated).scaling)
        self._machine = ThisMachine(
            self._numbers,
            lambda: self._objects.deployments,
            self._own,
            page,
            self._terminal,
            self._take_again,
        )
        tasks: list[asyncio.Task[None]] = []
        try:
            self._take(objects)
            await self._end_unclaimed()
            gateway.update(self._route())
            await gateway.start()
            tasks = [
                spawn(self._watch(), "watch files", self._failed),
                spawn(self._hear(gateway), "hear gateway", self._failed),
            ]
            if self._settings.metrics is not None:
                await page.start(self._settings.metrics.host, self._settings.metrics.port)
            await self._unless_stopped(gateway.ready(_GATEWAY_READY_SECONDS))
            here = {"pid": os.getpid(), "url": listen.url}
            self._keeping.keep("up", lambda: self._state.write_up(here))
            await self._follow(gateway)
        finally:
            for task in (*tasks, self._scaling):
                if task is not None:
                    task.cancel()
            await page.stop()
            await self._end(gateway)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for `work`, or until we are told to stop."""
        working, stopped = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            working.cancel()
            stopped.cancel()

    def _make_workplace(self, session: aiohttp.ClientSession) -> Workplace:
        around = Surroundings(
            self._launcher,
            session,
            self._rng,
            changed=self._changed.set,
            failed=self._failed,
            say=lambda text: self._terminal.plain(f"   {text}"),
        )
        return Workplace(
            state=self._state,
            fetcher=Fetcher(self._settings.cache),
            around=around,
            threads=lambda: cores_for_replica(usable_cores(), self._wanted_replicas()),
            available_bytes=lambda: (
                available_memory_bytes() - sum(own.promised_bytes for own in self._own.values())
            ),
            progress=self._terminal.progress,
            rng=self._rng,
        )

    def _wanted_replicas(self) -> int:
        own = (d for d in self._objects.deployments.values() if d.spec.hosted is None)
        return sum(most_replicas(deployment) for deployment in own)

    async def _follow(self, gateway: Gateway) -> None:
        """Carry every change to the gateway and to the status, until told to stop."""
        while not self._stop.is_set():
            self._changed.clear()
            self._scale_if_asked()
            given = self._route()
            if given != self._routed:
                self._routed = given
                try:
                    gateway.update(given)
                except PointsmanError as error:
                    # What the gateway has goes on; the next edit is tried anew.
                    self._terminal.say(Line(BAD, "gateway", str(error)))
            self._publisher.publish(self._objects, self._own, given, gateway.programming())
            if gateway.is_ready():
                self._envoy.told_ready()
            try:
                async with asyncio.timeout(AGAIN_SECONDS if self._keeping.has_waiting else None):
                    await self._changed.wait()
            except TimeoutError:
                self._keeping.again()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            objects = await asyncio.to_thread(self._folder.refresh)
            if objects is not None:
                self._take(objects)
                self._changed.set()

    async def _hear(self, gateway: Gateway) -> None:
        while True:
            await gateway.changed()
            self._changed.set()

    def _take(self, objects: Objects) -> None:
        """Make what runs follow what is stated."""
        self._stated = objects
        live = replace(objects, deployments=self._numbers.live(objects.deployments))
        self._objects = self._publisher.stamped(live)
        self._publisher.tell_findings(objects.findings)
        wanted = {key: d for key, d in self._objects.deployments.items() if d.spec.hosted is None}
        for key in [key for key in self._own if key not in wanted]:
            self._let_go(key, self._own.pop(key))
        for key, deployment in wanted.items():
            if key in self._leaving:
                # Its former replicas still answer; it starts anew when they are gone.
                continue
            self._want(key, deployment)

    def _take_again(self) -> None:
        """Numbers changed, and files did not."""
        self._take(self._stated)
        self._changed.set()

    def _scale_if_asked(self) -> None:
        if self._scaling is None and self._numbers.keys:
            self._scaling = spawn(self._scale(), "scale", self._failed)

    async def _scale(self) -> None:
        scaling = await asyncio.to_thread(self._make_scaling)
        await scaling.run(self._machine)

    def _want(self, key: ObjectKey, deployment: ModelDeployment) -> None:
        own = self._own.get(key)
        if own is None:
            left = [
                path for path, record in self._left.items() if record is not None and record.deployment == key
            ]
            for path in left:
                del self._left[path]
            own = self._own[key] = OwnDeployment(key, self._workplace, left)
        refused = self._objects.refused.get(("ModelDeployment", key))
        own.want(deployment, self._objects.beside[key], self._objects.secrets, refused)

    def _let_go(self, key: ObjectKey, own: OwnDeployment) -> None:
        is_hosted_now = key in self._objects.deployments
        self._terminal.say(leaving_line(key, is_hosted_now=is_hosted_now))
        if not is_hosted_now:
            self._terminal.forget(name_of(key))

        async def leave() -> None:
            await own.drain()
            del self._leaving[key]
            self._terminal.say(left_line(key))
            deployment = self._objects.deployments.get(key)
            if deployment is not None and deployment.spec.hosted is None:
                self._want(key, deployment)
            self._changed.set()

        self._leaving[key] = (own, spawn(leave(), f"leave {key}", self._failed))

    def _route(self) -> RoutingInput:
        return RoutingInput(
            deployments=self._objects.deployments,
            routes=self._objects.routes,
            endpoints={key: own.endpoints for key, own in self._own.items()},
            secrets=self._objects.secrets,
            fleet=self._objects.fleet,
        )

    async def _end_unclaimed(self) -> None:
        """End engines of an earlier `up` whose deployment is not in the files."""
        await asyncio.gather(*(end_left(path) for path in self._left))
        self._left = {}

    async def _end(self, gateway: Gateway) -> None:
        """Drain for a moment, end everything; nothing that we started is left."""
        for _, task in self._leaving.values():
            task.cancel()
        self._envoy.stop()
        stopping = asyncio.create_task(gateway.stop(_DRAIN_SECONDS))
        hurry = asyncio.create_task(self._at_once.wait())
        await asyncio.wait((stopping, hurry), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            stopping.cancel()
            await asyncio.wait((stopping,))
            await gateway.stop(0)
        hurry.cancel()
        remaining = [*self._own.values(), *(own for own, _ in self._leaving.values())]
        await asyncio.gather(self._end_unclaimed(), *(own.end() for own in remaining))
