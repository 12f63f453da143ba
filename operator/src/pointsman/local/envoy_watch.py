"""Envoy's life, told to whoever sits before the terminal."""

import asyncio
from pathlib import Path

from pointsman.local.background import Failed, spawn
from pointsman.local.display.terminal import BAD, GOOD, Line, Terminal
from pointsman.local.processes import RunningProcess

_SUBJECT = "gateway"


class EnvoyWatch:
    """Hears of each Envoy that is started; lives on one event loop until `stop`."""

    def __init__(self, log: Path, terminal: Terminal, failed: Failed) -> None:
        """`log` is where it writes what ails it."""
        self._log = log
        self._terminal = terminal
        self._failed = failed
        self._watching: asyncio.Task[None] | None = None
        self._is_down = False

    def started(self, pid: int) -> None:
        """Watch an Envoy."""
        process = RunningProcess.of_pid(pid)
        if process is None:
            # It ended before anyone could look; the next one is told too.
            return
        self._watching = spawn(self._watch(process), f"watch Envoy {pid}", self._failed)

    def told_ready(self) -> None:
        """Envoy serves: said if it did not before."""
        if self._is_down and self._watching is not None and not self._watching.done():
            self._is_down = False
            self._terminal.say(Line(GOOD, _SUBJECT, "Envoy serves again"))

    def stop(self) -> None:
        """What ends now is ended by us."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self, process: RunningProcess) -> None:
        await process.exited()
        self._is_down = True
        self._terminal.say(
            Line(
                BAD,
                _SUBJECT,
                f"Envoy ended and is started again; until then nothing answers (log: {self._log})",
            )
        )
