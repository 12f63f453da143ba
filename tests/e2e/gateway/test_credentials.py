"""Which key reaches whom: a target gets its own, over TLS that is checked, never another's or a client's."""

from __future__ import annotations

import itertools

import pytest

from pointsman.api import ModelDeployment, Secret
from pointsman.routing.compiler import unusable_targets
from tests.e2e.gateway.scene import Scene, error_of, object_key, target
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, hosted, route, secret
from tests.support.certificates import CertificateAuthority
from tests.support.clients import Ending
from tests.support.engine_stand_in import EngineStandIn
from tests.support.polling import eventually_async
from tests.support.provider_stand_in import KeyHeader, ProviderStandIn, azure_prefix
from tests.support.stand_in import StandIn

BEARER_KEY, AZURE_KEY, CLIENT_KEY = "sk-bearer-7f3a", "azure-91bc", "sk-client-d02e"
CLIENT_HEADERS = {
    "authorization": f"Bearer {CLIENT_KEY}",
    "api-key": f"api-{CLIENT_KEY}",
    "x-api-key": f"x-{CLIENT_KEY}",
    "cookie": f"session={CLIENT_KEY}",
    "openai-organization": f"org-{CLIENT_KEY}",
    "openai-project": f"proj-{CLIENT_KEY}",
}
AZURE_PATH = azure_prefix("gpt-5-mini")
HOSTS = ["localhost", "127.0.0.1"]


def authorities(authority: CertificateAuthority, name: str = "ca") -> Secret:
    return secret(name, {"ca.crt": authority.certificate_pem.decode()})


def bearer_target(provider: ProviderStandIn, *, ca: str = "") -> ModelDeployment:
    scheme = "https" if ca else "http"
    return hosted(
        "bearer",
        f"{scheme}://localhost:{provider.port}/v1",
        secret=("bearer-key", "token"),
        ca_certificates=(ca, "ca.crt") if ca else None,
    )


def azure_target(provider: ProviderStandIn, *, ca: str = "") -> ModelDeployment:
    scheme = "https" if ca else "http"
    return hosted(
        "azure",
        f"{scheme}://127.0.0.1:{provider.port}{AZURE_PATH}",
        provider="azure",
        secret=("azure-key", "api-key"),
        ca_certificates=(ca, "ca.crt") if ca else None,
    )


KEYS = (
    secret("bearer-key", {"token": BEARER_KEY, "other": "sk-other-key-of-it"}, allowed_hosts=HOSTS),
    secret("azure-key", {"api-key": AZURE_KEY}, allowed_hosts=HOSTS),
)


def everything_said_to(stand_in: StandIn) -> str:
    """All headers of all requests, for a search."""
    return "\n".join(
        f"{name}: {value}" for seen in stand_in.log.records() for name, value in seen.headers.items()
    )


async def azure(scene: Scene, authority: CertificateAuthority | None = None) -> ProviderStandIn:
    return await scene.provider(
        "azure", keys=[AZURE_KEY], key_header=KeyHeader.API_KEY, prefixes=[AZURE_PATH], authority=authority
    )


async def test_keys_go_over_tls_in_each_providers_own_header(scene: Scene) -> None:
    authority = CertificateAuthority()
    bearer = await scene.provider("bearer", keys=[BEARER_KEY], authority=authority)
    own = await azure(scene, authority)
    await scene.serve(
        *(bearer_target(bearer, ca="ca"), azure_target(own, ca="ca"), authorities(authority), *KEYS),
        route("one", ["bearer"]),
        route("two", ["azure"]),
    )
    client = await scene.other_client(headers=CLIENT_HEADERS)
    for model, name in (("one", "bearer"), ("two", "azure")):
        for ask in (client.chat, client.stream_chat):
            answer = await ask(model)
            assert (answer.ending, target(answer)) == (Ending.DONE, name), answer
    assert [seen.authorization for seen in bearer.log.records()] == [f"Bearer {BEARER_KEY}"] * 2
    assert [seen.headers["api-key"] for seen in own.log.records()] == [AZURE_KEY] * 2
    assert "authorization" not in own.log.records()[0].headers
    assert "api-key" not in bearer.log.records()[0].headers
    assert own.log.records()[0].path == f"{AZURE_PATH}/chat/completions"


@pytest.mark.parametrize("trouble", ["another authority", "another host's certificate"])
async def test_a_provider_whose_certificate_is_wrong_gets_nothing_and_the_fallback_answers(
    scene: Scene, trouble: str
) -> None:
    authority = CertificateAuthority()
    trusted = CertificateAuthority("another") if trouble == "another authority" else authority
    names = HOSTS if trouble == "another authority" else ["api.example.com"]
    provider = ProviderStandIn("bearer", keys=[BEARER_KEY], authority=authority, names=names)
    async with provider:
        engine = await scene.engine("own")
        await scene.serve(
            *(bearer_target(provider, ca="ca"), authorities(trusted), deployment("own"), *KEYS),
            route("chat", ["bearer"], fallback=["own"]),
            endpoints={"own": [engine.port]},
        )
        answer = await scene.client.chat("chat")
        assert (answer.ending, target(answer)) == (Ending.DONE, "own"), answer
        assert provider.log.total == 0


