"""A deployment's engines under supervision: real processes that answer like an engine."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import aiohttp

from pointsman.api import ObjectKey
from pointsman.engine_agent.liveness import PATIENCE, Patience
from pointsman.local.engines.launch import Launcher
from pointsman.local.engines.plan import Phase, ReplicaView
from pointsman.local.engines.records import read_records
from pointsman.local.engines.replica import Surroundings
from pointsman.local.engines.spec import EngineSpec
from pointsman.local.engines.supervisor import Supervisor, Wanted
from pointsman.local.state import StateFolder
from tests.support.polling import eventually_async
from tests.support.processes import assert_none_left, python_module

KEY = ObjectKey("default", "chat")
WITHIN_SECONDS = 60.0
# For tests of engines that hang: long enough for a stand-in on a busy machine, and short.
IMPATIENT = Patience(interval_seconds=0.1, timeout_seconds=1.0, restart_failures=4, restart_seconds=3.0)
# For tests of engines that never get ready: as short as a message that names it may be.
SHORT_BUDGET_SECONDS = 2.0

SPEC = EngineSpec(
    weights="/none.gguf",
    weights_bytes=1,
    weights_stamp=1,
    served_names=("chat",),
    tasks=("chat",),
    context_length=512,
    concurrency=1,
    chat_template="",
    parameters={},
)


def behaving(behaviour: str, **environment: str) -> EngineSpec:
    return replace(SPEC, environment={"STAND_IN": behaviour, **environment})


class Engines:
    """One deployment's supervisor, and what it is seen to do.

    Change `patience` before `supervise`; `budget_seconds` is what a start may take from then on.
    """

    def __init__(self, state: StateFolder, session: aiohttp.ClientSession, marker: str) -> None:
        self.state = state
        self.said: list[str] = []
        self.failures: list[BaseException] = []
        # The marker tells our processes from those of other tests.
        command = (*python_module("tests.e2e.local.stand_in_engine"), marker)
        self.marker = marker
        self.patience = PATIENCE
        self.budget_seconds = 60.0
        self._around = Surroundings(
            Launcher(command),
            session,
            Random(1),
            changed=lambda: None,
            failed=self.failures.append,
            say=self.said.append,
            budget=lambda weights_bytes: self.budget_seconds,
        )
        self.rooms: list[int] = []
        self._supervisors: list[Supervisor] = []

    def supervise(self) -> Supervisor:
        """A supervisor as `up` makes it: with what an earlier one left."""
        left = list(read_records(self.state.engines))
        made = Supervisor(
            KEY,
            self.state,
            replace(self._around, patience=self.patience),
            threads=lambda: 1,
            room=lambda spec: self.rooms.pop(0) if self.rooms else 9,
            left=left,
        )
        self._supervisors.append(made)
        return made

    def records(self) -> dict[int, int]:
        """Process id and port of every recorded engine."""
        found = read_records(self.state.engines).values()
        return {record.identity.pid: record.port for record in found if record is not None}

    async def end(self) -> None:
        for supervisor in self._supervisors:
            await supervisor.end()
        assert self.failures == []
        assert_none_left(self.marker)


def phases(supervisor: Supervisor) -> list[Phase]:
    return [view.phase for view in supervisor.views]


async def until(
    supervisor: Supervisor, holds: Callable[[tuple[ReplicaView, ...]], object], what: str
) -> None:
    await eventually_async(
        lambda: bool(holds(supervisor.views)), WITHIN_SECONDS, f"{what}: {supervisor.views}"
    )


async def ready(
    supervisor: Supervisor, spec: EngineSpec, replicas: int = 1, drain_seconds: float = 5.0
) -> None:
    supervisor.want(Wanted(spec, replicas, drain_seconds))
    await until(
        supervisor,
        lambda views: [(v.spec_hash, v.phase) for v in views] == [(spec.hash, Phase.READY)] * replicas,
        f"{replicas} ready",
    )
