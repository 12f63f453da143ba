"""One run of a container: a process, the signals it gets, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.cluster.tethered import start_tethered
from tests.support.polling import eventually_async

_MOUNTED_SECONDS = 60.0  # some ten milliseconds on an idle machine


class ContainerProcess:
    """A started process in a session of its own. Lives on one event loop."""

    def __init__(self, child: subprocess.Popen[bytes], *, is_parent: bool) -> None:
        """`is_parent`: the child is not the container's process but the tether that has it as its child."""
        self._child = child
        self._is_parent = is_parent
        self._ended = asyncio.Event()
        self._descriptor = os.pidfd_open(child.pid)
        asyncio.get_running_loop().add_reader(self._descriptor, self._reap)

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> ContainerProcess:
        """Start; a program that is not there ends with 127, as a shell says it."""
        starting = asyncio.wrap_future(
            start_tethered(command, log=log, environment=environment, folder=folder)
        )
        try:
            started = cls(await asyncio.shield(starting), is_parent="--mounts" in command)
        except asyncio.CancelledError:
            starting.add_done_callback(_end_unwanted)  # it starts although nobody waits for it any more
            raise
        try:
            await started._first_process()
        except asyncio.CancelledError:
            started.kill()
            raise
        return started

    async def _first_process(self) -> None:
        """Wait for the tether to have made its child, or to have failed."""
        if self._is_parent:
            await eventually_async(
                lambda: not self.is_running or self._children(), _MOUNTED_SECONDS, "a container begins"
            )

    def _children(self) -> list[str]:
        tether = self._child.pid
        return Path(f"/proc/{tether}/task/{tether}/children").read_text().split()

    @property
    def pid(self) -> int:
        """The container's first process, as this machine counts."""
        assert self.is_running, "it has ended"
        return int(self._children()[0]) if self._is_parent else self._child.pid

    @property
    def is_running(self) -> bool:
        return not self._ended.is_set()

    @property
    def exit_code(self) -> int:
        """As a container runtime counts: 128 and the signal's number for one that a signal ended."""
        code = self._child.returncode
        assert code is not None, "it has not ended"
        return 128 - code if code < 0 else code

    async def ended(self) -> None:
        await self._ended.wait()

    def send(self, number: signal.Signals) -> None:
        """A signal to the first process alone, as to the first of a container."""
        if self.is_running:
            self._child.send_signal(number)

    def kill(self) -> None:
        """kill -9 for the whole session."""
        if self.is_running:
            self._kill_session()

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, and kill -9 when the grace is over."""
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(max(0.0, grace_seconds)):
                await self._ended.wait()
        except TimeoutError:
            self.kill()
            await self._ended.wait()

    def _kill_session(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        # What the first process of a container leaves ends with it; the id is ours until it is reaped.
        self._kill_session()
        self._child.wait()
        self._ended.set()


def _end_unwanted(starting: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().kill()
        starting.result().wait()
