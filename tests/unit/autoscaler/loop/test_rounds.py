"""When deployments are looked at, and that one in trouble holds up no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.modeldeployment_status import ModelDeploymentStatus, ScalingState, ScalingStatus
from pointsman.errors import PointsmanError
from pointsman.kube.errors import LeadershipLost, Unreachable
from pointsman_autoscaler.loop.metrics import AutoscalerMetrics
from pointsman_autoscaler.loop.rounds import Rounds
from pointsman_autoscaler.loop.steps import Wish
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.signals.memory import Patience
from pointsman_autoscaler.signals.watched import Blind, Watched
from pointsman_autoscaler.view import Flavour, View
from tests.support.builders import deployment, key
from tests.support.polling import eventually_async

A, B = key("a"), key("b")
DARK = Blind("dark")


@dataclass
class World:
    """Deployments, what is seen of them, and what was wanted."""

    deployments: dict[ObjectKey, ModelDeployment] = field(default_factory=dict)
    views: dict[ObjectKey, Blind] = field(default_factory=dict)
    acted: list[tuple[ObjectKey, Wish | Blind]] = field(default_factory=list)
    forgotten: list[ObjectKey] = field(default_factory=list)
    refused: dict[ObjectKey, Exception] = field(default_factory=dict)
    look_seconds: float = 0.01
    room: int = 100
    claimed: dict[ObjectKey, Mapping[str, int]] = field(default_factory=dict)

    def add(self, name: str, most: int = 3, replicas: int = 1) -> None:
        spec = {"scaling": {"maxReplicas": most}}
        uid = {"uid": f"uid-{name}"}
        self.deployments[key(name)] = deployment(name, metadata=uid, replicas=replicas, spec=spec)

    @property
    def keys(self) -> Sequence[ObjectKey]:
        return sorted(self.deployments)

    def deployment(self, key: ObjectKey) -> ModelDeployment | None:
        return self.deployments.get(key)

    def watched(self, key: ObjectKey) -> Watched | None:
        return Watched(key, {"default": Flavour("default", 1.0)}, (), {"default": 1})

    def shared(self, key: ObjectKey, view: View) -> View:
        return view

    def claim(self, key: ObjectKey, replicas: Mapping[str, int]) -> Mapping[str, int]:
        self.claimed[key] = replicas
        return {name: min(count, self.room) for name, count in replicas.items()}

    async def view(self, watched: Watched) -> View | Blind:
        seen = self.views.get(watched.key)
        return seen if seen is not None else View(1.0, watched.flavours, (), (), watched.asked)

    def forget(self, key: ObjectKey) -> None:
        self.forgotten.append(key)

    async def act(self, known: ModelDeployment, wanted: Wish | Blind) -> None:
        if known.key in self.refused:
            raise self.refused[known.key]
        self.acted.append((known.key, wanted))

    def of(self, wanted: ObjectKey) -> list[Wish | Blind]:
        return [wish for key, wish in self.acted if key == wanted]


@dataclass
class Most:
    """Asks for as many as are allowed; fails where that is one, and cannot be made for none."""

    settings: ScalingSettings
    name: str = "most"
    interval_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.settings.maximum == 9:
            raise PointsmanError("it cannot be followed")

    def decide(self, view: View) -> Mapping[str, int]:
        if self.settings.maximum == 1:
            raise ZeroDivisionError
        return {"default": self.settings.maximum}


@dataclass
class Patient(Most):
    interval_seconds: float = 1000.0


@asynccontextmanager
async def running(
    world: World,
    policy: Callable[[ScalingSettings], Policy] = Most,
    patience: Patience | None = None,
    settling_seconds: float = 0.0,
) -> AsyncIterator[tuple[Rounds, asyncio.Task[None]]]:
    patience = patience or Patience(stale_seconds=0.0)
    rounds = Rounds(policy, AutoscalerMetrics(), world.look_seconds, patience, settling_seconds)
    task = asyncio.create_task(rounds.run(world, world, world))
    try:
        yield rounds, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def test_each_is_looked_at_again_and_again() -> None:
    world = World()
    world.add("a", 2)
    world.add("b", 3)
    async with running(world):
        await eventually_async(lambda: min(len(world.of(A)), len(world.of(B))) > 2, 30, "looks")
    assert {wish.total for wish in world.of(A) if isinstance(wish, Wish)} == {2}
    assert {wish.total for wish in world.of(B) if isinstance(wish, Wish)} == {3}


async def test_a_policy_is_asked_at_its_own_times_and_at_once_when_it_is_urgent() -> None:
    world = World()
    world.add("a")
    async with running(world, Patient) as (rounds, _):
        await eventually_async(lambda: len(world.of(A)) == 1, 30, "the first look")
        world.add("b")
        await eventually_async(lambda: len(world.of(B)) == 1, 30, "a round later")
        assert len(world.of(A)) == 1
        rounds.hurry(A)
        await eventually_async(lambda: len(world.of(A)) == 2, 30, "a look at once")


async def test_what_is_urgent_all_the_time_is_looked_at_about_once_a_second() -> None:
    """Of a thousand replicas that are lost one after the other, each is no reason to read all the others."""
    world = World(look_seconds=1000.0)
    world.add("a")
    async with running(world, Patient) as (rounds, _):
        await eventually_async(lambda: len(world.of(A)) == 1, 30, "the first look")
        calls = iter(range(30))

        def all_are_lost() -> bool:
            rounds.hurry(A)
            return next(calls, None) is None

        began = time.monotonic()
        await eventually_async(all_are_lost, 30, "the last is lost")
        assert 1 < len(world.of(A)) <= 3 + (time.monotonic() - began)


async def test_a_policy_that_fails_is_said_and_others_go_on() -> None:
    world = World()
    world.add("a", 1)
    world.add("b", 3)
    async with running(world):
        await eventually_async(lambda: len(world.of(A)) > 1 and len(world.of(B)) > 1, 30, "looks")
    assert set(world.of(A)) == {
        Blind("internal error: ZeroDivisionError; see the log", ScalingState.NOT_DECIDED)
    }


async def test_what_cannot_be_followed_is_said() -> None:
    world = World()
    world.add("a", 9)
    async with running(world):
        await eventually_async(lambda: world.of(A), 30, "a look")
    assert world.of(A)[0] == Blind("it cannot be followed", ScalingState.NOT_DECIDED)


async def test_blindness_is_told_but_not_by_whoever_has_only_begun_to_look() -> None:
    world = World(views={A: DARK})
    world.add("a")
    world.add("b")
    async with running(world, patience=Patience(stale_seconds=1000.0)):
        await eventually_async(lambda: len(world.of(B)) > 3, 30, "looks")
    assert world.of(A) == []
    async with running(world):
        await eventually_async(lambda: world.of(A), 30, "a look")
    assert world.of(A)[0] == DARK


async def test_one_that_cannot_be_looked_at_holds_up_no_other() -> None:
    world = World(refused={A: ValueError("a mistake of ours")})
    world.add("a")
    world.add("b")
    async with running(world):
        await eventually_async(lambda: len(world.of(B)) > 3, 30, "looks")


async def test_one_that_was_switched_off_is_said_to_be_and_is_not_looked_at() -> None:
    world = World()
    world.add("a")
    said = ModelDeploymentStatus(scaling=ScalingStatus(state="Active"))
    spec = {"scaling": {"maxReplicas": 3, "mode": "off"}}
    world.deployments[A] = deployment("a", spec=spec).model_copy(update={"status": said})
    async with running(world):
        await eventually_async(lambda: world.of(A), 30, "a look")
    assert world.of(A)[0] == Wish({})
    assert world.claimed == {}


async def test_what_a_quota_has_no_room_for_is_not_done_and_that_is_said() -> None:
    world = World(room=2)
    world.add("a", 5)
    async with running(world):
        await eventually_async(lambda: world.of(A), 30, "a look")
    assert world.of(A)[0] == Wish({"default": 2}, "most asks for 5 replicas; of these a quota leaves 2")


async def test_other_settings_are_followed_with_what_was_learned() -> None:
    world = World()
    world.add("a")
    made: list[Scaler] = []

    def of(settings: ScalingSettings) -> Scaler:
        made.append(Scaler(settings))
        return made[-1]

    async with running(world, of) as (rounds, _):
        await eventually_async(lambda: made, 30, "a look")
        world.add("a", most=5)
        rounds.hurry(A)
        await eventually_async(lambda: made[0].settings.maximum == 5, 30, "the other maximum")
    assert len(made) == 1


@dataclass
class One(Most):
    def decide(self, view: View) -> Mapping[str, int]:
        return {"default": 1}


async def test_whoever_has_only_begun_to_look_takes_nothing_away() -> None:
    world = World()
    world.add("a", 5, replicas=3)
    world.add("b", 2, replicas=3)
    async with running(world, One, settling_seconds=1000.0):
        await eventually_async(lambda: world.of(B), 30, "a look at one above its maximum")
    assert world.of(A) == []
    async with running(world, One):
        await eventually_async(lambda: world.of(A), 30, "a look")


async def test_whoever_saw_nothing_yet_is_asked_again_at_the_next_look() -> None:
    world = World(views={A: DARK})
    world.add("a")
    async with running(world, Patient, patience=Patience(stale_seconds=1000.0)):
        world.add("b")
        await eventually_async(lambda: world.of(B), 30, "rounds go on")
        del world.views[A]
        await eventually_async(lambda: world.of(A), 30, "it is asked once it sees")


async def test_an_api_server_that_is_away_is_tried_again() -> None:
    world = World(refused={A: Unreachable("away")})
    world.add("a")
    world.add("b")
    async with running(world):
        await eventually_async(lambda: len(world.of(B)) > 1, 30, "the other is looked at")
        del world.refused[A]
        await eventually_async(lambda: world.of(A), 30, "it is looked at again")


async def test_whoever_no_longer_leads_ends() -> None:
    world = World(refused={A: LeadershipLost("lost")})
    world.add("a")
    async with running(world) as (_, task):
        await asyncio.wait({task}, timeout=30)
        with pytest.raises(ExceptionGroup) as raised:
            task.result()
        assert raised.group_contains(LeadershipLost)


async def test_what_could_not_be_followed_is_forgotten_too() -> None:
    world = World()
    world.add("a", 9)
    async with running(world):
        await eventually_async(lambda: world.of(A), 30, "a look")
        del world.deployments[A]
        await eventually_async(lambda: world.forgotten == [A], 30, "it is forgotten")


async def test_what_is_gone_is_forgotten_and_another_of_its_name_begins_anew() -> None:
    world = World()
    world.add("a")
    async with running(world):
        await eventually_async(lambda: world.of(A), 30, "a look")
        del world.deployments[A]
        await eventually_async(lambda: world.forgotten == [A], 30, "it is forgotten")
