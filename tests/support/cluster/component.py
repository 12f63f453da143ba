"""One program of the control plane as a process: started, paused, killed, started again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.cluster.tethered import start_tethered

_STOP_SECONDS = 20.0
_LOG_TAIL_BYTES = 4096


class Component:
    """A process, started with the same command each time; `log` has the output of all starts."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.is_running, f"{self.name} runs already"
        self._process = start_tethered(self.command, log=self.log).result()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers, as on a machine that hangs."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """kill -9."""
        # Somebody else may start it again as soon as it has ended: that one is not waited for.
        killed = self._process
        self._send(signal.SIGKILL)
        if killed is not None:
            killed.wait(_STOP_SECONDS)

    def ask_to_end(self) -> None:
        """SIGTERM, without waiting."""
        self._send(signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM, and kill -9 if it takes too long."""
        self._send(signal.SIGTERM)
        try:
            self._wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_tail(self) -> str:
        """The end of what it wrote."""
        return self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace") if self.log.exists() else ""

    def _send(self, number: signal.Signals) -> None:
        if self.is_running:
            assert self._process is not None
            self._process.send_signal(number)

    def _wait(self, timeout_seconds: float) -> None:
        if self._process is not None:
            self._process.wait(timeout_seconds)
