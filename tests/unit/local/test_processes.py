"""Processes, told apart for certain."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pointsman.local.processes import ProcessIdentity, RunningProcess, adopt_or_end, identity_of
from pointsman.local.state import to_json

STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
)


def start(
    code: str = "import signal; signal.pause()", command: tuple[bytes, ...] = ()
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command or [sys.executable, "-c", code], stdout=subprocess.PIPE)


async def test_exit_is_noticed_and_told_in_words() -> None:
    process = RunningProcess.of_child(start())
    assert process.is_alive
    process.send(signal.SIGKILL)
    await process.exited()
    assert not process.is_alive
    assert process.exit_text == "was ended by SIGKILL"
    process.send(signal.SIGTERM)


async def test_a_signal_without_a_name_is_told() -> None:
    process = RunningProcess.of_child(start())
    psutil.Process(process.pid).send_signal(signal.SIGRTMIN + 1)
    await process.exited()
    assert process.exit_text == f"was ended by signal {signal.SIGRTMIN + 1}"


async def test_a_command_whose_name_is_no_text_is_a_process_like_any_other(tmp_path: Path) -> None:
    command = os.fsencode(tmp_path) + b"/) \xff ("
    os.symlink("/bin/sleep", command)
    process = RunningProcess.of_child(start(command=(command, b"60")))
    assert identity_of(process.pid) == process.identity
    await process.end(1.0)


async def test_an_exit_code_is_told() -> None:
    process = RunningProcess.of_child(start("raise SystemExit(3)"))
    await process.exited()
    assert process.exit_text == "ended with exit code 3"


async def test_one_that_ignores_sigterm_is_killed() -> None:
    child = start(STUBBORN)
    assert child.stdout is not None
    child.stdout.readline()
    process = RunningProcess.of_child(child)
    await process.end(grace_seconds=0.1)
    assert process.exit_text == "was ended by SIGKILL"


async def test_a_process_with_the_same_id_and_another_start_is_another() -> None:
    child = start()
    process = RunningProcess.of_child(child)
    identity = process.identity
    assert identity_of(child.pid) == identity
    assert RunningProcess.of_identity(replace(identity, start_ticks=identity.start_ticks - 1)) is None
    await process.end(1.0)
    assert identity_of(child.pid) is None


def test_what_is_no_identity_is_none() -> None:
    assert ProcessIdentity.from_document({"pid": "1", "startTicks": 2}) is None
    assert identity_of(2**22 + 1) is None


class TestAdoptOrEnd:
    @pytest.fixture
    def record(self, tmp_path: Path) -> Path:
        return tmp_path / "engine.json"

    async def test_a_process_that_is_wanted_lives_on(self, record: Path) -> None:
        child = start()
        record.write_bytes(to_json(RunningProcess.of_child(child).identity.to_document()))
        process = await adopt_or_end(record, self.answer(True), grace_seconds=1)
        assert process is not None
        assert process.is_alive
        await process.end(1.0)

    async def test_a_process_that_is_not_wanted_is_ended(self, record: Path) -> None:
        watched = RunningProcess.of_child(start())
        record.write_bytes(to_json(watched.identity.to_document()))
        assert await adopt_or_end(record, self.answer(False), grace_seconds=1) is None
        await asyncio.wait_for(watched.exited(), 30)
        assert not record.exists()

    async def test_another_process_with_that_id_is_left_alone(self, record: Path) -> None:
        """A record whose process is long gone must not end whoever has the id now: here, this test."""
        own = identity_of(os.getpid())
        assert own is not None
        record.write_bytes(to_json(replace(own, start_ticks=own.start_ticks - 1).to_document()))
        assert await adopt_or_end(record, self.answer(False), grace_seconds=1) is None
        assert not record.exists()

    async def test_a_record_that_is_none_is_removed(self, record: Path) -> None:
        record.write_text("half a rec")
        assert await adopt_or_end(record, self.answer(True), grace_seconds=1) is None
        assert not record.exists()

    def answer(self, wanted: bool) -> Any:
        async def says(document: dict[str, Any], process: RunningProcess) -> bool:
            return wanted

        return says
