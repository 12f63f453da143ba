"""Signals of one machine: what its engines and its gateway say, asked without a network between."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

from pointsman.api import ObjectKey
from pointsman.engine_agent.engine_metrics import Readings
from pointsman.local.scaling import Machine
from pointsman_autoscaler.signals.memory import PATIENCE, Memory, Patience
from pointsman_autoscaler.signals.page import (
    Row,
    TargetLook,
    engine_sample,
    gateway_looks,
    gateway_rows,
    rows,
)
from pointsman_autoscaler.signals.watched import Blind, Watched
from pointsman_autoscaler.view import View

_GATEWAY = "gateway"
_SHARED_SECONDS = 0.5
"""Models that are looked at together share one look at the gateway."""


class MachineSource:
    look_seconds = 5.0
    """As often as agents are asked in a cluster."""

    def __init__(
        self, machine: Machine, clock: Callable[[], float] = time.time, patience: Patience = PATIENCE
    ) -> None:
        self._machine = machine
        self._clock = clock
        self._patience = patience
        self._memories: dict[ObjectKey, Memory] = {}
        self._turn = asyncio.Lock()
        self._looks: tuple[float, Mapping[str, TargetLook] | None] | None = None

    def forget(self, key: ObjectKey) -> None:
        self._memories.pop(key, None)

    async def view(self, watched: Watched) -> View | Blind:
        key = watched.key
        memory = self._memories.setdefault(key, Memory(self._patience))
        ready = [one.name for one in watched.replicas if one.is_ready and not one.is_draining]
        found = await asyncio.gather(*(self._machine.readings(key, name) for name in ready))
        for name, readings in zip(ready, found, strict=True):
            sample = None if readings is None else engine_sample(self._clock(), _rows(readings))
            if sample is not None:
                memory.saw_engine(name, sample)
        at_seconds, looks = await self._gateway()
        said = {} if looks is None else {_GATEWAY: looks.get(str(key))}
        memory.saw_gateways(at_seconds, said, (_GATEWAY,))
        return memory.view(watched, self._clock())

    async def _gateway(self) -> tuple[float, Mapping[str, TargetLook] | None]:
        """When it was looked at, and what it said; None where Envoy was away."""
        async with self._turn:
            known, now = self._looks, self._clock()
            if known is None or not 0 <= now - known[0] < _SHARED_SECONDS:
                page = await self._machine.gateway_page()
                known = self._looks = (now, gateway_looks(rows(page, gateway_rows())))
            return known


def _rows(readings: Readings) -> Iterator[Row]:
    for family in readings.families:
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
