"""Child processes that cannot outlive the tests: the kernel kills them when the test process is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

_TETHER = str(Path(__file__).with_name("tether.py"))

# A tether is to the thread that forked, not to its process: so all of them are started by threads that live
# as long as the interpreter.
_SPAWNERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="tether")


def tethered_command(command: Sequence[str]) -> list[str]:
    """The command line that `start_tethered` runs in place of `command`."""
    return [sys.executable, "-I", "-S", _TETHER, str(os.getpid()), *command]


def start_tethered(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Future[subprocess.Popen[bytes]]:
    """Start `command` in a session of its own, its output appended to `log`.

    A command that cannot be run ends with 126 or 127 and a line in the log, as in a shell.
    """

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                tethered_command(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if environment is None else dict(environment),
                cwd=folder,
                start_new_session=True,
            )

    return _SPAWNERS.submit(start)
