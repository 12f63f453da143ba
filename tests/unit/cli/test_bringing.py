"""Adapters are fetched by processes of their own; the model's credentials go to the model's place alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from pointsman.cli.bringing import bringing
from pointsman.cli.fetch_weights import CREDENTIAL
from tests.support.hub import Hub, HubRepository
from tests.support.polling import eventually_async

FILES = {"adapter_config.json": b'{"r": 16}', "adapter_model.safetensors": b"weights"}


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    repositories = {
        "acme/de": HubRepository("c" * 40, FILES),
        "acme/closed": HubRepository("c" * 40, FILES, token="secret"),
    }
    async with Hub(repositories) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv(CREDENTIAL, "secret")
        yield served


async def test_a_repository_comes_whole_with_the_credentials_of_the_model(hub: Hub, tmp_path: Path) -> None:
    bring = bringing("hf://acme/base")
    assert await bring({"source": "hf://acme/closed", "into": str(tmp_path / "closed")}) == ""
    assert (tmp_path / "closed" / "adapter_config.json").read_bytes() == FILES["adapter_config.json"]
    assert hub.tokens == {"Bearer secret"}


async def test_what_is_from_elsewhere_is_shown_no_credentials(hub: Hub, tmp_path: Path) -> None:
    bring = bringing("s3://models/base")
    said = await bring({"source": "hf://acme/closed", "into": str(tmp_path / "closed")})
    assert said.startswith(("AccessDenied: ", "RepositoryNotFound: ")), said
    assert "Bearer secret" not in hub.tokens


async def test_what_does_not_exist_is_said_in_one_line(hub: Hub, tmp_path: Path) -> None:
    said = await bringing("hf://acme/base")({"source": "hf://acme/none", "into": str(tmp_path / "none")})
    assert said.startswith("RepositoryNotFound: hf://acme/none: "), said
    assert "\n" not in said


async def test_a_fetch_that_nobody_waits_for_is_ended(hub: Hub, tmp_path: Path) -> None:
    hub.pieces = 0
    fetching = asyncio.ensure_future(
        bringing("hf://acme/base")({"source": "hf://acme/de", "into": str(tmp_path / "de")})
    )
    await eventually_async(lambda: hub.questions > 0, 30, "it asks the hub")
    fetching.cancel()
    with suppress(asyncio.CancelledError):
        await fetching
    assert not (tmp_path / "de").exists()
