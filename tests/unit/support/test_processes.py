"""Processes are waited for, measured, killed, and none is left."""

from __future__ import annotations

import os
import signal
import sys
import uuid

import pytest

from tests.support.behaviour import Behaviour, Fault
from tests.support.clients import Ending, OpenAIClient
from tests.support.engine_process import EngineProcess
from tests.support.event_loop_thread import EventLoopThread
from tests.support.polling import eventually
from tests.support.ports import free_ports
from tests.support.processes import (
    ProcessEnded,
    StartedProcess,
    assert_none_left,
    process_tree,
    running_with,
    wait_until_url_answers,
)

SLEEP = "import time; time.sleep(60)"
PARENT_OF_A_SLEEPER = (
    f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}, sys.argv[1]])"
)


async def test_an_engine_process_answers_until_it_is_killed() -> None:
    with EngineProcess("b", served_names=["m"], behaviour=Behaviour(chunks=500, gap_seconds=0.01)) as engine:
        await engine.ready()
        async with OpenAIClient(engine.url) as client:
            answer = await client.stream_chat(
                "m", on_event=lambda event: engine.send(signal.SIGKILL) if "t3" in event.data else None
            )
            gone = await client.chat("m")
        assert answer.ending is Ending.TRUNCATED
        assert answer.text.startswith("b t1 t2 t3 ")
        assert gone.ending is Ending.CONNECTION_FAILED
        assert engine.wait(30) == -signal.SIGKILL


async def test_an_engine_process_is_steered_and_read_through_its_control_endpoint() -> None:
    with EngineProcess("b") as engine:
        await engine.ready()
        async with OpenAIClient(engine.url) as client:
            await engine.control.set_model("m", Behaviour(Fault.STATUS, status=503))
            await engine.control.queue(Behaviour(Fault.RATE_LIMITED))
            statuses = [(await client.chat(model)).status for model in ("m", "m", "x")]
            await engine.control.set_gauges(waiting=3, healthy=0)
            health = await client.request("GET", "/health")
        seen = await engine.control.requests()
        with pytest.raises(ValueError, match="no gauge"):
            await engine.control.set_gauges(colour=1)
        await engine.control.clear()
        counts = await engine.control.counts()
    assert statuses == [429, 503, 200]
    assert health.status == 503
    assert [record.model for record in seen] == ["m", "m", "x"]
    assert counts["total"] == 0


async def test_a_process_that_ends_early_is_told_with_its_output() -> None:
    with (
        StartedProcess([sys.executable, "-c", "print('no such option'); raise SystemExit(3)"]) as process,
        pytest.raises(ProcessEnded, match="ended with 3\nno such option"),
    ):
        await wait_until_url_answers("http://127.0.0.1:9", process=process)


def test_memory_is_that_of_the_whole_tree() -> None:
    code = "import sys; print('up', flush=True); x = bytearray(60_000_000); sys.stdin.read()"
    with StartedProcess([sys.executable, "-c", f"{code}; import time; time.sleep(60)"]) as process:
        eventually(lambda: process.rss_bytes() > 60_000_000, 30, "the process has filled its memory")
        assert process.rss_bytes() < 200_000_000


def test_what_a_killed_parent_leaves_is_found() -> None:
    mark = uuid.uuid4().hex
    with StartedProcess([sys.executable, "-c", PARENT_OF_A_SLEEPER, mark]) as process:
        eventually(lambda: len(running_with(mark)) == 2, 30, "the parent and its child run")
        process.kill()
        with pytest.raises(AssertionError, match="left behind"):
            assert_none_left(mark, timeout_seconds=0.2)
        for orphan in running_with(mark):
            orphan.kill()
        assert_none_left(mark)


def test_the_end_of_a_process_takes_its_children_along() -> None:
    mark = uuid.uuid4().hex
    with StartedProcess([sys.executable, "-c", PARENT_OF_A_SLEEPER, mark]) as process:
        eventually(lambda: len(running_with(mark)) == 2, 30, "the parent and its child run")
        pid = process.pid
    assert process_tree(pid) == []
    assert_none_left(mark)


def test_ports_are_handed_out_once() -> None:
    assert len(set(free_ports(50))) == 50


def test_a_coroutine_runs_on_its_thread_and_not_past_its_deadline() -> None:
    async def own_pid() -> int:
        return os.getpid()

    with EventLoopThread() as thread:
        assert thread.call(own_pid()) == os.getpid()
