"""Adapters of a deployment as targets: its replicas are asked for them by name, beside its model."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.gateway.scene import Scene, attempts, in_parallel, target
from tests.e2e.gateway.test_metrics import metrics_of, read
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, route, secret
from tests.support.engine_stand_in import EngineStandIn
from tests.support.polling import eventually_async

BASE, GERMAN, FRENCH = "org/base", "support-de", "acme/support-fr:v1.5"


def models(*engines: EngineStandIn) -> Counter[str]:
    """How often the engines were asked for which model."""
    return Counter(seen.model for engine in engines for seen in engine.log.records())


async def test_each_share_goes_to_its_adapter(scene: Scene) -> None:
    engines = [await scene.engine(f"r{index}") for index in range(2)]
    await scene.serve(
        deployment("tuned", replicas=2, served_names=[BASE], adapters=[GERMAN, FRENCH]),
        route("chat", {f"tuned/{GERMAN}": 50, f"tuned/{FRENCH}": 30, "tuned": 20}),
        route("german", [f"tuned/{GERMAN}"]),
        endpoints={"tuned": [engine.port for engine in engines]},
    )
    for model, ask in (("german", scene.client.chat), ("german", scene.client.stream_chat)):
        answer = await ask(model)
        assert (answer.ok, target(answer)) == (True, "tuned"), answer
    assert models(*engines) == {GERMAN: 2}
    answers = await in_parallel(200, lambda index: scene.client.chat("chat"))
    assert all(answer.ok for answer in answers)
    asked = models(*engines)
    # Of 200 with these shares, fewer would be a chance of less than one in a million.
    assert {name: asked[name] > 12 for name in (GERMAN, FRENCH, BASE)} == dict.fromkeys(
        (GERMAN, FRENCH, BASE), True
    )
    assert all(engine.log.records() for engine in engines), "every replica serves them"


async def test_attempts_at_an_adapter_its_model_and_another_deployment_each_have_their_name(
    scene: Scene,
) -> None:
    engine = await scene.engine("tuned", Behaviour(fault=Fault.STATUS))
    spare = await scene.engine("spare")
    await scene.serve(
        deployment("tuned", served_names=[BASE], adapters=[GERMAN, FRENCH]),
        deployment("spare"),
        route("chat", [f"tuned/{FRENCH}"], fallback=["tuned", f"tuned/{GERMAN}", "spare"]),
        endpoints={"tuned": [engine.port], "spare": [spare.port]},
    )
    for ask in (scene.client.chat, scene.client.stream_chat):
        before = len(engine.log.records())
        answer = await ask("chat")
        assert (target(answer), attempts(answer)) == ("spare", 4), answer
        assert [seen.model for seen in engine.log.records()[before:]] == [FRENCH, BASE, GERMAN]
    assert models(spare) == {"spare": 2}


@pytest.mark.parametrize("fallback", [[], ["spare"]], ids=["alone", "with a fallback"])
async def test_while_pods_are_replaced_a_replica_that_has_the_adapter_answers(
    scene: Scene, fallback: list[str]
) -> None:
    old = await scene.engine("old", served_names=[BASE])
    new = await scene.engine("new", served_names=[BASE, GERMAN])
    spare = await scene.engine("spare")
    await scene.serve(
        deployment("tuned", replicas=2, served_names=[BASE], adapters=[GERMAN]),
        deployment("spare"),
        route("chat", [f"tuned/{GERMAN}"], fallback=fallback),
        endpoints={"tuned": [old.port, new.port], "spare": [spare.port]},
    )
    for ask in (scene.client.chat, scene.client.stream_chat):
        answers = await in_parallel(20, lambda index, ask=ask: ask("chat"))
        assert {(answer.ok, target(answer)) for answer in answers} == {(True, "tuned")}
    assert models(old)[GERMAN] > 0, "the old one was asked too"
    assert not spare.log.records()


async def test_a_model_that_nobody_has_is_asked_for_once(scene: Scene) -> None:
    engines = [await scene.engine(f"r{index}", served_names=[BASE]) for index in range(2)]
    await scene.serve(
        deployment("tuned", replicas=2, served_names=["renamed"]),
        route("chat", ["tuned"]),
        endpoints={"tuned": [engine.port for engine in engines]},
    )
    answer = await scene.client.chat("chat")
    assert (answer.status, attempts(answer)) == (404, 1), answer


async def test_where_no_replica_has_the_adapter_the_fallback_answers(scene: Scene) -> None:
    old, spare = await scene.engine("old", served_names=[BASE]), await scene.engine("spare")
    objects = (deployment("tuned", served_names=[BASE], adapters=[GERMAN]), deployment("spare"))
    for when, want in ((["noCapacity"], 200), (["connectFailure"], 404)):
        await scene.serve(
            *objects,
            route("chat", [f"tuned/{GERMAN}"], fallback=["spare"], when=when),
            endpoints={"tuned": [old.port], "spare": [spare.port]},
        )
        await scene.programmed("chat")
        assert (await scene.client.chat("chat")).status == want, when


async def test_a_mirror_may_be_an_adapter(scene: Scene) -> None:
    engine = await scene.engine("tuned")
    await scene.serve(
        deployment("tuned", served_names=[BASE], adapters=[GERMAN]),
        route("chat", ["tuned"], mirror=(f"tuned/{GERMAN}", 100)),
        endpoints={"tuned": [engine.port]},
    )
    assert (await scene.client.chat("chat")).ok
    await eventually_async(lambda: models(engine) == {BASE: 1, GERMAN: 1}, 30, "both were asked")


async def test_an_adapter_that_comes_and_goes(scene: Scene) -> None:
    """Until its deployment lists it, and once it does no more, the next target answers."""
    engine, spare = await scene.engine("tuned"), await scene.engine("spare")
    ports = {"tuned": [engine.port], "spare": [spare.port]}
    chat = route("chat", [f"tuned/{GERMAN}"], fallback=["spare"])
    for adapters, want in (([], "spare"), ([FRENCH, GERMAN], "tuned"), ([FRENCH], "spare")):
        await scene.serve(deployment("tuned", adapters=adapters), deployment("spare"), chat, endpoints=ports)
        await scene.programmed("chat")
        answer = await scene.client.chat("chat")
        assert (answer.ok, target(answer)) == (True, want), (adapters, answer)
    assert models(engine) == {GERMAN: 1}


async def test_metrics_tell_adapters_of_a_target_apart(scene: Scene) -> None:
    engine = await scene.engine("tuned")
    await scene.serve(
        deployment("tuned", adapters=[GERMAN, FRENCH]),
        secret("clients", {"alice": "pm-alice"}, labels={"team": "a"}),
        route("chat", ["tuned"], api_keys={"team": "a"}),
        route("french", [f"tuned/{FRENCH}"], api_keys={"team": "a"}),
        endpoints={"tuned": [engine.port]},
    )
    asking = await scene.other_client(api_key="pm-alice")
    for model in ("chat", "french", "french"):
        assert (await asking.chat(model)).ok
    async with metrics_of(scene) as url:
        page = await read(url)
        who = {"target": "default/tuned", "client": "alice"}
        assert (page.sum("requests_total", **who), page.sum("requests_total", adapter=FRENCH, **who)) == (
            3,
            2,
        )
        for name in ("prompt_tokens_total", "completion_tokens_total"):
            assert 0 < page.sum(name, adapter=FRENCH, **who) < page.sum(name, **who), name
        assert page.sum("attempts_total", target="default/tuned", adapter=FRENCH, **{"class": "ok"}) == 2
        assert page.of("pointsman_gateway_active_requests")[(("target", "default/tuned"),)] == 0
        assert {dict(labels).get("adapter") for _, labels in page.samples} == {None, FRENCH}
