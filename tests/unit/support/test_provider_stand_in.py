"""A provider takes its own keys on its own paths, over TLS that its authority alone vouches for."""

from __future__ import annotations

import pytest

from tests.support.behaviour import Behaviour, Fault
from tests.support.certificates import CertificateAuthority
from tests.support.clients import Ending, OpenAIClient, chat_body
from tests.support.provider_stand_in import KeyHeader, ProviderStandIn, azure_prefix

KEYS = {
    "the right key is taken": ({"authorization": "Bearer sk-1"}, 200),
    "a second right key is taken": ({"authorization": "Bearer sk-2"}, 200),
    "a wrong key is refused": ({"authorization": "Bearer sk-9"}, 401),
    "no key is refused": ({}, 401),
    "the key in the wrong header is refused": ({"api-key": "sk-1"}, 401),
    "the key in the wrong scheme is refused": ({"authorization": "Basic sk-1"}, 401),
}


@pytest.mark.parametrize("name", KEYS)
async def test_keys(name: str) -> None:
    headers, want_status = KEYS[name]
    async with ProviderStandIn(keys=["sk-1", "sk-2"]) as provider, OpenAIClient(provider.url) as client:
        assert (await client.chat("m", headers=headers)).status == want_status


async def test_keys_are_seen_right_or_wrong_and_in_any_header() -> None:
    async with ProviderStandIn(keys=["sk-1"]) as provider, OpenAIClient(provider.url) as client:
        for headers in ({"authorization": "Bearer sk-1"}, {"api-key": "sk-2"}, {"x-api-key": "sk-3"}, {}):
            await client.chat("m", headers=headers)
        assert provider.keys_seen() == {"sk-1", "sk-2", "sk-3"}


async def test_an_azure_deployment_answers_on_its_path_with_its_header_alone() -> None:
    prefix = azure_prefix("gpt-5-mini")
    provider = ProviderStandIn(keys=["az-1"], key_header=KeyHeader.API_KEY, prefixes=[prefix])
    async with provider, OpenAIClient(provider.url) as client:
        path = f"{prefix}/chat/completions?api-version=2024-10-21"
        right = await client.request("POST", path, chat_body("m"), headers={"api-key": "az-1"})
        bearer = await client.request("POST", path, chat_body("m"), headers={"authorization": "Bearer az-1"})
        elsewhere = await client.chat("m", headers={"api-key": "az-1"})
    assert (right.status, bearer.status, elsewhere.status) == (200, 401, 404)


async def test_tls_is_trusted_through_its_authority_and_for_its_names_alone() -> None:
    authority, stranger = CertificateAuthority(), CertificateAuthority("someone else")
    async with ProviderStandIn(authority=authority) as provider:
        async with OpenAIClient(provider.url, tls=authority.client_context()) as client:
            assert (await client.chat("m")).ok
            assert (await client.stream_chat("m")).ok
        async with OpenAIClient(provider.url, tls=stranger.client_context()) as client:
            assert (await client.chat("m")).ending is Ending.CONNECTION_FAILED
    async with (
        ProviderStandIn(authority=authority, names=["api.provider.test"]) as provider,
        OpenAIClient(provider.url, tls=authority.client_context()) as client,
    ):
        assert (await client.chat("m")).ending is Ending.CONNECTION_FAILED


async def test_a_provider_fails_as_an_engine_does_over_tls_too() -> None:
    authority = CertificateAuthority()
    cut = Behaviour(Fault.RESET_AFTER_CHUNKS)
    async with (
        ProviderStandIn(authority=authority, default=cut) as provider,
        OpenAIClient(provider.url, tls=authority.client_context()) as client,
    ):
        answer = await client.stream_chat("m")
    assert answer.ending is Ending.TRUNCATED
    assert answer.had_content
