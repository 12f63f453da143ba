"""Keeping a deployment's engines as wanted, with real processes that answer like an engine."""

import asyncio
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from pointsman.local.engines.plan import Phase, ReplicaView
from pointsman.local.engines.supervisor import Supervisor, Wanted
from tests.e2e.local.running_up import runs
from tests.e2e.local.supervised import (
    SHORT_BUDGET_SECONDS,
    SPEC,
    WITHIN_SECONDS,
    Engines,
    behaving,
    phases,
    ready,
    until,
)
from tests.support.polling import eventually_async
from tests.support.processes import running_with


async def test_replicas_get_ready_each_on_a_port_of_its_own(engines: Engines) -> None:
    supervisor = engines.supervise()
    await ready(supervisor, SPEC, replicas=2)
    ports = {view.port for view in supervisor.views}
    assert len(ports) == 2
    assert set(engines.records().values()) == ports


async def test_scaling_touches_nothing_else(engines: Engines) -> None:
    supervisor = engines.supervise()
    await ready(supervisor, SPEC)
    (first,) = engines.records()
    await ready(supervisor, SPEC, replicas=3)
    assert first in engines.records()
    await ready(supervisor, SPEC)
    assert set(engines.records()) == {first}


async def test_a_crashed_replica_leaves_the_endpoints_at_once_and_comes_back(engines: Engines) -> None:
    supervisor = engines.supervise()
    await ready(supervisor, SPEC, replicas=2)
    killed, other = engines.records()
    port = engines.records()[killed]
    psutil.Process(killed).kill()
    await until(supervisor, lambda views: port not in {view.port for view in views}, "the endpoint is gone")
    troubled = next(view.trouble for view in supervisor.views if view.trouble is not None)
    assert troubled.reason == "EngineExited"
    assert "SIGKILL" in troubled.message
    await until(supervisor, lambda views: [v.phase for v in views] == [Phase.READY] * 2, "both ready")
    assert other in engines.records()
    assert killed not in engines.records()


async def test_one_that_dies_at_start_says_its_last_words_and_is_tried_again(engines: Engines) -> None:
    supervisor = engines.supervise()
    supervisor.want(Wanted(behaving("dies"), 1, 1.0))
    await until(supervisor, lambda views: views and views[0].trouble is not None, "trouble")
    trouble = supervisor.views[0].trouble
    assert trouble is not None
    assert trouble.reason == "EngineDiedAtStart"
    assert "ended with exit code 3: srv: the model file is damaged" in trouble.message
    log = engines.state.log_path("default.chat.0")
    await eventually_async(
        lambda: log.read_text().count("starting") >= 3, WITHIN_SECONDS, "it was started three times"
    )
    # Every attempt says the same: nothing flaps.
    assert {view.trouble for view in supervisor.views} == {trouble}
    await ready(supervisor, SPEC)


NEVER_READY = {
    "it never tells a port": (
        "mute",
        "NotReadyInTime",
        f"no first token within {SHORT_BUDGET_SECONDS:g} s",
    ),
    "it answers 503 for ever": ("loading", "NotReadyInTime", "answers 503"),
    "it refuses the request": ("refuses", "FirstTokenRefused", "answers 400"),
}


@pytest.mark.parametrize(("behaviour", "reason", "words"), NEVER_READY.values(), ids=NEVER_READY.keys())
async def test_one_that_never_gets_ready_is_ended_and_says_why(
    engines: Engines, behaviour: str, reason: str, words: str
) -> None:
    engines.budget_seconds = SHORT_BUDGET_SECONDS
    supervisor = engines.supervise()
    supervisor.want(Wanted(behaving(behaviour), 1, 1.0))

    def given_up(views: tuple[ReplicaView, ...]) -> bool:
        """Its first process may be too slow to say anything within the budget: then the next one says it."""
        waiting = [view.trouble for view in views if view.phase is Phase.WAITING]
        return any(why is not None and why.reason == reason and words in why.message for why in waiting)

    await until(supervisor, given_up, "given up")


async def test_a_changed_spec_replaces_replicas_when_the_new_ones_can_answer(engines: Engines) -> None:
    supervisor = engines.supervise()
    await ready(supervisor, SPEC, replicas=2)
    former = set(engines.records())
    await ready(supervisor, replace(SPEC, context_length=1024), replicas=2)
    assert former.isdisjoint(engines.records())


async def test_a_changed_spec_that_never_gets_ready_leaves_the_former_serving(engines: Engines) -> None:
    supervisor = engines.supervise()
    await ready(supervisor, SPEC)
    (former,) = engines.records()
    engines.budget_seconds = SHORT_BUDGET_SECONDS
    supervisor.want(Wanted(behaving("loading"), 1, 1.0))
    await until(
        supervisor, lambda views: any(view.phase is Phase.WAITING for view in views), "the new one failed"
    )
    assert [view.phase for view in supervisor.views if view.spec_hash == SPEC.hash] == [Phase.READY]
    assert former in engines.records()
    # Taking the edit back ends the failing one and touches nothing else.
    await ready(supervisor, SPEC)
    assert set(engines.records()) == {former}