async def test_no_key_ever_reaches_another_target_in_any_order_of_failures(scene: Scene) -> None:
    """Every order of three targets, each prefix of it failing: one set of headers serves all attempts."""
    bearer = await scene.provider("bearer", keys=[BEARER_KEY])
    own = await azure(scene)
    engine = await scene.engine("own")
    stand_ins: dict[str, StandIn] = {"bearer": bearer, "azure": own, "own": engine}
    orders = list(itertools.permutations(stand_ins))
    await scene.serve(
        *(bearer_target(bearer), azure_target(own), deployment("own"), *KEYS),
        *(
            route("-".join(order), [order[0]], fallback=order[1:], cooldown=(10_000, "1s"))
            for order in orders
        ),
        endpoints={"own": [engine.port]},
    )
    client = await scene.other_client(headers=CLIENT_HEADERS)
    faults = (Fault.STATUS, Fault.RESET_BEFORE_HEADERS, Fault.ERROR_IN_FIRST_EVENT, Fault.RATE_LIMITED)
    for order, failing, fault in itertools.product(orders, range(3), faults):
        for index, name in enumerate(order):
            stand_ins[name].script.default = Behaviour(fault=fault if index < failing else Fault.NONE)
        for ask in (client.chat, client.stream_chat):
            answer = await ask("-".join(order))
            assert (answer.ending, target(answer)) == (Ending.DONE, order[failing]), (order, failing, answer)
    # Each was first, second and third: 2 orders for each place, so many faults, two shapes.
    assert engine.log.total == len(faults) * 2 * (2 * 3 + 2 * 2 + 2 * 1)
    assert bearer.keys_seen() == {BEARER_KEY}
    assert own.keys_seen() == {AZURE_KEY}
    assert not {seen.api_key for seen in engine.log.records()} - {""}
    strangers = {
        "bearer": (AZURE_KEY, CLIENT_KEY, "sk-other-key-of-it"),
        "azure": (BEARER_KEY, CLIENT_KEY, "sk-other-key-of-it"),
        "own": (AZURE_KEY, BEARER_KEY, CLIENT_KEY, "sk-other-key-of-it"),
    }
    for name, words in strangers.items():
        said = everything_said_to(stand_ins[name])
        assert not [word for word in words if word in said]


async def _not_allowed(scene: Scene, provider: ProviderStandIn, engine: EngineStandIn, key: Secret) -> str:
    """Serve a target whose Secret is not for its host; returns why the target cannot be used."""
    chat = route("chat", ["bearer"], fallback=["own"])
    await scene.serve(
        *(bearer_target(provider), deployment("own"), key, chat), endpoints={"own": [engine.port]}
    )
    (unusable,) = unusable_targets(chat, scene.given)
    assert unusable.deployment == object_key("bearer")
    return unusable.reason


@pytest.mark.parametrize("hosts", [[], ["api.openai.com"], ["127.0.0.1"], ["localhost.example.com", "host"]])
async def test_a_key_that_its_secret_does_not_allow_for_the_host_is_not_used(
    scene: Scene, hosts: list[str]
) -> None:
    provider = await scene.provider("bearer")
    engine = await scene.engine("own")
    key = secret("bearer-key", {"token": BEARER_KEY}, allowed_hosts=hosts)
    reason = await _not_allowed(scene, provider, engine, key)
    assert "default/bearer-key does not allow its keys to go to localhost" in reason
    assert BEARER_KEY not in reason
    answer = await scene.client.chat("chat")
    assert (answer.ending, target(answer)) == (Ending.DONE, "own")
    assert provider.log.total == 0, "not even without the key"
    assert BEARER_KEY not in await scene.gateway.envoy.admin.get("/config_dump?include_eds")


async def test_a_key_that_is_missing_or_empty_makes_its_target_unusable(scene: Scene) -> None:
    provider = await scene.provider("bearer")
    engine = await scene.engine("own")
    empty = secret("bearer-key", {"token": "  ", "other": BEARER_KEY}, allowed_hosts=HOSTS)
    assert "has no value for the key token" in await _not_allowed(scene, provider, engine, empty)
    other = secret("another", {"token": BEARER_KEY}, allowed_hosts=HOSTS)
    assert "default/bearer-key does not exist" in await _not_allowed(scene, provider, engine, other)
    assert target(await scene.client.chat("chat")) == "own"
    assert provider.log.total == 0


async def test_a_route_whose_only_target_is_unusable_says_so_to_its_clients(scene: Scene) -> None:
    provider = await scene.provider("bearer")
    await scene.serve(bearer_target(provider), route("chat", ["bearer"]))
    answer = await scene.client.chat("chat")
    assert answer.status == 503
    assert error_of(answer)["code"] == "no_target"


async def test_a_rotated_key_takes_effect(scene: Scene) -> None:
    provider = await scene.provider("bearer", keys=["sk-new"])
    objects = bearer_target(provider), route("chat", ["bearer"], cooldown=(10_000, "1s"))
    await scene.serve(*objects, secret("bearer-key", {"token": "sk-old"}, allowed_hosts=HOSTS))
    assert (await scene.client.chat("chat")).status == 401
    await scene.serve(*objects, secret("bearer-key", {"token": "sk-new"}, allowed_hosts=HOSTS))

    async def new_key_is_used() -> bool:
        return (await scene.client.chat("chat")).ok

    await eventually_async(new_key_is_used, 30, "the new key is used")
    provider.log.clear()
    assert (await scene.client.chat("chat")).ok
    assert provider.keys_seen() == {"sk-new"}


async def test_a_rotated_authority_takes_effect(scene: Scene) -> None:
    old, new = CertificateAuthority("old"), CertificateAuthority("new")
    provider = await scene.provider("bearer", keys=[BEARER_KEY], authority=new)
    objects = bearer_target(provider, ca="ca"), route("chat", ["bearer"], cooldown=(10_000, "1s")), *KEYS
    await scene.serve(*objects, authorities(old))
    assert (await scene.client.chat("chat")).status == 503
    await scene.serve(*objects, authorities(new))

    async def new_authority_is_trusted() -> bool:
        return (await scene.client.chat("chat")).ok

    await eventually_async(new_authority_is_trusted, 30, "the new authority is trusted")
