"""Who may call a model: keys from Secrets, anonymous only where stated, no way around by forged headers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pointsman.api import ModelRoute
from tests.e2e.gateway.scene import Scene, error_of, in_parallel
from tests.support.builders import deployment, route, secret
from tests.support.clients import Answer
from tests.support.engine_stand_in import EngineStandIn
from tests.support.polling import eventually_async

TEAM = {"pointsman.dev/clients": "team-a"}
OTHER_TEAM = {"pointsman.dev/clients": "team-b"}
ALICE, BOB, EVE = "pm-alice-5f21c09a", "pm-bob-77e0d1b3", "pm-eve-0000"
CLIENTS = secret("clients", {"alice": ALICE, "bob": f"{BOB}\n"}, labels=TEAM)
OTHERS = secret("others", {"eve": EVE}, labels=OTHER_TEAM)


def unstated(name: str) -> ModelRoute:
    """A route that says nothing about authentication."""
    stated = route(name, ["own"])
    return stated.model_copy(update={"spec": stated.spec.model_copy(update={"authentication": None})})


async def serve(scene: Scene) -> EngineStandIn:
    engine = await scene.engine("own")
    await scene.serve(
        *(deployment("own"), CLIENTS, OTHERS),
        *(route("guarded", ["own"], api_keys=TEAM), route("open", ["own"]), unstated("unstated")),
        route("other", ["own"], api_keys=OTHER_TEAM),
        endpoints={"own": [engine.port]},
    )
    return engine


async def ask(scene: Scene, model: str, headers: Mapping[str, str]) -> Answer:
    return await scene.client.chat(model, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {ALICE}"},
        {"authorization": f"bearer {ALICE}"},
        {"x-api-key": ALICE},
        {"api-key": ALICE},
        {"authorization": f"Bearer {BOB}"},
    ],
    ids=["Bearer", "bearer", "x-api-key", "api-key", "with a line end in the Secret"],
)
async def test_a_key_of_the_route_is_let_in_and_stays_at_the_door(
    scene: Scene, headers: dict[str, str]
) -> None:
    engine = await serve(scene)
    answer = await ask(scene, "guarded", headers)
    assert answer.ok, answer
    (seen,) = engine.log.records()
    assert not [value for value in seen.headers.values() if ALICE in value or BOB in value]
    assert not [name for name in seen.headers if name.startswith("x-pm-")]
    assert not {"authorization", "x-api-key", "api-key"} & set(seen.headers)


REFUSED = {
    "none": {},
    "wrong": {"authorization": "Bearer pm-wrong"},
    "empty": {"authorization": "Bearer "},
    "another scheme": {"authorization": f"Basic {ALICE}"},
    "another team's": {"authorization": f"Bearer {EVE}"},
    "a client's name": {"authorization": "Bearer alice"},
    "the beginning of one": {"authorization": f"Bearer {ALICE[:-1]}"},
    "one and more": {"authorization": f"Bearer {ALICE}x"},
    "forged client": {"x-pm-client": "alice"},
    "forged door": {"x-pm-open": "true"},
    "forged door, other case": {"X-PM-Open": "true"},
    "forged model": {"x-pm-model": "open", "x-pm-open": "true"},
    "in the query only": {"referer": f"http://localhost/?key={ALICE}"},
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED.keys())
async def test_without_a_key_of_the_route_nothing_is_touched(scene: Scene, headers: dict[str, str]) -> None:
    engine = await serve(scene)
    for path in ("/v1/chat/completions", f"/v1/chat/completions?api-key={ALICE}"):
        answer = await scene.client.request(
            "POST", path, {"model": "guarded", "messages": []}, headers=headers
        )
        assert answer.status == 401, answer
        error = error_of(answer)
        assert error["code"] == "invalid_api_key"
        assert "Authorization: Bearer" in error["message"]
        assert "pm-" not in answer.body
    assert engine.log.total == 0


async def test_a_route_that_says_nothing_lets_nobody_in(scene: Scene) -> None:
    engine = await serve(scene)
    for headers in ({}, {"authorization": f"Bearer {ALICE}"}, {"x-pm-open": "true"}):
        answer = await ask(scene, "unstated", headers)
        assert answer.status == 403
        assert error_of(answer)["code"] == "no_authentication"
    assert engine.log.total == 0


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer whatever"}, {"x-api-key": "whatever"}])
async def test_an_open_route_takes_anyone_and_passes_no_key_on(scene: Scene, headers: dict[str, str]) -> None:
    engine = await serve(scene)
    answer = await ask(scene, "open", headers)
    assert answer.ok, answer
    assert "whatever" not in str(engine.log.records()[0].headers)


async def test_selected_by_nothing_lets_nobody_in(scene: Scene) -> None:
    engine = await scene.engine("own")
    await scene.serve(
        deployment("own"), OTHERS, route("guarded", ["own"], api_keys=TEAM), endpoints={"own": [engine.port]}
    )
    for key in ("", EVE, ALICE):
        assert (await ask(scene, "guarded", {"authorization": f"Bearer {key}"})).status == 401
    assert engine.log.total == 0


async def test_a_secret_of_another_namespace_does_not_count(scene: Scene) -> None:
    engine = await scene.engine("own")
    foreign = secret("clients", {"alice": ALICE}, namespace="elsewhere", labels=TEAM)
    await scene.serve(
        deployment("own"), foreign, route("guarded", ["own"], api_keys=TEAM), endpoints={"own": [engine.port]}
    )
    assert (await ask(scene, "guarded", {"authorization": f"Bearer {ALICE}"})).status == 401


async def test_a_removed_key_stops_working_under_load(scene: Scene) -> None:
    engine = await scene.engine("own")
    objects = deployment("own"), route("guarded", ["own"], api_keys=TEAM)
    endpoints = {"own": [engine.port]}
    await scene.serve(*objects, CLIENTS, endpoints=endpoints)
    headers = {"authorization": f"Bearer {ALICE}"}
    assert all(answer.ok for answer in await in_parallel(50, lambda _: ask(scene, "guarded", headers)))
    await scene.serve(*objects, secret("clients", {"bob": BOB}, labels=TEAM), endpoints=endpoints)

    async def shut_out() -> bool:
        return (await ask(scene, "guarded", headers)).status == 401

    await eventually_async(shut_out, 30, "the removed key is refused")
    engine.log.clear()
    answers = await in_parallel(50, lambda _: ask(scene, "guarded", headers))
    assert {answer.status for answer in answers} == {401}
    assert engine.log.total == 0
    assert (await ask(scene, "guarded", {"authorization": f"Bearer {BOB}"})).ok


async def test_a_client_is_named_in_metrics_and_its_key_is_not(scene: Scene) -> None:
    await serve(scene)
    for key, times in ((ALICE, 3), (BOB, 2), ("pm-wrong-key", 4)):
        for _ in range(times):
            await ask(scene, "guarded", {"authorization": f"Bearer {key}", "x-pm-client": "mallory"})

    async def counted() -> bool:
        stats = await scene.stats("envoy_pointsman_requests{")
        named = {
            client: sum(value for name, value in stats.items() if f'client="{client}"' in name)
            for client in ("alice", "bob")
        }
        assert named == {"alice": 3, "bob": 2}, stats
        page = "\n".join(await scene.stats())
        assert not [word for word in (ALICE, BOB, "pm-wrong-key", "mallory") if word in page]
        return True

    await eventually_async(counted, 30, "each client's requests are counted")


async def test_the_list_of_models_is_for_those_who_may_call_one(scene: Scene) -> None:
    engine = await scene.engine("own")
    guarded = route("guarded", ["own"], api_keys=TEAM), route("other", ["own"], api_keys=OTHER_TEAM)
    await scene.serve(deployment("own"), CLIENTS, OTHERS, *guarded, endpoints={"own": [engine.port]})
    for path in ("/v1/models", "/v1/models/guarded", "/v1/models/missing"):
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x-pm-open": "true"}):
            answer = await scene.client.request("GET", path, headers=headers)
            assert (answer.status, error_of(answer)["code"]) == (401, "invalid_api_key")
    for key in (ALICE, EVE):
        client = await scene.other_client(api_key=key)
        assert await client.models() == ("guarded", "other")
    stats = await scene.stats("envoy_pointsman_requests{")
    refused = {name for name in stats if 'code="401"' in name}
    assert refused
    assert all('route="!models"' in name for name in refused)


async def test_one_client_with_two_keys_may_use_both(scene: Scene) -> None:
    engine = await scene.engine("own")
    second = secret("more-clients", {"alice": "pm-alice-second"}, labels=TEAM)
    await scene.serve(
        *(deployment("own"), CLIENTS, second, route("guarded", ["own"], api_keys=TEAM)),
        endpoints={"own": [engine.port]},
    )
    for key in (ALICE, "pm-alice-second"):
        assert (await ask(scene, "guarded", {"authorization": f"Bearer {key}"})).ok


async def test_two_clients_with_one_key_break_nothing(scene: Scene) -> None:
    """Envoy refuses a key that stands there twice."""
    engine = await scene.engine("own")
    twin = secret("twins", {"bertha": ALICE, "carl": ALICE}, labels=TEAM)
    await scene.serve(
        *(deployment("own"), CLIENTS, twin, route("guarded", ["own"], api_keys=TEAM)),
        endpoints={"own": [engine.port]},
    )
    assert scene.programming("guarded").programmed
    assert (await ask(scene, "guarded", {"authorization": f"Bearer {ALICE}"})).ok


RETRY_HEADERS = {
    "x-envoy-max-retries": "0",
    "x-envoy-retry-on": "5xx",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-upstream-rq-per-try-timeout-ms": "1",
    "x-envoy-upstream-alt-stat-name": "mine",
    "x-envoy-decorator-operation": "mine",
    "x-envoy-original-path": "/v1/secret",
    "x-envoy-force-trace": "true",
    "x-envoy-attempt-count": "7",
}


async def test_a_client_changes_no_timeout_and_no_retry(scene: Scene) -> None:
    engine = await scene.engine("own")
    engine.script.default = engine.script.default.changed(first_token_seconds=0.2)
    await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [engine.port]})
    answer = await scene.client.chat("chat", headers=RETRY_HEADERS)
    assert answer.ok, answer
    assert not [name for name in engine.log.records()[0].headers if name.startswith("x-envoy-")]