async def test_a_replica_drains_until_nothing_runs(engines: Engines, tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.touch()
    supervisor = engines.supervise()
    await ready(supervisor, behaving("serves", RUNNING_FILE=str(running)))
    (former,) = engines.records()
    supervisor.want(Wanted(SPEC, 1, 60.0))
    await until(supervisor, lambda views: phases(supervisor) == [Phase.DRAINING, Phase.READY], "drains")
    assert runs(former)
    running.unlink()
    await until(supervisor, lambda views: phases(supervisor) == [Phase.READY], "drained")
    assert not runs(former)


async def test_a_drain_ends_after_its_timeout_and_says_so(engines: Engines, tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.touch()
    supervisor = engines.supervise()
    await ready(supervisor, behaving("serves", RUNNING_FILE=str(running)))
    supervisor.want(Wanted(SPEC, 0, 1.5))
    await until(supervisor, lambda views: views == (), "cut")
    assert any("drain.timeout" in line for line in engines.said)


async def test_too_little_memory_starts_what_fits_and_the_rest_later(engines: Engines) -> None:
    engines.rooms = [1, *[0] * 1000]
    supervisor = engines.supervise()
    supervisor.want(Wanted(SPEC, 2, 1.0))
    await eventually_async(
        lambda: len(engines.rooms) < 1000, WITHIN_SECONDS, "it was told that there is no room"
    )
    assert len(supervisor.views) == 1
    engines.rooms.clear()
    await until(supervisor, lambda views: phases(supervisor) == [Phase.READY] * 2, "two are ready")


@dataclass(frozen=True)
class Left:
    """What an `up` that was killed leaves: its engines and their records, and nobody who watches them."""

    pids: frozenset[int]


async def leave(supervisor: Supervisor, engines: Engines) -> Left:
    """Stop watching as kill -9 does: no process is ended, no record removed."""
    supervisor._task.cancel()
    for replica in supervisor._replicas.values():
        await replica._stop_living()
    return Left(frozenset(engines.records()))


async def test_the_next_start_adopts_what_is_as_wanted(engines: Engines) -> None:
    first = engines.supervise()
    await ready(first, SPEC, replicas=2)
    left = await leave(first, engines)
    second = engines.supervise()
    await ready(second, SPEC, replicas=2)
    assert set(engines.records()) == left.pids
    # An adopted engine is watched like any other.
    psutil.Process(min(left.pids)).kill()
    await until(second, lambda views: any(view.trouble for view in views), "its end is noticed")


async def test_the_next_start_ends_what_is_one_too_many(engines: Engines) -> None:
    """Scaled down while nothing ran: the surplus is adopted first, and drained like any other."""
    first = engines.supervise()
    await ready(first, SPEC, replicas=2)
    left = await leave(first, engines)
    await ready(engines.supervise(), SPEC, replicas=1)

    def one_is_kept() -> bool:
        kept = list(engines.records())
        return len(kept) == 1 and [pid for pid in left.pids if runs(pid)] == kept

    # It counts as settled already after the first was adopted, too.
    await eventually_async(one_is_kept, WITHIN_SECONDS, "one of them is kept")


async def test_an_end_during_adoption_ends_what_was_left(engines: Engines) -> None:
    first = engines.supervise()
    await ready(first, SPEC, replicas=2)
    left = await leave(first, engines)
    second = engines.supervise()
    second.want(Wanted(SPEC, 2, 1.0))
    # One turn: it has begun to ask the first engine for a token.
    await asyncio.sleep(0)
    await second.end()
    assert not any(runs(pid) for pid in left.pids)
    assert engines.records() == {}


async def test_the_next_start_ends_what_is_not_as_wanted(engines: Engines) -> None:
    first = engines.supervise()
    await ready(first, SPEC)
    left = await leave(first, engines)
    await ready(engines.supervise(), replace(SPEC, context_length=1024))
    assert left.pids.isdisjoint(engines.records())
    assert not any(runs(pid) for pid in left.pids)


async def test_the_next_start_ends_one_that_hangs(engines: Engines) -> None:
    first = engines.supervise()
    await ready(first, SPEC, replicas=2)
    left = await leave(first, engines)
    hung = min(left.pids)
    psutil.Process(hung).send_signal(signal.SIGSTOP)
    await ready(engines.supervise(), SPEC, replicas=2)
    assert not runs(hung)
    assert max(left.pids) in engines.records()


async def test_the_next_start_ends_one_that_was_not_ready(engines: Engines) -> None:
    first = engines.supervise()
    first.want(Wanted(behaving("mute"), 1, 1.0))
    await eventually_async(lambda: bool(engines.records()), WITHIN_SECONDS, "it was started")
    left = await leave(first, engines)
    await ready(engines.supervise(), SPEC)
    assert not any(runs(pid) for pid in left.pids)


async def test_a_secret_reaches_the_engine_and_no_file_and_no_command_line(engines: Engines) -> None:
    supervisor = engines.supervise()
    await ready(supervisor, behaving("serves", TOKEN="hush-hush"))
    (pid,) = engines.records()
    assert psutil.Process(pid).environ()["TOKEN"] == "hush-hush"
    assert not running_with("hush-hush")
    kept = [path for path in engines.state.path.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"hush-hush" in path.read_bytes() for path in kept)
    assert "hush-hush" not in repr(behaving("serves", TOKEN="hush-hush"))


async def test_an_engine_gets_no_keys_of_ours(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    supervisor = engines.supervise()
    await ready(supervisor, SPEC)
    (pid,) = engines.records()
    assert "OPENAI_API_KEY" not in psutil.Process(pid).environ()


async def test_ending_is_quick_whatever_runs(engines: Engines, tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.touch()
    supervisor = engines.supervise()
    await ready(supervisor, behaving("serves", RUNNING_FILE=str(running)), replicas=2, drain_seconds=600.0)
    async with asyncio.timeout(60):
        await supervisor.end()
    assert engines.records() == {}
