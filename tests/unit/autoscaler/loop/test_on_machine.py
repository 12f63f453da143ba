"""The loop over one machine: what it sees of engines and gateway, and what comes of its decisions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.modeldeployment_status import ScalingStatus
from pointsman.catalog import shipped_catalog
from pointsman.engine_agent.engine_metrics import Readings, read
from pointsman.local.numbers import Numbers
from pointsman.local.scaling import EngineSeen
from pointsman_autoscaler.loop.on_machine import MachineScaling
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.view import View
from tests.support.builders import deployment, key
from tests.support.polling import eventually_async

M = key("m")
ENGINE = """# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 4
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 3
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 700
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 900
"""
GATEWAY = """pointsman_gateway_envoy_up 1
pointsman_gateway_active_requests{target="default/m"} 7
pointsman_gateway_attempts_total{route="default/r",rule="0",target="default/m",code="200",class="ok"} 20
"""


@dataclass
class World:
    """A machine without processes."""

    stated: ModelDeployment
    seen: tuple[EngineSeen, ...] = (EngineSeen("0-1.000", 1.0, 3.0, is_ready=True),)
    known_slots: int | None = 4
    numbers: Numbers = field(default_factory=lambda: Numbers(lambda _: None))
    told: list[str] = field(default_factory=list)

    @property
    def live(self) -> Mapping[ObjectKey, ModelDeployment]:
        return self.numbers.live({M: self.stated})

    @property
    def scaled(self) -> Sequence[ObjectKey]:
        return list(self.live)

    def deployment(self, key: ObjectKey) -> ModelDeployment | None:
        return self.live.get(key)

    def is_ours(self, key: ObjectKey) -> bool:
        return self.numbers.is_ours(key)

    def slots(self, key: ObjectKey) -> int | None:
        return self.known_slots

    def replicas(self, key: ObjectKey) -> tuple[EngineSeen, ...]:
        return self.seen

    async def readings(self, key: ObjectKey, replica: str) -> Readings | None:
        return read(ENGINE, shipped_catalog().engines["llama.cpp"], None)

    async def gateway_page(self) -> str:
        return GATEWAY

    def scale(
        self, key: ObjectKey, scaling: ScalingStatus | None, replicas: int | None, told: Sequence[str]
    ) -> None:
        self.numbers.write(key, scaling, replicas)
        self.told += told

    @property
    def state(self) -> tuple[int, str]:
        found = self.live[M]
        return found.spec.replicas, "" if found.status.scaling is None else found.status.scaling.state


@dataclass
class Most:
    """Asks for as many as are allowed, and keeps what it was shown."""

    settings: ScalingSettings
    views: list[View]
    name: str = "most"
    interval_seconds: float = 0.0

    def decide(self, view: View) -> Mapping[str, int]:
        self.views.append(view)
        return {"cpu": self.settings.maximum}


def stated(replicas: int = 1, **scaling: Any) -> ModelDeployment:
    spec = {"scaling": {"maxReplicas": 3, **scaling}}
    return deployment("m", engine="llama.cpp", replicas=replicas, spec=spec)


@asynccontextmanager
async def running(world: World, **how: Any) -> AsyncIterator[list[View]]:
    views: list[View] = []
    scaling = MachineScaling(lambda settings: Most(settings, views), look_seconds=0.01, **how)
    task = asyncio.create_task(scaling.run(world))
    try:
        yield views
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_engines_and_gateway_are_seen_in_the_names_of_every_engine() -> None:
    async with running(World(stated())) as views:
        await eventually_async(lambda: len(views) > 1, 30, "it was decided")
    view = views[0]
    (pod,) = view.pods
    sample = pod.samples[-1]
    assert (sample.running, sample.waiting) == (4, 3)
    assert (sample.prompt_tokens_total, sample.output_tokens_total) == (700, 900)
    assert (view.gateway[-1].requests_total, view.gateway[-1].in_flight) == (7, 7)
    (flavour,) = view.flavours.values()
    assert (flavour.slots, flavour.maximum, flavour.law) == (4, 3, None)
    # It took two seconds to start.
    assert flavour.startup.p50_seconds == 2.0
    assert view.asked == {"cpu": 1}
    assert views[-1].asked == {"cpu": 3}


async def test_a_decision_is_done_and_told() -> None:
    world = World(stated())
    async with running(world):
        await eventually_async(lambda: world.state == (3, "Active"), 30, "it is done")
    assert world.told == ["from 1 to 3: most asks for 3 replicas"]


async def test_advice_is_told_and_not_done() -> None:
    world = World(stated(mode="advise"))
    async with running(world):
        await eventually_async(lambda: world.state == (1, "Advising"), 30, "it is said")
    said = world.live[M].status.scaling
    assert said is not None
    assert said.for_replicas == 3


async def test_a_number_written_into_the_file_stays_for_a_while() -> None:
    world = World(stated())
    async with running(world):
        await eventually_async(lambda: world.state == (3, "Active"), 30, "it is done")
        meta = world.stated.metadata
        written = meta.model_copy(update={"generation": meta.generation + 1})
        world.stated = stated(replicas=2).model_copy(update={"metadata": written})
        await eventually_async(lambda: world.state == (2, "Pinned"), 30, "it is pinned")
    said = world.live[M].status.scaling
    assert said is not None
    assert said.message.startswith("pinned at 2 by the file until ")


async def test_nothing_is_decided_before_its_engines_are_known() -> None:
    world = World(stated(), known_slots=None)
    async with running(world) as views:
        world.known_slots = None
        await eventually_async(lambda: world.state == (1, ""), 30, "nothing is said")
        assert not views
        world.known_slots = 2
        await eventually_async(lambda: bool(views), 30, "it was decided")


@pytest.mark.parametrize("is_ready", [True, False])
async def test_times_of_replicas_pass_as_fast_as_the_clock(is_ready: bool) -> None:
    seen = EngineSeen("0-5.000", 5.0, 6.0 if is_ready else None, is_ready=is_ready)
    async with running(replace(World(stated()), seen=(seen,)), time_of=lambda at: 10 * at) as views:
        await eventually_async(lambda: bool(views), 30, "it was decided")
    (pod,) = views[0].pods
    assert (pod.created_seconds, pod.ready_seconds) == (50.0, 60.0 if is_ready else None)
