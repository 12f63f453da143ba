"""Who is tried in which order: another replica of the first target before any fallback, and none in vain."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from tests.e2e.gateway.scene import Scene, attempts, error_of, in_parallel, target
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, route
from tests.support.clients import Answer, Ending
from tests.support.engine_stand_in import EngineStandIn
from tests.support.polling import eventually_async
from tests.support.ports import free_port

FAILING = Behaviour(fault=Fault.STATUS)


async def replicas(scene: Scene, count: int, name: str = "primary") -> list[EngineStandIn]:
    return [await scene.engine(f"{name}-{index}") for index in range(count)]


def ports(engines: Sequence[EngineStandIn]) -> list[int]:
    return [engine.port for engine in engines]


def said_by(answers: Sequence[Answer]) -> Counter[str]:
    """How many answers each stand-in gave, failed ones under how they ended."""
    return Counter(answer.text.split()[0] if answer.ok else str(answer.ending) for answer in answers)


async def test_four_replicas_without_a_fallback_lose_one_and_no_request(scene: Scene) -> None:
    engines = await replicas(scene, 3)
    victim = await scene.engine_process("victim", Behaviour(first_token_seconds=0.02))
    await scene.serve(
        deployment("primary", replicas=4),
        route("chat", ["primary"]),
        endpoints={"primary": [*ports(engines), victim.port]},
    )
    asked = 0

    async def one_client(index: int) -> list[Answer]:
        nonlocal asked
        answers = []
        for _ in range(20):
            asked += 1
            ask = scene.client.stream_chat if index % 2 else scene.client.chat
            answers.append(await ask("chat"))
        return answers

    clients = [asyncio.create_task(one_client(index)) for index in range(20)]
    await eventually_async(lambda: asked > 100, 30, "the requests are under way")
    victim.kill()
    answers = [answer for found in await asyncio.gather(*clients) for answer in found]
    assert len(answers) == 400
    # What a client has begun to read cannot be asked for again: a moment's streams of the one that died.
    begun = [answer for answer in answers if not answer.ok and answer.had_content]
    # Half of the clients stream, one answer after the other.
    assert len(begun) <= 10
    said = said_by([answer for answer in answers if answer not in begun])
    assert set(said) == {"primary-0", "primary-1", "primary-2", "victim"}, said
    assert {target(answer) for answer in answers} == {"primary"}


async def test_another_replica_is_tried_before_the_fallback(scene: Scene) -> None:
    engines = await replicas(scene, 2)
    fallback = await scene.engine("fallback")
    engines[0].script.default = FAILING
    await scene.serve(
        deployment("primary", replicas=2),
        deployment("fallback"),
        route("chat", ["primary"], fallback=["fallback"], cooldown=(1000, "30s")),
        endpoints={"primary": ports(engines), "fallback": [fallback.port]},
    )
    answers = await in_parallel(100, lambda _: scene.client.chat("chat"))
    assert said_by(answers) == {"primary-1": 100}
    assert {attempts(answer) for answer in answers} == {1, 2}
    assert engines[0].log.total > 10
    assert fallback.log.total == 0


async def test_when_both_replicas_fail_the_fallback_is_third(scene: Scene) -> None:
    engines = await replicas(scene, 2)
    fallback = await scene.engine("fallback")
    for engine in engines:
        engine.script.default = FAILING
    await scene.serve(
        deployment("primary", replicas=2),
        deployment("fallback"),
        route("chat", ["primary"], fallback=["fallback"], cooldown=(1000, "30s")),
        endpoints={"primary": ports(engines), "fallback": [fallback.port]},
    )
    answer = await scene.client.chat("chat")
    assert (target(answer), attempts(answer)) == ("fallback", 3)
    assert [engine.log.total for engine in engines] == [1, 1]


async def test_another_replica_of_the_last_fallback_is_tried(scene: Scene) -> None:
    engines = await replicas(scene, 2, "fallback")
    engines[0].script.default = FAILING
    await scene.serve(
        deployment("primary"),
        deployment("fallback", replicas=2),
        route("chat", ["primary"], fallback=["fallback"], cooldown=(1000, "30s")),
        endpoints={"primary": [free_port()], "fallback": ports(engines)},
    )
    answers = await in_parallel(60, lambda _: scene.client.chat("chat"))
    assert said_by(answers) == {"fallback-1": 60}
    assert {attempts(answer) for answer in answers} == {2, 3}
    # One that fails twice fails: nobody is asked for ever.
    engines[1].script.default = FAILING
    for engine in engines:
        engine.log.clear()
    assert (await scene.client.chat("chat")).status == 500
    assert [engine.log.total for engine in engines] == [1, 1]


async def test_one_dead_replica_of_ten_costs_no_downgrade(scene: Scene) -> None:
    engines = await replicas(scene, 9)
    fallback = await scene.engine("fallback")
    await scene.serve(
        deployment("primary", replicas=10),
        deployment("fallback"),
        route("chat", ["primary"], fallback=["fallback"], cooldown=(1000, "30s")),
        endpoints={"primary": [*ports(engines), free_port()], "fallback": [fallback.port]},
    )
    answers = await in_parallel(200, lambda _: scene.client.stream_chat("chat"))
    assert {target(answer) for answer in answers} == {"primary"}
    assert all(answer.ok for answer in answers)
    assert fallback.log.total == 0


async def test_two_of_four_replicas_ejected_send_nothing_to_the_fallback(scene: Scene) -> None:
    engines = await replicas(scene, 4)
    fallback = await scene.engine("fallback")
    for engine in engines[:2]:
        engine.script.default = FAILING
    await scene.serve(
        deployment("primary", replicas=4),
        deployment("fallback"),
        route("chat", ["primary"], fallback=["fallback"], cooldown=(1, "60s")),
        endpoints={"primary": ports(engines), "fallback": [fallback.port]},
    )
    ejected = 'ejections_active{envoy_cluster_name="default/primary"}'

    async def two_are_ejected() -> bool:
        await in_parallel(8, lambda _: scene.client.chat("chat"))
        stats = await scene.stats("envoy_cluster_outlier_detection_")
        return stats[f"envoy_cluster_outlier_detection_{ejected}"] == 2

    await eventually_async(two_are_ejected, 30, "both failing replicas rest")
    fallback.log.clear()
    for engine in engines:
        engine.log.clear()
    answers = await in_parallel(400, lambda _: scene.client.chat("chat"))
    assert set(said_by(answers)) == {"primary-2", "primary-3"}
    assert [engine.log.total for engine in engines[:2]] == [0, 0], "a replica that rests is not asked"
    assert fallback.log.total == 0


async def test_with_every_replica_ejected_the_fallback_answers_at_once_until_the_rest_is_over(
    scene: Scene,
) -> None:
    engines = await replicas(scene, 2)
    fallback = await scene.engine("fallback")
    for engine in engines:
        engine.script.default = Behaviour(fault=Fault.HEADERS_THEN_HANG, hang_seconds=60)
    await scene.serve(
        deployment("primary", replicas=2),
        deployment("fallback"),
        route(
            "chat", ["primary"], fallback=["fallback"], cooldown=(1, "8s"), first_token="1s", request="20s"
        ),
        endpoints={"primary": ports(engines), "fallback": [fallback.port]},
    )
    first = await scene.client.stream_chat("chat")
    assert target(first) == "fallback"
    assert first.seconds > 1.9, "both replicas were waited for"
    for engine in engines:
        engine.script.reset()
    answers = await in_parallel(20, lambda _: scene.client.stream_chat("chat"))
    assert {target(answer) for answer in answers} == {"fallback"}
    assert max(answer.seconds for answer in answers) < 5
    assert [engine.log.total for engine in engines] == [1, 1], "nobody is waited for"

    async def primary_again() -> bool:
        return target(await scene.client.stream_chat("chat")) == "primary"

    await eventually_async(primary_again, 30, "the first target has rested long enough")
    assert said_by(await in_parallel(40, lambda _: scene.client.chat("chat"))).keys() <= {
        "primary-0",
        "primary-1",
    }


async def test_an_only_replica_without_a_fallback_is_never_left_alone(scene: Scene) -> None:
    (engine,) = await replicas(scene, 1)
    engine.script.default = FAILING
    await scene.serve(deployment("primary"), route("chat", ["primary"]), endpoints={"primary": [engine.port]})
    failed = await in_parallel(20, lambda _: scene.client.chat("chat"))
    assert {answer.status for answer in failed} == {500}
    engine.script.reset()
    answers = await in_parallel(20, lambda _: scene.client.chat("chat"))
    assert said_by(answers) == {"primary-0": 20}, "it answers again the moment that it can"


async def test_without_replicas_and_without_fallback_the_client_is_told_to_come_back(scene: Scene) -> None:
    await scene.serve(deployment("primary"), route("chat", ["primary"]))
    for stream in (False, True):
        answer = await scene.client.chat("chat", stream=stream)
        assert (answer.ending, answer.status) == (Ending.ERROR_STATUS, 503)
        assert answer.headers["retry-after"] == "1"
        assert error_of(answer)["code"] == "no_capacity"
        assert not [name for name in answer.headers if name.startswith("x-pm-")]
        assert answer.seconds < 10


async def test_replicas_that_come_later_are_used_at_once(scene: Scene) -> None:
    (engine,) = await replicas(scene, 1)
    objects = deployment("primary", replicas=0), route("chat", ["primary"])
    await scene.serve(*objects)
    assert (await scene.client.chat("chat")).status == 503
    await scene.serve(*objects, endpoints={"primary": [engine.port]})

    async def answered() -> bool:
        return (await scene.client.chat("chat")).ok

    await eventually_async(answered, 30, "the new replica answers")
