"""Objects change while requests run: nothing is lost, changes are in use at once, what leaves ends well."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.e2e.gateway.scene import Object, Scene, target
from tests.support.behaviour import Behaviour
from tests.support.builders import deployment, route
from tests.support.clients import Answer, Ending
from tests.support.load_clients import endings
from tests.support.polling import eventually_async

CLIENTS = 8
TALKING = Behaviour(chunks=60, gap_seconds=0.1)


@asynccontextmanager
async def load(scene: Scene, model: str) -> AsyncIterator[list[Answer]]:
    """Clients that ask one request after another for as long as the block runs, streams and plain ones."""
    answers: list[Answer] = []
    stop = asyncio.Event()

    async def client(index: int) -> None:
        ask = scene.client.stream_chat if index % 2 else scene.client.chat
        while not stop.is_set():
            answers.append(await ask(model))

    clients = [asyncio.create_task(client(index)) for index in range(CLIENTS)]
    try:
        await eventually_async(lambda: len(answers) >= CLIENTS, 30, "the load has begun")
        yield answers
    finally:
        stop.set()
        await asyncio.gather(*clients)


async def test_a_hundred_edits_of_weights_lose_nothing_and_are_each_in_use_at_once(scene: Scene) -> None:
    one, two = await scene.engine("one"), await scene.engine("two")
    endpoints = {"one": [one.port], "two": [two.port]}
    deployments = deployment("one"), deployment("two")
    await scene.serve(*deployments, route("chat", {"one": 1, "two": 1}), endpoints=endpoints)
    weights = [{"one": 100, "two": 0}, {"one": 0, "two": 100}, {"one": 50, "two": 50}, {"one": 1, "two": 3}]
    async with load(scene, "chat") as answers:
        for edit in range(100):
            wanted = weights[edit % len(weights)]
            generation = edit + 2
            chat = route("chat", wanted, generation=generation)
            await scene.serve(*deployments, chat, endpoints=endpoints)
            await scene.programmed("chat")
            assert scene.programming("chat").generation == generation
            if 0 in wanted.values():
                (only,) = (name for name, weight in wanted.items() if weight)
                found = [target(await scene.client.chat("chat")) for _ in range(5)]
                assert found == [only] * 5, f"edit {edit} is in use"
        # The last weights are 1 to 3.
        answers_before = len(answers)
        await eventually_async(lambda: len(answers) >= answers_before + 400, 120, "400 more requests")
        share = [target(answer) for answer in answers[answers_before:]].count("two") / (
            len(answers) - answers_before
        )
    assert endings(answers) == {Ending.DONE.value: len(answers)}
    # Five standard deviations of 400 draws at 3 in 4.
    assert abs(share - 0.75) < 0.11, share


async def test_a_route_that_comes_with_its_deployment_never_answers_5xx(scene: Scene) -> None:
    """A cluster must be there, with its replicas, before a route names it."""
    engine = await scene.engine("own")
    names: list[str] = []
    objects: list[Object] = [deployment("base"), route("base", ["base"])]
    endpoints = {"base": [engine.port]}
    await scene.serve(*objects, endpoints=endpoints)
    async with load(scene, "base") as answers:
        for index in range(25):
            name = f"new-{index}"
            names.append(name)
            objects += [deployment(name), route(name, [name])]
            endpoints[name] = [engine.port]

            async def answered(name: str = name) -> bool:
                answer = await scene.client.chat(name)
                assert answer.status in (200, 404), f"{answer.status} {answer.body}"
                return answer.ok

            # Asked all the time while the gateway learns of it.
            asking = asyncio.create_task(eventually_async(answered, 30, f"{name} is served"))
            await scene.serve(*objects, endpoints=endpoints)
            await asking
    assert endings(answers) == {Ending.DONE.value: len(answers)}


async def test_a_removed_route_is_unknown_and_its_neighbours_notice_nothing(scene: Scene) -> None:
    engine = await scene.engine("own")
    endpoints = {"own": [engine.port]}
    base = deployment("own"), route("base", ["own"])
    await scene.serve(*base, route("gone", ["own"]), endpoints=endpoints)
    async with load(scene, "base") as answers:
        assert (await scene.client.chat("gone")).ok
        await scene.serve(*base, endpoints=endpoints)

        async def unknown() -> bool:
            return (await scene.client.chat("gone")).status == 404

        await eventually_async(unknown, 30, "the model is unknown")
        assert await scene.client.models() == ("base",)
    assert endings(answers) == {Ending.DONE.value: len(answers)}


async def begin_stream(scene: Scene, model: str = "chat") -> asyncio.Task[Answer]:
    """A stream that has said something and goes on for some seconds."""
    said = asyncio.Event()
    stream = asyncio.create_task(scene.client.stream_chat(model, on_event=lambda _: said.set()))
    await asyncio.wait_for(said.wait(), 30)
    return stream


async def test_a_removed_deployment_finishes_its_streams(scene: Scene) -> None:
    old, new = await scene.engine("old", TALKING), await scene.engine("new")
    await scene.serve(deployment("old"), route("chat", ["old"]), endpoints={"old": [old.port]})
    streams = [await begin_stream(scene) for _ in range(5)]
    await scene.serve(deployment("new"), route("chat", ["new"]), endpoints={"new": [new.port]})
    assert {target(await scene.client.chat("chat")) for _ in range(20)} == {"new"}
    assert old.log.in_flight == len(streams)
    finished = await asyncio.gather(*streams)
    assert endings(finished) == {Ending.DONE.value: len(streams)}
    assert all(answer.text.endswith(f"t{TALKING.chunks - 1} ") for answer in finished)

    async def forgotten() -> bool:
        return "default/old" not in await scene.gateway.envoy.admin.get("/clusters")

    await eventually_async(forgotten, 30, "nothing is left of it in Envoy")


async def test_a_replica_that_leaves_finishes_its_streams(scene: Scene) -> None:
    old, new = await scene.engine("old", TALKING), await scene.engine("new")
    objects = deployment("own", replicas=2), route("chat", ["own"])
    await scene.serve(*objects, endpoints={"own": [old.port]})
    streams = [await begin_stream(scene) for _ in range(5)]
    await scene.serve(*objects, endpoints={"own": [new.port]})
    answers = [await scene.client.chat("chat") for _ in range(20)]
    assert {answer.text.split()[0] for answer in answers} == {"new"}
    finished = await asyncio.gather(*streams)
    assert endings(finished) == {Ending.DONE.value: len(streams)}


async def test_a_changed_target_finishes_its_streams(scene: Scene) -> None:
    """Another served name or cooldown makes another cluster of it."""
    engine = await scene.engine("own", TALKING)
    endpoints = {"own": [engine.port]}
    await scene.serve(deployment("own"), route("chat", ["own"]), endpoints=endpoints)
    streams = [await begin_stream(scene) for _ in range(3)]
    await scene.serve(deployment("own", served_names=["other"]), route("chat", ["own"]), endpoints=endpoints)
    streams.append(await begin_stream(scene))
    assert engine.log.records()[-1].model == "other"
    with_fallback = route("chat", ["own"], fallback=["spare"], cooldown=(2, "3s"))
    await scene.serve(
        deployment("own", served_names=["other"]), deployment("spare"), with_fallback, endpoints=endpoints
    )
    finished = await asyncio.gather(*streams)
    assert endings(finished) == {Ending.DONE.value: len(streams)}


async def test_a_killed_envoy_is_started_again_and_serves_everything(scene: Scene) -> None:
    engine = await scene.engine("own")
    names = [f"m-{index}" for index in range(50)]
    await scene.serve(
        deployment("own"), *(route(name, ["own"]) for name in names), endpoints={"own": [engine.port]}
    )
    envoy = scene.gateway.envoy
    for _ in range(2):
        before = envoy.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)

        async def serves_again(before: int = before) -> bool:
            assert envoy.pid not in (None, before), "no new process"
            return (await scene.client.chat(names[-1])).ok

        await eventually_async(serves_again, 30, "a new Envoy serves")
        for name in names:
            assert (await scene.client.chat(name)).ok, name
        await scene.programmed(*names)
    # A change while Envoy is away is there when it is back.
    assert envoy.pid is not None
    os.kill(envoy.pid, signal.SIGKILL)
    await scene.serve(deployment("own"), route("later", ["own"]), endpoints={"own": [engine.port]})
    await eventually_async(lambda: envoy.restarts == 3 and envoy.pid is not None, 30, "the third start")

    async def later_is_served() -> bool:
        return (await scene.client.chat("later")).ok

    await eventually_async(later_is_served, 30, "what changed meanwhile is served")
    assert (await scene.client.chat(names[0])).status == 404
