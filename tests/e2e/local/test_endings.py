"""`up` ends in order whatever became of the terminal, and whenever it is told to."""

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pointsman.local.state import StateFolder
from tests.e2e.local.running_up import assert_no_engine_left, engines_below, gemma, pointsman
from tests.support import manifests
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.processes import REPOSITORY, assert_none_left, running_with

WITHIN_SECONDS = 60.0


@dataclass
class Talking:
    """An `up` with a standard output of the test's choice."""

    process: "subprocess.Popen[bytes]"
    state: StateFolder


@contextmanager
def talking_to(stdout: int, folder: Path, cache: Path) -> Iterator[Talking]:
    made = folder / "manifests"
    made.mkdir()
    manifests.write_manifests(made / "chat.yaml", gemma())
    command = pointsman("up", str(made), f"--listen=127.0.0.1:{free_port()}", f"--state-dir={folder}/state")
    process = subprocess.Popen(
        command,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    state = StateFolder(folder / "state")
    try:
        eventually(lambda: _is_ready(state), WITHIN_SECONDS, "it serves")
        yield Talking(process, state)
    finally:
        process.kill()
        process.wait()
        for one in [*running_with(str(folder)), *engines_below(folder)]:
            one.kill()


def _is_ready(state: StateFolder) -> bool:
    return any(one.get("status", {}).get("readyReplicas") for one in state.objects("ModelDeployment"))


def _ends(one: Talking, number: signal.Signals, folder: Path) -> None:
    engines = list(one.state.engines.glob("*.json"))
    assert engines
    one.process.send_signal(number)
    assert one.process.wait(60) == 0
    assert one.process.stderr is not None
    assert one.process.stderr.read() == b""
    assert list(one.state.engines.glob("*.json")) == []
    assert_none_left(str(folder))
    assert_no_engine_left(folder)


def test_a_closed_terminal_window_ends_it(tmp_path: Path, cache: Path) -> None:
    ours, its = pty.openpty()
    with talking_to(its, tmp_path, cache) as one:
        os.close(its)
        os.close(ours)
        _ends(one, signal.SIGHUP, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_reader_that_went_away_keeps_it_neither_from_serving_nor_from_ending(
    tmp_path: Path, cache: Path, number: signal.Signals
) -> None:
    reading, writing = os.pipe()
    with talking_to(writing, tmp_path, cache) as one:
        os.close(writing)
        os.close(reading)
        manifests.write_manifests(tmp_path / "manifests" / "chat.yaml", gemma(replicas=0))
        eventually(lambda: not _is_ready(one.state), WITHIN_SECONDS, "the edit is taken")
        manifests.write_manifests(tmp_path / "manifests" / "chat.yaml", gemma())
        eventually(lambda: _is_ready(one.state), WITHIN_SECONDS, "it serves again")
        _ends(one, number, tmp_path)
