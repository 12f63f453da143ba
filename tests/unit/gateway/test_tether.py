"""A program that is tethered ends with whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from pointsman.gateway import tether
from tests.support.polling import eventually

TETHER = [sys.executable, "-I", "-S", str(tether.__file__)]
PARENT = f"""
import os, subprocess
child = subprocess.Popen([*{TETHER!r}, str(os.getpid()), "/bin/sleep", "600"])
print(child.pid, flush=True)
child.wait()
"""


def test_it_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        eventually(lambda: child.name() == "sleep", 30, "it has become the program")
        parent.kill()
        eventually(lambda: not child.is_running(), 30, "it has ended")


def test_without_its_parent_it_does_not_begin() -> None:
    assert subprocess.run([*TETHER, "1", "/bin/sleep", "600"], check=False, timeout=60).returncode == 1


def test_a_program_that_cannot_be_run_is_said() -> None:
    command = [*TETHER, str(os.getpid()), "/nowhere/envoy"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (126, "/nowhere/envoy: No such file or directory\n")
