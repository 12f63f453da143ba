"""A tethered program begins as a container does, whatever the process that starts it set up for itself."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.processes import REPOSITORY

# A process of its own: its threads inherit what is blocked, those of the tests must not.
_STARTS_ONE_WITH_SIGTERM_BLOCKED = """
import signal, sys
from pathlib import Path
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
from tests.support.cluster.tethered import start_tethered
started = start_tethered(["sleep", "600"], log=Path(sys.argv[1])).result()
started.send_signal(signal.SIGTERM)
print(started.wait(30))
"""


def test_it_ends_when_it_is_asked_to_though_its_starter_blocks_the_signal(tmp_path: Path) -> None:
    starter = subprocess.run(
        [sys.executable, "-c", _STARTS_ONE_WITH_SIGTERM_BLOCKED, str(tmp_path / "log")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert starter.stdout.split() == [str(-signal.SIGTERM)], starter.stderr
