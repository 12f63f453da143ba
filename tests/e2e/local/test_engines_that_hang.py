"""Engines that live and do not answer, under supervision."""

import signal
from dataclasses import replace

import psutil

from pointsman.local.engines.plan import Phase
from pointsman.local.engines.supervisor import Wanted
from tests.e2e.local.running_up import runs
from tests.e2e.local.supervised import (
    IMPATIENT,
    SPEC,
    Engines,
    phases,
    ready,
    until,
)


async def test_one_that_hangs_leaves_the_endpoints_and_is_started_again(engines: Engines) -> None:
    engines.patience = IMPATIENT
    supervisor = engines.supervise()
    await ready(supervisor, SPEC, replicas=2)
    hung, other = engines.records()
    psutil.Process(hung).send_signal(signal.SIGSTOP)
    await until(supervisor, lambda views: Phase.SILENT in phases(supervisor), "it is noticed")
    (silent,) = (view for view in supervisor.views if view.phase is Phase.SILENT)
    assert silent.port == 0
    assert silent.trouble is not None
    assert silent.trouble.reason == "EngineSilent"
    await until(supervisor, lambda views: not runs(hung), "it is ended")
    await until(supervisor, lambda views: phases(supervisor) == [Phase.READY] * 2, "both are ready")
    assert other in engines.records()
    assert hung not in engines.records()


async def test_one_that_hung_for_a_moment_serves_on(engines: Engines) -> None:
    engines.patience = replace(IMPATIENT, restart_seconds=100.0)
    supervisor = engines.supervise()
    await ready(supervisor, SPEC)
    before = engines.records()
    (pid,) = before
    psutil.Process(pid).send_signal(signal.SIGSTOP)
    await until(supervisor, lambda views: phases(supervisor) == [Phase.SILENT], "it is noticed")
    psutil.Process(pid).send_signal(signal.SIGCONT)
    await ready(supervisor, SPEC)
    assert engines.records() == before
    assert supervisor.views[0].trouble is None


async def test_a_drain_does_not_wait_for_one_that_hangs(engines: Engines) -> None:
    engines.patience = IMPATIENT
    supervisor = engines.supervise()
    await ready(supervisor, SPEC)
    (pid,) = engines.records()
    psutil.Process(pid).send_signal(signal.SIGSTOP)
    supervisor.want(Wanted(SPEC, 0, 300.0))
    await until(supervisor, lambda views: views == (), "it is gone")
    assert not runs(pid)
