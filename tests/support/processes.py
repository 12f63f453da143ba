"""Processes that tests start: begun, waited for, measured, killed, and shown to be gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import aiohttp
import psutil

from tests.support.clients import require_loopback
from tests.support.polling import eventually, eventually_async

REPOSITORY = Path(__file__).resolve().parents[2]

_LINES_KEPT = 5_000
_END_SECONDS = 30.0


class StartedProcess:
    """A child process in a session of its own. Leaving the `with` block ends it and all its children.

    Output is read all the time: a child never blocks on a full pipe.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.command = tuple(command)
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._process = subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=cwd or REPOSITORY,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line.rstrip("\n"))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number where a signal ended it."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """The last lines it wrote, stdout and stderr together."""
        return "\n".join(self._lines)

    def tree(self) -> list[psutil.Process]:
        """The process and all its descendants that run now."""
        return process_tree(self.pid)

    def rss_bytes(self) -> int:
        """Resident memory of the whole tree."""
        return tree_rss_bytes(self.pid)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9 the process alone; its children are left as a crash would leave them."""
        self.send(signal.SIGKILL)
        self._process.wait(_END_SECONDS)

    def wait(self, timeout_seconds: float) -> int:
        """Its exit code. Raises AssertionError, with its output, when it is not over by then."""
        try:
            code = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self} still runs after {timeout_seconds} s\n{self.output}") from None
        self._reader.join(_END_SECONDS)
        return code

    def end(self, timeout_seconds: float = _END_SECONDS) -> None:
        """SIGTERM to the process; when it is over or late, kill -9 for what is left of its tree."""
        tree = self.tree()
        self.send(signal.SIGTERM)
        psutil.wait_procs(tree[:1], timeout=timeout_seconds)
        for process in tree:
            if process.is_running():
                process.kill()
        psutil.wait_procs(tree, timeout=timeout_seconds)
        self._process.wait(timeout_seconds)
        self._reader.join(timeout_seconds)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> StartedProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def __str__(self) -> str:
        return f"process {self.pid} ({' '.join(self.command)[:120]})"


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


class ProcessEnded(Exception):
    """A process ended while it was waited for; the message has its exit code and output."""


async def wait_until_url_answers(
    url: str,
    timeout_seconds: float = 60.0,
    *,
    process: StartedProcess | None = None,
    accept: Callable[[int], bool] = lambda status: status == 200,
) -> None:
    """Poll `url` until its status is accepted.

    Raises AssertionError past the deadline, ProcessEnded as soon as `process` has ended.
    """
    require_loopback(url)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:

        async def answered() -> bool:
            if process is not None and process.exit_code is not None:
                raise ProcessEnded(f"{process} ended with {process.wait(1)}\n{process.output}")
            try:
                async with session.get(url) as response:
                    assert accept(response.status), f"status {response.status}"
            except (aiohttp.ClientError, TimeoutError) as error:
                raise AssertionError(f"{type(error).__name__}: {error}") from error
            return True

        await eventually_async(answered, timeout_seconds, f"{url} answers")


def process_tree(pid: int) -> list[psutil.Process]:
    """The process and its descendants, parents first; empty when it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def tree_rss_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants; pages they share count in each."""
    total = 0
    for process in process_tree(pid):
        try:
            total += int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return total


def running_with(text: str) -> list[psutil.Process]:
    """The running processes, but this one and its parents, whose command line contains `text`."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.pid in own or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if text in " ".join(process.info["cmdline"] or ()):
            found.append(process)
    return found


def assert_none_left(text: str, timeout_seconds: float = 30.0) -> None:
    """Assert that no process whose command line contains `text` (a state folder, say) runs any more."""

    def none_left() -> bool:
        left = running_with(text)
        assert not left, f"left behind: {[process.pid for process in left]}"
        return True

    eventually(none_left, timeout_seconds, f"no process with {text} runs")
