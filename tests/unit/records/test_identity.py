"""A record in a bucket without a key: by the identity that a cloud gives to the operator's pod."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pointsman.errors import PointsmanError
from pointsman.policy.evidence.record import verify
from pointsman.records.bucket import RecordBucket
from tests.support.bearer_store import BearerStore
from tests.support.object_store import ACCESS_KEY, ObjectStore
from tests.support.token_exchange import TokenExchange
from tests.unit.records.test_bucket import URL, write, write_segments

Identify = Callable[[pytest.MonkeyPatch, TokenExchange, Path], None]
_ROLE = "arn:aws:iam::111122223333:role/audit"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """As it is mounted into a pod."""
    file = tmp_path / "token"
    file.write_text("of-the-pod")
    return file


@pytest.fixture
async def amazon(
    tmp_path: Path, token: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ObjectStore, TokenExchange]]:
    """A bucket and who gives credentials for it, as the environment of a pod names them."""
    exchange = TokenExchange(ACCESS_KEY, "of-the-pod", _ROLE)
    async with ObjectStore({"audit": {}}) as store, exchange:
        authority = tmp_path / "authority.pem"
        authority.write_bytes(exchange.authority.certificate_pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
        yield store, exchange


def by_role(monkeypatch: pytest.MonkeyPatch, exchange: TokenExchange, token: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", exchange.url)
    monkeypatch.setenv("AWS_ROLE_ARN", _ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))


def by_pod_identity(monkeypatch: pytest.MonkeyPatch, exchange: TokenExchange, token: Path) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{exchange.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))


@pytest.mark.parametrize("identify", [by_role, by_pod_identity])
async def test_amazon_gives_keys_for_the_token_of_the_pod_once(
    identify: Identify,
    amazon: tuple[ObjectStore, TokenExchange],
    token: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, exchange = amazon
    identify(monkeypatch, exchange, token)
    record = RecordBucket(URL)

    end = await asyncio.to_thread(write, record)

    assert await asyncio.to_thread(lambda: verify(record.lines(), end.head)) == end
    assert len(store.buckets["audit"]) == 3
    assert exchange.asked == ["of-the-pod"]


async def test_a_file_may_say_where_the_store_is_and_the_pod_who_asks(
    amazon: tuple[ObjectStore, TokenExchange], token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, exchange = amazon
    by_role(monkeypatch, exchange, token)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    file = tmp_path / "store.json"
    file.write_text(json.dumps({"endpoint": store.url}))

    await asyncio.to_thread(write, RecordBucket(URL, str(file)))

    assert len(store.buckets["audit"]) == 3


async def test_a_token_that_is_refused_is_one_line(
    amazon: tuple[ObjectStore, TokenExchange], token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_role(monkeypatch, amazon[1], token)
    token.write_text("of-another")
    record = RecordBucket(URL)
    with pytest.raises(PointsmanError) as refused:
        await asyncio.to_thread(lambda: list(record.read()))
    assert str(refused.value).startswith(f"{URL}: the store refuses these credentials; give them the right")

    token.write_text("of-the-pod")
    assert await asyncio.to_thread(lambda: list(record.read())) == []


@pytest.fixture
async def other(token: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BearerStore]:
    async with BearerStore("for-an-hour", "of-the-pod") as store:
        monkeypatch.setenv("GCE_METADATA_HOST", store.url.removeprefix("http://"))
        monkeypatch.setenv("GOOGLE_BASE_URL", store.url)
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", store.url)
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", store.url)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "audits")
        monkeypatch.setenv("AZURE_CLIENT_ID", "operator")
        monkeypatch.setenv("AZURE_TENANT_ID", "tenant")
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))
        yield store


@pytest.mark.parametrize("scheme", ["gs", "az"])
async def test_google_and_azure_give_a_token_once(scheme: str, other: BearerStore) -> None:
    record = RecordBucket(f"{scheme}://audit/fleet")

    assert await asyncio.to_thread(write_segments, record) == [2, 3]
    assert await asyncio.to_thread(lambda: len(list(record.lines()))) == 3
    assert other.given == 1
