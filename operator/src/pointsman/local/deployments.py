"""One deployment of our own in local mode: weights, then placement, then engines, again at each change."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from pointsman.api import ModelDeployment, ObjectKey, Secret
from pointsman.api.findings import Finding
from pointsman.catalog import shipped_catalog
from pointsman.engine_agent.asking import Engine
from pointsman.engine_agent.engine_metrics import Readings
from pointsman.errors import PointsmanError
from pointsman.local.background import spawn
from pointsman.local.engines.plan import Phase, ReplicaView
from pointsman.local.engines.prepare import engine_environment, hub_token, refuse_unsupported
from pointsman.local.engines.replica import Surroundings
from pointsman.local.engines.restarts import RESTARTS
from pointsman.local.engines.spec import LOOPBACK, EngineSpec, engine_spec
from pointsman.local.engines.supervisor import Supervisor, Wanted, ready_ports
from pointsman.local.placement import Need, fits, memory_need, room_for, too_big
from pointsman.local.state import StateFolder
from pointsman.local.status.observed import DeploymentObserved, Stage, Step
from pointsman.local.weights.fetcher import Fetcher, FetchProgress, WeightsRequest
from pointsman.local.weights.gguf import ModelFacts, read_facts
from pointsman.local.weights.located import Weights
from pointsman.routing import Endpoint
from pointsman.weights.trouble import WeightsError, from_os_error


@dataclass(frozen=True)
class Workplace:
    """What every deployment needs of this machine.

    `threads` is how many cores a replica gets now; `available_bytes` how much memory there is for replicas
    that are to start, without what others have been promised; `progress` hears how far a fetch is, None at
    its end.
    """

    state: StateFolder
    fetcher: Fetcher
    around: Surroundings
    threads: Callable[[], int]
    available_bytes: Callable[[], int]
    progress: Callable[[ObjectKey, FetchProgress | None], None]
    rng: Random


class OwnDeployment:
    """Brings one deployment to what its spec says. Lives until `drain` or `end`."""

    def __init__(self, key: ObjectKey, workplace: Workplace, left: list[Path]) -> None:
        self._key = key
        self._workplace = workplace
        self._weights = Step()
        self._placed = Step()
        self._spec: EngineSpec | None = None
        self._facts: ModelFacts | None = None
        self.found: Weights | None = None
        self._replicas = 0
        self._drain_seconds = 0.0
        self._inputs: tuple[Any, ...] | None = None
        self._refused: Finding | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._ended: list[asyncio.Task[None]] = []
        self._supervisor = Supervisor(
            key, workplace.state, workplace.around, threads=workplace.threads, room=self._room, left=left
        )

    def want(
        self,
        deployment: ModelDeployment,
        beside: Path,
        secrets: Mapping[ObjectKey, Secret],
        refused: Finding | None,
    ) -> None:
        """Take the deployment as it is stated now; nothing happens if it is the same."""
        self._refused = refused
        spec = deployment.spec
        if spec.replicas != self._replicas and self._spec is not None and self._facts is not None:
            # Whether there is memory for so many is found out when they are started.
            self._placed = _fitting(self._spec, self._facts)
        self._replicas, self._drain_seconds = spec.replicas, spec.drain.timeout.seconds
        if self._spec is not None:
            self._want_replicas(self._spec)
        referred = {key: secret for key, secret in secrets.items() if key.namespace == self._key.namespace}
        try:
            given = (hub_token(deployment, referred), engine_environment(deployment, referred))
        except PointsmanError as error:
            self._cancel_preparing()
            self._fail(Step(Stage.FAILED, "SecretNotUsable", str(error)))
            self._inputs = None
            return
        inputs = (spec.model, spec.engine, spec.tasks, beside, *given)
        if inputs != self._inputs:
            self._inputs = inputs
            self._cancel_preparing()
            self._preparing = spawn(
                self._prepare(deployment, beside, *given),
                f"prepare {self._key}",
                self._workplace.around.failed,
            )
            # What is observed depends on whether it is over.
            self._preparing.add_done_callback(lambda _: self._workplace.around.changed())

    @property
    def observed(self) -> DeploymentObserved:
        wanted_hash = "" if self._spec is None else self._spec.hash
        preparing = self._preparing is not None and not self._preparing.done()
        return DeploymentObserved(
            weights=self._weights,
            placed=self._placed,
            wanted_hash=wanted_hash,
            is_preparing=preparing,
            replicas=self._supervisor.views,
            refused=self._refused,
        )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the replicas that may get requests answer."""
        return tuple(Endpoint(LOOPBACK, port) for port in ready_ports(self._supervisor.views))

    @property
    def slots(self) -> int | None:
        """Requests that one engine works on at once; None until its spec is known."""
        return None if self._spec is None else self._spec.concurrency

    @property
    def replicas(self) -> tuple[ReplicaView, ...]:
        """What there is of them now."""
        return self._supervisor.views

    async def readings(self, port: int) -> Readings | None:
        """What the engine at a port says of itself; None where it says nothing."""
        if self._spec is None:
            return None
        return await Engine(self._spec.settings(port), self._workplace.around.session).readings()

    @property
    def promised_bytes(self) -> int:
        """Memory that starting replicas will take and have not yet."""
        if self._spec is None or self._facts is None:
            return 0
        need = memory_need(self._spec, self._facts)
        phases = [view.phase for view in self._supervisor.views]
        starting = phases.count(Phase.STARTING)
        are_loaded = Phase.READY in phases or Phase.SILENT in phases
        weights = need.weights if starting and not are_loaded else 0
        return weights + starting * need.per_replica

    async def drain(self) -> None:
        """Let the replicas answer what they have, and end them."""
        await self._end_preparing()
        await self._supervisor.drain()

    async def end(self) -> None:
        """End everything now."""
        await self._end_preparing()
        await self._supervisor.end()

    def _cancel_preparing(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
            self._ended = [task for task in self._ended if not task.done()]
            self._ended.append(self._preparing)
            self._preparing = None

    async def _end_preparing(self) -> None:
        """No fetch goes on after this: each has ended its process."""
        self._cancel_preparing()
        if self._ended:
            await asyncio.wait(self._ended)
            self._ended.clear()

    async def _prepare(
        self, deployment: ModelDeployment, beside: Path, token: str | None, environment: Mapping[str, str]
    ) -> None:
        failures = 0
        while True:
            try:
                refuse_unsupported(deployment)
                weights = await self._bring_weights(deployment, beside, token)
                facts = await asyncio.to_thread(read_facts, weights.path)
                spec = engine_spec(deployment, weights, facts, environment)
            except OSError as error:
                self._fail(_unusable(error), weights=True)
                failures += 1
            except WeightsError as error:
                self._fail(Step(Stage.FAILED, error.reason, str(error)), weights=True)
                failures += 1
            except PointsmanError as error:
                # A retry changes nothing: the next edit does.
                self._fail(Step(Stage.FAILED, "NotSupported", str(error)))
                return
            else:
                self.found = weights
                self._spec, self._facts = spec, facts
                self._placed = _fitting(spec, facts)
                self._want_replicas(spec)
                return
            await asyncio.sleep(RESTARTS.wait_seconds(failures, self._workplace.rng.random()))

    async def _bring_weights(self, deployment: ModelDeployment, beside: Path, token: str | None) -> Weights:
        model = deployment.spec.model
        assert model is not None
        request = WeightsRequest(model.source, model.revision or "", model.sha256, beside)
        if self._weights.stage is not Stage.FAILED:
            # While a failure is retried, its reason stays to be seen.
            self._weights = Step(Stage.WORKING, "Fetching", f"{model.source} is being fetched")
        self._workplace.around.changed()
        try:
            weights = await self._workplace.fetcher.fetch(
                request, token, lambda progress: self._workplace.progress(self._key, progress)
            )
        finally:
            self._workplace.progress(self._key, None)
        self._weights = Step(Stage.DONE, "Available", f"{weights.path.name} from {weights.origin}")
        known = shipped_catalog().model_at(model.source)
        return replace(weights, terms=known.terms) if known is not None and known.terms else weights

    def _want_replicas(self, spec: EngineSpec) -> None:
        self._supervisor.want(Wanted(spec, self._replicas, self._drain_seconds))

    def _fail(self, step: Step, *, weights: bool = False) -> None:
        if weights:
            self._weights = step
        else:
            self._placed = step
        self._workplace.around.changed()

    def _room(self, spec: EngineSpec) -> int:
        """How many replicas may be started now; says so when there is no room for any."""
        assert self._facts is not None
        need = memory_need(spec, self._facts)
        available = self._workplace.available_bytes()
        phases = [view.phase for view in self._supervisor.views]
        running = sum(phase is not Phase.WAITING for phase in phases)
        room = room_for(need, available, running)
        self._tell_room(spec, self._facts, need, available, room)
        return room

    def _tell_room(self, spec: EngineSpec, facts: ModelFacts, need: Need, available: int, room: int) -> None:
        if room >= 1:
            placed = _fitting(spec, facts)
        elif self._placed.stage is Stage.FAILED:
            # The memory that is available moves all the time; the message stays as it was when it was found.
            return
        else:
            placed = Step(Stage.FAILED, "NotEnoughMemory", too_big(spec, facts, need, available))
        if placed != self._placed:
            self._placed = placed
            self._workplace.around.changed()


def _fitting(spec: EngineSpec, facts: ModelFacts) -> Step:
    return Step(Stage.DONE, "Fits", fits(spec, memory_need(spec, facts)))


def _unusable(error: OSError) -> Step:
    """The files, or the process that brings them, cannot be used."""
    trouble = from_os_error(error, Path(str(error.filename or "weights")))
    return Step(Stage.FAILED, trouble.reason, str(trouble))
