"""Requests that belong together stay on one replica; a mirror gets copies, and nobody hears its answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.gateway.scene import Scene, in_parallel, target
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, hosted, route, secret
from tests.support.clients import Answer
from tests.support.engine_stand_in import EngineStandIn
from tests.support.polling import eventually_async

REPLICAS, KEYS, EACH = 4, 64, 4
HOW = {
    "header": ({"header": "x-session"}, lambda key: {"headers": {"x-session": key}}),
    "prompt_cache_key": ({"promptCacheKey": True}, lambda key: {"prompt_cache_key": key}),
}


async def replicas(
    scene: Scene, affinity: dict[str, Any], *, cooldown: tuple[int, str] = (10_000, "30s")
) -> list[EngineStandIn]:
    engines = [await scene.engine(f"r{index}") for index in range(REPLICAS)]
    spare = await scene.engine("spare")
    await scene.serve(
        deployment("own", replicas=REPLICAS),
        deployment("spare"),
        route("chat", ["own"], fallback=["spare"], affinity=affinity, cooldown=cooldown),
        endpoints={"own": [engine.port for engine in engines], "spare": [spare.port]},
    )
    return engines


def replica_of(answer: Answer) -> str:
    assert answer.ok, answer
    return answer.text.split()[0]


@pytest.mark.parametrize("how", HOW.values(), ids=HOW.keys())
async def test_one_key_stays_on_one_replica_and_many_spread(
    scene: Scene, how: tuple[dict[str, Any], Callable[[str], dict[str, Any]]]
) -> None:
    affinity, said = how
    engines = await replicas(scene, affinity)
    keys = [f"session {index} äöü %0d" for index in range(KEYS)]
    found: dict[str, set[str]] = defaultdict(set)
    for turn in range(EACH):
        ask = scene.client.stream_chat if turn % 2 else scene.client.chat
        answers = await in_parallel(KEYS, lambda index, ask=ask: ask("chat", **_encoded(said(keys[index]))))
        for key, answer in zip(keys, answers, strict=True):
            found[key].add(replica_of(answer))
    assert all(len(seen) == 1 for seen in found.values()), "each key on one replica"
    spread = Counter(next(iter(seen)) for seen in found.values())
    # 64 keys on 4 replicas: fewer than 4 on one would be a chance of one in ten thousand.
    assert len(spread) == REPLICAS, spread
    assert min(spread.values()) >= 4, spread
    seen_headers = {name for engine in engines for seen in engine.log.records() for name in seen.headers}
    assert not [name for name in seen_headers if name.startswith("x-pm-")]


async def test_a_cache_key_means_nothing_to_a_route_without_affinity_and_goes_no_further(
    scene: Scene,
) -> None:
    engine = await scene.engine("own")
    await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [engine.port]})
    for headers in ({}, {"x-pm-affinity": "forged"}):
        assert (await scene.client.chat("chat", prompt_cache_key="session", headers=headers)).ok
        assert (await scene.client.chat("chat", headers=headers)).ok
    assert not [n for seen in engine.log.records() for n in seen.headers if n.startswith("x-pm-")]


def _encoded(options: dict[str, Any]) -> dict[str, Any]:
    """Header values are sent as ASCII."""
    headers = options.get("headers")
    return (
        {"headers": {k: v.encode("ascii", "replace").decode() for k, v in headers.items()}}
        if headers
        else options
    )


async def test_a_session_whose_replica_fails_moves_to_another_and_not_to_the_fallback(scene: Scene) -> None:
    engines = await replicas(scene, {"header": "x-session"})
    headers = {"x-session": "one"}
    home = replica_of(await scene.client.chat("chat", headers=headers))
    (engine,) = (engine for engine in engines if engine.name == home)
    engine.script.default = Behaviour(fault=Fault.STATUS)
    answers = [await scene.client.chat("chat", headers=headers) for _ in range(20)]
    assert home not in {replica_of(answer) for answer in answers}
    assert {target(answer) for answer in answers} == {"own"}
    engine.script.reset()
    assert replica_of(await scene.client.chat("chat", headers=headers)) == home


async def test_without_a_key_requests_are_spread(scene: Scene) -> None:
    await replicas(scene, {"promptCacheKey": True})
    answers = await in_parallel(100, lambda _: scene.client.chat("chat"))
    assert len({replica_of(answer) for answer in answers}) == REPLICAS


async def test_a_mirror_gets_its_own_form_of_each_request_and_its_answer_is_thrown_away(
    scene: Scene,
) -> None:
    engine = await scene.engine("own")
    copy = await scene.provider("copy", keys=["sk-copy"], prefixes=["/other/v9"])
    await scene.serve(
        deployment("own", served_names=["own-name"]),
        hosted(
            "copy", f"http://localhost:{copy.port}/other/v9", model="copy-name", secret=("copy-key", "key")
        ),
        secret("copy-key", {"key": "sk-copy"}, allowed_hosts=["localhost"]),
        route("chat", ["own"], mirror=("copy", 100)),
        endpoints={"own": [engine.port]},
    )
    client = await scene.other_client(headers={"authorization": "Bearer sk-client", "cookie": "a=b"})
    answers = [await ask("chat", "Hello, mirror") for ask in (client.chat, client.stream_chat)]
    assert all(answer.ok and answer.text.startswith("own ") for answer in answers)
    await eventually_async(lambda: len(copy.log.records()) == 2, 30, "both copies have arrived")
    for seen in copy.log.records():
        assert seen.path == "/other/v9/chat/completions"
        assert seen.model == "copy-name"
        assert seen.host.removesuffix("-shadow") == f"localhost:{copy.port}"
        assert not [name for name in seen.headers if name.startswith("x-pm-")]
    assert copy.keys_seen() == {"sk-copy"}
    assert "sk-client" not in str([dict(seen.headers) for seen in copy.log.records()])
    for seen in engine.log.records():
        assert (seen.model, seen.api_key) == ("own-name", "")


@pytest.mark.parametrize(
    "fault", [Fault.STATUS, Fault.RESET_BEFORE_HEADERS, Fault.HANG_BEFORE_HEADERS, Fault.HEADERS_THEN_HANG]
)
async def test_a_mirror_that_fails_is_nobodys_trouble(scene: Scene, fault: Fault) -> None:
    engine = await scene.engine("own")
    copy = await scene.engine("copy", Behaviour(fault=fault, hang_seconds=60))
    await scene.serve(
        deployment("own"),
        deployment("copy"),
        route("chat", ["own"], mirror=("copy", 100)),
        endpoints={"own": [engine.port], "copy": [copy.port]},
    )
    answers = await in_parallel(50, lambda _: scene.client.chat("chat"))
    assert all(answer.ok and answer.text.startswith("own ") for answer in answers)
    assert max(answer.seconds for answer in answers) < 30
    await eventually_async(lambda: copy.log.total > 0, 30, "copies are sent all the same")


async def test_a_mirror_gets_about_its_share(scene: Scene) -> None:
    engine, copy = await scene.engine("own"), await scene.engine("copy")
    await scene.serve(
        deployment("own"),
        deployment("copy"),
        route("chat", ["own"], mirror=("copy", 25)),
        endpoints={"own": [engine.port], "copy": [copy.port]},
    )
    answers = await in_parallel(400, lambda _: scene.client.chat("chat"))
    assert all(answer.ok for answer in answers)
    await copy.settled()
    # Five standard deviations of 400 draws at 1 in 4 are 43.
    assert 57 <= copy.log.total <= 143
