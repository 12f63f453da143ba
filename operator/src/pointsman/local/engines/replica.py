"""The life of one replica: start, ready, silent, failed and started again, drained."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp

from pointsman.api import ObjectKey
from pointsman.catalog import shipped_catalog
from pointsman.catalog.metric_report import MetricReport
from pointsman.engine_agent.asking import Engine, running_requests
from pointsman.engine_agent.liveness import PATIENCE, Patience, Verdict
from pointsman.engine_agent.watching import until_it_hangs
from pointsman.errors import PointsmanError
from pointsman.local.background import Failed, spawn
from pointsman.local.engines.launch import Launched, Launcher
from pointsman.local.engines.log_tail import LastWords, last_words
from pointsman.local.engines.plan import Phase, ReplicaView, Trouble
from pointsman.local.engines.records import EngineRecord, write_record
from pointsman.local.engines.restarts import RESTARTS, STABLE_SECONDS
from pointsman.local.engines.spec import EngineSpec
from pointsman.local.processes import RunningProcess
from pointsman.local.state import remove

_PROBE_AGAIN_SECONDS = 0.2
_DRAIN_POLL_SECONDS = 0.25
_REPORT_AGAIN_SECONDS = 600.0
_NO_PAGE_SECONDS = 10.0
# The gateway hears of a removed endpoint within milliseconds; a request that it had sent just before takes
# a moment to be counted by the engine.
_SETTLE_SECONDS = 1.0
# Engines end at once when nothing runs.
_END_SECONDS = 3.0

ENGINE_EXITED = "EngineExited"
ENGINE_DIED_AT_START = "EngineDiedAtStart"
ENGINE_SILENT = "EngineSilent"


def start_budget_seconds(weights_bytes: int) -> float:
    """How long a start may take until it counts as failed, by the catalogue."""
    return shipped_catalog().engines["llama.cpp"].startup.budget_seconds(weights_bytes)


@dataclass(frozen=True)
class Surroundings:
    """What every replica needs; `changed` is called at each change of a replica's phase.

    `failed` hears of an internal error, `say` tells a person one line. `budget` gives the seconds that a
    start may take for that many bytes of weights; `patience` says how long a ready engine may be silent.
    """

    launcher: Launcher
    session: aiohttp.ClientSession
    rng: Random
    changed: Callable[[], None]
    failed: Failed
    say: Callable[[str], None]
    budget: Callable[[int], float] = start_budget_seconds
    patience: Patience = PATIENCE


class _Failed(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class Replica:
    """One replica; keeps its process alive until it is drained or ended."""

    def __init__(
        self,
        deployment: ObjectKey,
        slot: int,
        spec: EngineSpec,
        threads: Callable[[], int],
        record: Path,
        log: Path,
        around: Surroundings,
    ) -> None:
        self.slot = slot
        self.spec = spec
        self._deployment = deployment
        self._threads = threads
        self._record = record
        self._log = log
        self._around = around
        self._phase = Phase.STARTING
        self._port = 0
        self._trouble: Trouble | None = None
        self._process: RunningProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._unrecorded = ""
        self._metrics: MetricReport | None = None
        self._created_seconds = time.time()
        self._ready_seconds: float | None = None

    def start(self, adopted: tuple[RunningProcess, int] | None = None) -> None:
        """Begin; an adopted process and its port are ready already."""
        if adopted is not None:
            self._process, self._port = adopted
            self._phase = Phase.READY
            # How long it took is not known.
            self._ready_seconds = self._created_seconds
        self._task = spawn(self._live(), f"replica {self._deployment} {self.slot}", self._around.failed)

    @property
    def view(self) -> ReplicaView:
        port = self._port if self._phase is Phase.READY else 0
        return ReplicaView(
            self.slot,
            self.spec.hash,
            self._phase,
            port,
            self._trouble,
            self._metrics,
            self._created_seconds,
            self._ready_seconds,
        )

    def retire(self) -> None:
        """Leave the endpoints for good, at once; `drain` or `end` must follow."""
        self._change(Phase.DRAINING)

    async def drain(self, timeout_seconds: float) -> None:
        """Wait until nothing runs (at most so long), and end the process."""
        self.retire()
        await self._stop_living()
        process = self._process
        if process is not None and self._port:
            idle = asyncio.create_task(self._until_idle(process, self._port))
            hangs = asyncio.create_task(self._until_it_hangs(lambda verdict: None))
            try:
                done, _ = await asyncio.wait(
                    (idle, hangs), timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                idle.cancel()
                hangs.cancel()
            for ended in done:
                ended.result()
            if hangs in done:
                self._around.say(f"{self._deployment}: an engine that did not answer any more was ended")
            elif not done:
                self._around.say(f"{self._deployment}: requests still ran after drain.timeout and were cut")
        await self.end()

    async def end(self) -> None:
        """End the process now."""
        self.retire()
        await self._stop_living()
        if self._process is not None:
            await self._process.end(_END_SECONDS)
        remove(self._record)

    async def _stop_living(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _until_idle(self, process: RunningProcess, port: int) -> None:
        await asyncio.sleep(_SETTLE_SECONDS)
        engine = self._engine(port)
        idle_polls = 0
        while process.is_alive and idle_polls < 2:
            # An engine that does not say counts as busy: blind means hold.
            running = running_requests(await engine.readings())
            idle_polls = idle_polls + 1 if running == 0 else 0
            await asyncio.sleep(_DRAIN_POLL_SECONDS)

    def _change(self, phase: Phase, *, trouble: Trouble | None = None) -> None:
        if self._phase is Phase.DRAINING:
            return
        self._phase, self._trouble = phase, trouble
        if phase is Phase.READY and self._ready_seconds is None:
            self._ready_seconds = time.time()
        self._around.changed()

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        # One that is retired before its first turn starts nothing: what it adopted is still to be ended.
        while self._phase is not Phase.DRAINING:
            ready_at = loop.time()
            try:
                if self._phase is not Phase.READY:
                    await self._become_ready()
                    ready_at = loop.time()
                assert self._process is not None
                await self._serve(self._process)
            except _Failed as failed:
                served = self._phase in (Phase.READY, Phase.SILENT)
                was_stable = served and loop.time() - ready_at >= STABLE_SECONDS
                failures = 1 if was_stable else failures + 1
                self._port = 0
                remove(self._record)
                self._change(Phase.WAITING, trouble=failed.trouble)
                await asyncio.sleep(RESTARTS.wait_seconds(failures, self._around.rng.random()))
                self._change(Phase.STARTING, trouble=failed.trouble)

    async def _serve(self, process: RunningProcess) -> None:
        """Watch a ready engine; raises _Failed once it is gone, by itself or because it stayed silent."""
        exited = asyncio.create_task(process.exited())
        hangs = asyncio.create_task(self._until_it_hangs(self._hear))
        reports = asyncio.create_task(self._report())
        try:
            done, _ = await asyncio.wait((exited, hangs), return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
            hangs.cancel()
            reports.cancel()
        if exited in done:
            raise _Failed(self._exit_trouble(process, 0, ENGINE_EXITED))
        how = hangs.result()
        # What hangs does not hear a request to end.
        process.send(signal.SIGKILL)
        await process.exited()
        message = f"an engine hung and was ended: {how} (log: {self._logs})"
        raise _Failed(Trouble(ENGINE_SILENT, message))

    async def _report(self) -> None:
        """Which metrics the engine shows: asked when it is ready and rarely after, as the operator does."""
        engine = self._engine(self._port)
        while True:
            found = await engine.metric_report()
            if not found.page_answers:
                # One moment in which the machine swaps is none of its metrics' fault.
                await asyncio.sleep(_NO_PAGE_SECONDS)
                found = await engine.metric_report()
            if found != self._metrics:
                self._metrics = found
                self._around.changed()
            await asyncio.sleep(_REPORT_AGAIN_SECONDS if found.page_answers else _NO_PAGE_SECONDS)

    async def _until_it_hangs(self, hear: Callable[[Verdict], None]) -> str:
        return await until_it_hangs(self._engine(self._port), hear, self._around.patience)

    def _engine(self, port: int) -> Engine:
        return Engine(self.spec.settings(port), self._around.session)

    def _hear(self, verdict: Verdict) -> None:
        if verdict is Verdict.READY:
            self._change(Phase.READY)
            return
        message = (
            "an engine runs and does not answer: it gets no requests until it does, and is started again "
            f"if it stays silent (log: {self._logs})"
        )
        self._change(Phase.SILENT, trouble=Trouble(ENGINE_SILENT, message))

    async def _become_ready(self) -> None:
        budget = self._around.budget(self.spec.weights_bytes)
        launched = self._launch()
        self._process = launched.process
        self._write_record(launched.process, 0)
        exited = asyncio.create_task(launched.process.exited())
        ready = asyncio.create_task(self._until_ready(launched))
        try:
            done, _ = await asyncio.wait((exited, ready), timeout=budget, return_when=asyncio.FIRST_COMPLETED)
            if exited in done:
                raise _Failed(self._exit_trouble(launched.process, launched.log_begin, ENGINE_DIED_AT_START))
            if ready not in done:
                raise _Failed(self._too_late(launched, budget))
            self._port = ready.result()
        except _Failed:
            launched.process.send(signal.SIGKILL)
            await launched.process.exited()
            raise
        finally:
            exited.cancel()
            ready.cancel()
            launched.port.cancel()
        self._write_record(launched.process, self._port)
        self._change(Phase.READY)

    def _launch(self) -> Launched:
        try:
            return self._around.launcher.launch(self.spec, self._threads(), self._log)
        except (OSError, ValueError) as error:
            # A variable or a path with a NUL in it is a ValueError.
            why = error.strerror if isinstance(error, OSError) else error
            message = f"the engine's process cannot be started: {why}"
            raise _Failed(Trouble("EngineNotStarted", message)) from error

    async def _until_ready(self, launched: Launched) -> int:
        """The port, once a real token came. Raises _Failed if the engine refuses for good."""
        try:
            port = await launched.port
        except EOFError:
            await launched.process.exited()
            raise _Failed(
                self._exit_trouble(launched.process, launched.log_begin, ENGINE_DIED_AT_START)
            ) from None
        while True:
            answer = await self._engine(port).answers_a_request()
            if answer.is_good:
                return port
            trouble = Trouble("FirstTokenRefused", f"the engine is up but {answer.trouble}")
            if answer.is_final:
                raise _Failed(trouble)
            self._change(Phase.STARTING, trouble=trouble)
            await asyncio.sleep(_PROBE_AGAIN_SECONDS)

    def _exit_trouble(self, process: RunningProcess, since_byte: int, reason: str) -> Trouble:
        words = last_words(self._log, since_byte=since_byte)
        if reason == ENGINE_EXITED:
            # It served: a last line that is no error (a warning, hours old) has nothing to do with its end.
            words = LastWords(words.errors[-1:])
        said = f": {words.cause}" if words.cause else ""
        return Trouble(reason, f"the engine {process.exit_text}{said} (log: {self._logs})", words.shown)

    def _too_late(self, launched: Launched, budget: float) -> Trouble:
        former = "" if self._trouble is None else f" ({self._trouble.message})"
        return Trouble(
            "NotReadyInTime",
            f"no first token within {budget:.0f} s{former}; lower spec.model.contextLength or "
            f"spec.engine.maxConcurrency, or see what it said (log: {self._logs})",
            last_words(self._log, since_byte=launched.log_begin).shown,
        )

    @property
    def _logs(self) -> Path:
        """The logs of all replicas: one that restarts in turn with another must not change the message."""
        return self._log.with_name(f"{self._log.stem.rpartition('.')[0]}.*.log")

    def _write_record(self, process: RunningProcess, port: int) -> None:
        try:
            write_record(self._record, EngineRecord(self._deployment, process.identity, port, self.spec.hash))
        except PointsmanError as error:
            # It serves all the same; what is lost is its adoption by a later start.
            if str(error) != self._unrecorded:
                self._unrecorded = str(error)
                self._around.say(self._unrecorded)
        else:
            self._unrecorded = ""
