"""Starting one engine process."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pointsman.local.engines.spec import EngineSpec
from pointsman.local.processes import RunningProcess

# What an engine may need of our own environment. Keys that `up` was given for hosted models are none of its
# business.
_PASSED = frozenset(
    ("PATH", "HOME", "USER", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
)
_PASSED_PREFIXES = ("LC_", "GGML_", "LLAMA_", "OMP_", "CUDA_", "HIP_", "XDG_")

# A longer log is put aside at the next start; engines that are left alone write warnings only.
_LOG_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Launched:
    """A started process; `port` is told when it listens, and fails with EOFError if it never will."""

    process: RunningProcess
    port: "asyncio.Future[int]"
    log_begin: int


class Launcher:
    """Starts engines. `command` is the process to run: llama.cpp's, or in tests a stand-in."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-m", "pointsman.local.llamacpp")) -> None:
        self._command = command

    def launch(self, spec: EngineSpec, threads: int, log: Path) -> Launched:
        """Start the process in a session of its own: a Ctrl-C, or our end by force, does not reach it.

        Raises OSError or ValueError if the process cannot be started.
        """
        loop = asyncio.get_running_loop()
        reading, telling = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.set_blocking(telling, True)
            child, log_begin = self._spawn(spec, threads, log, telling)
        except (OSError, ValueError):
            os.close(reading)
            raise
        finally:
            os.close(telling)
        port: asyncio.Future[int] = loop.create_future()
        loop.add_reader(reading, _hear, loop, reading, bytearray(), port)
        return Launched(RunningProcess.of_child(child), port, log_begin)

    def _spawn(
        self, spec: EngineSpec, threads: int, log: Path, telling: int
    ) -> "tuple[subprocess.Popen[bytes], int]":
        # A file in memory, so that a long chat template cannot fill a pipe that nobody reads yet.
        told = os.memfd_create("engine-spec")
        try:
            os.write(told, json.dumps({**spec.to_document(threads), "tell": telling}).encode())
            os.lseek(told, 0, os.SEEK_SET)
            _put_aside(log)
            with log.open("ab") as output:
                child = subprocess.Popen(
                    self._command,
                    stdin=told,
                    stdout=output,
                    stderr=output,
                    env=engine_environment(os.environ, spec.environment),
                    pass_fds=[telling],
                    start_new_session=True,
                )
                return child, output.tell()
        finally:
            os.close(told)


def engine_environment(own: Mapping[str, str], stated: Mapping[str, str]) -> dict[str, str]:
    """The variables of an engine: the few of ours that it needs, and what `engine.env` states."""
    passed = {
        name: value for name, value in own.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    return {**passed, "PYTHONUNBUFFERED": "1", **stated}


def _put_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _hear(
    loop: asyncio.AbstractEventLoop, reading: int, heard: bytearray, port: "asyncio.Future[int]"
) -> None:
    heard += (part := os.read(reading, 4096))
    if part:
        return
    loop.remove_reader(reading)
    os.close(reading)
    if port.cancelled():
        return
    try:
        port.set_result(int(json.loads(heard)["port"]))
    except (ValueError, KeyError):
        port.set_exception(EOFError("the engine told no port"))
        # The process's own end says more; whoever waits for it need not look at this too.
        port.exception()
