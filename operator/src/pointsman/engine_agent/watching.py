"""Asking an engine again and again whether it answers."""

import asyncio
from collections.abc import Awaitable, Callable

from pointsman.engine_agent.asking import Engine
from pointsman.engine_agent.engine_metrics import Readings
from pointsman.engine_agent.liveness import Liveness, Patience, Verdict
from pointsman.engine_agent.steps import Steps

SILENT = "the engine does not answer"
STALLED = "the engine has requests and makes no step"


async def until_it_hangs(engine: Engine, hear: Callable[[Verdict], None], patience: Patience) -> str:
    """Watch a ready engine; return once it should be started again, with the reason in words."""
    silent = asyncio.create_task(until_silent(engine.is_alive, hear, patience))
    stalled = asyncio.create_task(until_stalled(engine.readings, patience))
    try:
        done, _ = await asyncio.wait((silent, stalled), return_when=asyncio.FIRST_COMPLETED)
    finally:
        silent.cancel()
        stalled.cancel()
    for ended in done:
        ended.result()
    return SILENT if silent in done else STALLED


async def until_silent(
    answers: Callable[[], Awaitable[bool]], hear: Callable[[Verdict], None], patience: Patience
) -> None:
    """Ask a ready engine at an interval; return once it should be started again.

    `answers` asks once and is bounded by the patience's timeout; `hear` is told each change between ready and
    not ready.
    """
    loop = asyncio.get_running_loop()
    known, told = Liveness(), Verdict.READY
    while True:
        await asyncio.sleep(patience.interval_seconds)
        asked_at = loop.time()
        known = known.heard(await _in_time(answers, patience.timeout_seconds), asked_at)
        verdict = known.verdict(loop.time(), patience)
        if verdict is Verdict.RESTART:
            return
        if verdict is not told:
            told = verdict
            hear(verdict)


async def until_stalled(readings: Callable[[], Awaitable[Readings | None]], patience: Patience) -> None:
    """Look at the metrics of a ready engine at an interval; return once it should be started again although
    it answers: it has requests, and makes no step.
    """
    loop = asyncio.get_running_loop()
    steps = Steps()
    while not steps.stand_still(loop.time(), patience):
        await asyncio.sleep(patience.look_seconds)
        steps = steps.seen(await readings(), loop.time())


async def _in_time(answers: Callable[[], Awaitable[bool]], timeout_seconds: float) -> bool:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await answers()
    except TimeoutError:
        return False
