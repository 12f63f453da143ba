"""Startup, liveness and readiness of one running container, in a kubelet's order and with its defaults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.cluster.process_node.actions import ActionFailed

_SETTINGS = (
    "initialDelaySeconds",
    "periodSeconds",
    "timeoutSeconds",
    "failureThreshold",
    "successThreshold",
    "terminationGracePeriodSeconds",
)

Act = Callable[[Mapping[str, Any], float], Awaitable[None]]


@dataclass(frozen=True)
class Probe:
    """One probe; times in seconds. The defaults are those of the API."""

    kind: str
    action: Mapping[str, Any]
    initial_delay: float
    period: float
    timeout: float
    failures: int
    successes: int

    @classmethod
    def of(cls, container: Mapping[str, Any], kind: str, longest_period: float) -> Probe | None:
        """The container's `startup`, `liveness` or `readiness` probe, at least every `longest_period`."""
        stated = container.get(f"{kind}Probe")
        if stated is None:
            return None
        return cls(
            kind,
            {key: value for key, value in stated.items() if key not in _SETTINGS},
            stated.get("initialDelaySeconds", 0),
            min(longest_period, stated.get("periodSeconds", 10)),
            stated.get("timeoutSeconds", 1),
            stated.get("failureThreshold", 3),
            stated.get("successThreshold", 1),
        )


async def watch_health(
    container: Mapping[str, Any],
    act: Act,
    *,
    longest_period: float,
    started: Callable[[], None],
    ready: Callable[[bool], None],
    unhealthy: Callable[[str, str], None],
) -> str:
    """Probe until the container must be killed; returns the kind of the probe that wants it.

    `started` is called once, `ready` at each change, `unhealthy` (kind, words) at each failure. Without
    probes it waits for ever, so that it is cancelled when the container ends.
    """
    startup = Probe.of(container, "startup", longest_period)
    if startup is not None and not await _settled(startup, act, unhealthy):
        return "startup"
    started()
    liveness = Probe.of(container, "liveness", longest_period)
    readiness = Probe.of(container, "readiness", longest_period)
    if readiness is None:
        ready(True)
    else:
        following = asyncio.create_task(_follow(readiness, act, ready, unhealthy))
    try:
        if liveness is None:
            await asyncio.Event().wait()
        else:
            await _until_failed(liveness, act, unhealthy)
    finally:
        if readiness is not None:
            following.cancel()
    return "liveness"


async def _settled(probe: Probe, act: Act, unhealthy: Callable[[str, str], None]) -> bool:
    """Whether the probe succeeded before it failed for good."""
    await asyncio.sleep(probe.initial_delay)
    for attempt in range(probe.failures):
        if attempt:
            await asyncio.sleep(probe.period)
        if await _succeeds(probe, act, unhealthy):
            return True
    return False


async def _until_failed(probe: Probe, act: Act, unhealthy: Callable[[str, str], None]) -> None:
    await asyncio.sleep(probe.initial_delay)
    failed = 0
    while failed < probe.failures:
        failed = 0 if await _succeeds(probe, act, unhealthy) else failed + 1
        if failed < probe.failures:
            await asyncio.sleep(probe.period)


async def _follow(
    probe: Probe, act: Act, ready: Callable[[bool], None], unhealthy: Callable[[str, str], None]
) -> None:
    await asyncio.sleep(probe.initial_delay)
    in_a_row, last, told = 0, False, False
    while True:
        success = await _succeeds(probe, act, unhealthy)
        in_a_row = in_a_row + 1 if success == last else 1
        last = success
        if success != told and in_a_row >= (probe.successes if success else probe.failures):
            told = success
            ready(success)
        await asyncio.sleep(probe.period)


async def _succeeds(probe: Probe, act: Act, unhealthy: Callable[[str, str], None]) -> bool:
    try:
        await act(probe.action, probe.timeout)
    except ActionFailed as failed:
        unhealthy(probe.kind, str(failed))
        return False
    return True
