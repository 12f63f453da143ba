"""Keeps the replicas of one deployment as wanted: plans, acts, adopts what an earlier `up` left."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pointsman.api import ObjectKey
from pointsman.engine_agent.asking import Engine
from pointsman.local.background import spawn
from pointsman.local.engines.plan import Phase, ReplicaView, plan
from pointsman.local.engines.records import EngineRecord, record_path, slot_of
from pointsman.local.engines.replica import Replica, Surroundings
from pointsman.local.engines.spec import EngineSpec
from pointsman.local.processes import RunningProcess, adopt_or_end
from pointsman.local.state import StateFolder

_END_GRACE_SECONDS = 3.0
# Memory that others use is looked at again this often while it is too little.
_LOOK_AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Wanted:
    """What should run: so many replicas of this spec; without a spec (not known yet), whatever runs stays."""

    spec: EngineSpec | None
    replicas: int
    drain_seconds: float


class Supervisor:
    """The replicas of one deployment."""

    def __init__(
        self,
        deployment: ObjectKey,
        state: StateFolder,
        around: Surroundings,
        *,
        threads: Callable[[], int],
        room: Callable[[EngineSpec], int],
        left: list[Path],
    ) -> None:
        """`left` are records of an earlier `up`; `room` is how many replicas of a spec memory can hold
        beside what runs.
        """
        self._deployment = deployment
        self._state = state
        self._threads = threads
        self._room = room
        self._left = left
        self._wake = asyncio.Event()
        self._around = replace(around, changed=lambda: self._on_change(around.changed))
        self._replicas: dict[int, Replica] = {}
        self._leaving: dict[int, asyncio.Task[None]] = {}
        self._wanted = Wanted(None, 0, 0.0)
        self._task = spawn(self._run(), f"supervisor {deployment}", around.failed)

    def want(self, wanted: Wanted) -> None:
        """Change what should run; nothing happens if it is the same."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()

    @property
    def views(self) -> tuple[ReplicaView, ...]:
        """All replicas as they are now, by slot."""
        return tuple(self._replicas[slot].view for slot in sorted(self._replicas))

    @property
    def is_empty(self) -> bool:
        """Whether no process is left."""
        return not self._replicas and not self._left

    async def drain(self) -> None:
        """Let every replica answer what it has, and end it."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._end_left()
        for slot in list(self._replicas):
            self._leave(slot, self._wanted.drain_seconds)
        while self._leaving:
            await asyncio.wait(self._leaving.values())

    async def end(self) -> None:
        """End every process now."""
        self._task.cancel()
        await asyncio.wait([self._task])
        for task in self._leaving.values():
            task.cancel()
        if self._leaving:
            await asyncio.wait(self._leaving.values())
        self._leaving.clear()
        await asyncio.gather(self._end_left(), *(replica.end() for replica in self._replicas.values()))
        self._replicas.clear()

    def _on_change(self, changed: Callable[[], None]) -> None:
        self._wake.set()
        changed()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            spec = self._wanted.spec
            waits = False
            if spec is not None:
                if self._left:
                    await self._adopt(spec)
                waits = self._act(spec)
            try:
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS if waits else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _act(self, spec: EngineSpec) -> bool:
        """Take the next steps; True if replicas wait for memory."""
        wanted = self._wanted.replicas
        # Asked for only when something is to be started: it reads the machine's memory.
        step = plan(self.views, spec.hash, wanted, room=wanted)
        room = self._room(spec) if step.start else 0
        for slot in step.end:
            self._leave(slot, 0.0)
        for slot in step.drain:
            self._leave(slot, self._wanted.drain_seconds)
        for _ in range(min(step.start, room)):
            self._add(spec).start()
        return step.start > room

    def _add(self, spec: EngineSpec, slot: int | None = None) -> Replica:
        if slot is None:
            slot = next(number for number in range(len(self._replicas) + 1) if number not in self._replicas)
        name = record_path(self._state.engines, self._deployment, slot)
        replica = Replica(
            self._deployment, slot, spec, self._threads, name, self._state.log_path(name.stem), self._around
        )
        self._replicas[slot] = replica
        return replica

    def _leave(self, slot: int, drain_seconds: float) -> None:
        if slot in self._leaving:
            return
        replica = self._replicas[slot]
        replica.retire()

        async def leave() -> None:
            await replica.drain(drain_seconds)
            del self._replicas[slot]
            del self._leaving[slot]
            self._around.changed()

        self._leaving[slot] = spawn(leave(), f"leaving {self._deployment} {slot}", self._around.failed)

    async def _adopt(self, spec: EngineSpec) -> None:
        # One after the other: each asks its engine for a token, and they share the cores. What an end finds
        # not looked at yet stays in the list, and is ended.
        while self._left:
            await self._adopt_one(self._left[0], spec)
            del self._left[0]

    async def _adopt_one(self, path: Path, spec: EngineSpec) -> None:
        ports: list[int] = []

        async def adoptable(document: dict[str, Any], process: RunningProcess) -> bool:
            record = EngineRecord.from_document(document)
            if record is None or record.spec_hash != spec.hash or not record.port or slot_of(path) < 0:
                return False
            engine = Engine(spec.settings(record.port), self._around.session)
            if not await self._answers_soon(engine):
                return False
            ports.append(record.port)
            return (await engine.answers_a_request()).is_good and process.is_alive

        process = await adopt_or_end(path, adoptable, grace_seconds=_END_GRACE_SECONDS)
        if process is not None:
            self._add(spec, slot_of(path)).start((process, ports[0]))
            self._around.changed()

    async def _answers_soon(self, engine: Engine) -> bool:
        """Asked before a token is, for which one waits long: an engine that hangs must not hold the others
        up.
        """
        try:
            async with asyncio.timeout(self._around.patience.timeout_seconds):
                return await engine.is_alive()
        except TimeoutError:
            return False

    async def _end_left(self) -> None:
        # Forgotten only once they are gone: an end may come while a drain is at this.
        await asyncio.gather(*(end_left(path) for path in self._left))
        self._left = []


async def end_left(record: Path) -> None:
    """End the process of a record that nobody adopts."""

    async def no(document: dict[str, Any], process: RunningProcess) -> bool:
        return False

    await adopt_or_end(record, no, grace_seconds=_END_GRACE_SECONDS)


def ready_ports(views: tuple[ReplicaView, ...]) -> tuple[int, ...]:
    """The ports of the replicas that may get requests."""
    return tuple(view.port for view in views if view.phase is Phase.READY)
