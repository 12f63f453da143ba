"""Asking an engine again and again whether it answers."""

import asyncio
from collections.abc import Awaitable, Callable

from pointsman.engine_agent.liveness import Liveness, Patience, Verdict


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


async def _in_time(answers: Callable[[], Awaitable[bool]], timeout_seconds: float) -> bool:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await answers()
    except TimeoutError:
        return False
