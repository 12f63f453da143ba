"""Processes of this machine, told apart for certain: a process id is used again, id and start time are not.

Linux only: identity is field 22 of /proc/PID/stat (start time in clock ticks since boot), and every signal
goes through a pidfd, so that it cannot hit a process that took over the id.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pointsman.local.state import read_json, remove


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, and no other that has its id later."""

    pid: int
    start_ticks: int

    def to_document(self) -> dict[str, int]:
        return {"pid": self.pid, "startTicks": self.start_ticks}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self | None:
        pid, start_ticks = document.get("pid"), document.get("startTicks")
        return cls(pid, start_ticks) if isinstance(pid, int) and isinstance(start_ticks, int) else None


def identity_of(pid: int) -> ProcessIdentity | None:
    """Who has this id now; None if nobody has, or what is left of it is a zombie."""
    try:
        state, start_ticks = _stat(pid)
    except OSError:
        return None
    return None if state in b"ZX" else ProcessIdentity(pid, start_ticks)


def _stat(pid: int) -> tuple[bytes, int]:
    """State and start time. Raises OSError if there is no such process."""
    # The second field is the command in brackets and may hold any bytes, brackets and blanks too.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return fields[0], int(fields[19])


class RunningProcess:
    """A process that is watched: one that we started, or one that an earlier `up` left.

    Lives on one event loop. `exited` waits without polling; exit is noticed by the kernel's pidfd.
    """

    def __init__(
        self, identity: ProcessIdentity, descriptor: int, child: "subprocess.Popen[bytes] | None"
    ) -> None:
        self.identity = identity
        self._descriptor = descriptor
        self._child = child
        self._gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._on_exit)

    @classmethod
    def of_child(cls, child: "subprocess.Popen[bytes]") -> Self:
        """Watch a child that was just started."""
        descriptor = os.pidfd_open(child.pid)
        # A child is not reaped before `_on_exit`, so its id is its own even if it has ended already.
        return cls(ProcessIdentity(child.pid, _stat(child.pid)[1]), descriptor, child)

    @classmethod
    def of_pid(cls, pid: int) -> Self | None:
        """Watch whoever has this id now, None if nobody has."""
        identity = identity_of(pid)
        return None if identity is None else cls.of_identity(identity)

    @classmethod
    def of_identity(cls, identity: ProcessIdentity) -> Self | None:
        """Watch a process of an earlier `up`, None if it has ended."""
        try:
            descriptor = os.pidfd_open(identity.pid)
        except OSError:
            return None
        # Compared after opening: from here on the descriptor means this very process.
        if identity_of(identity.pid) != identity:
            os.close(descriptor)
            return None
        return cls(identity, descriptor, None)

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def is_alive(self) -> bool:
        return not self._gone.is_set()

    @property
    def exit_text(self) -> str:
        """How it ended, in words; only known of our own children."""
        code = None if self._child is None else self._child.returncode
        if code is None:
            return "ended"
        if code < 0:
            return f"was ended by {_signal_name(-code)}"
        return f"ended with exit code {code}"

    async def exited(self) -> None:
        """Wait until the process is gone."""
        await self._gone.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if the process is gone."""
        if not self._gone.is_set():
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except ProcessLookupError:
                self._on_exit()

    async def end(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL if it is still there after the grace time."""
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await self._gone.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self._gone.wait()

    def _on_exit(self) -> None:
        if self._gone.is_set():
            return
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        if self._child is not None:
            self._child.wait()
        self._gone.set()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Most of the real-time signals have no name.
        return f"signal {number}"


async def adopt_or_end(
    record: Path,
    adoptable: Callable[[dict[str, Any], RunningProcess], Awaitable[bool]],
    *,
    grace_seconds: float,
) -> RunningProcess | None:
    """Take over the process that a record file of an earlier `up` names (`pid`, `startTicks`), or end it.

    Returns the process if it lives and `adoptable` says yes; otherwise it is ended and the record removed.
    """
    document = read_json(record) or {}
    identity = ProcessIdentity.from_document(document)
    process = RunningProcess.of_identity(identity) if identity is not None else None
    if process is not None:
        if await adoptable(document, process):
            return process
        await process.end(grace_seconds)
    remove(record)
    return None
