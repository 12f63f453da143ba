"""A disk that is full is said to be, whatever the source; what has arrived is kept for the next attempt."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.hub import Hub, HubRepository
from tests.support.object_store import ACCESS_KEY, ObjectStore
from tests.support.web_files import WebFiles
from tests.support.weights_program import Ended, arrived_bytes, run, run_within

CONTENT = bytes(range(256)) * 100_000
MOST_BYTES = 20_000_000


async def _from_the_hub(into: Path, most_bytes: int | None = None) -> Ended:
    async with Hub({"acme/m": HubRepository("c" * 40, {"m.safetensors": CONTENT})}) as hub:
        item = {"source": "hf://acme/m", "into": str(into)}
        return await run_within(most_bytes, item, HF_ENDPOINT=hub.url)


async def _from_a_bucket(into: Path, most_bytes: int | None = None) -> Ended:
    async with ObjectStore({"b": {"m/a": CONTENT}}) as store:
        keys = {"access_key_id": ACCESS_KEY, "secret_access_key": "s", "region": "r"}
        secret = json.dumps(keys | {"endpoint": store.url})
        return await run_within(most_bytes, {"source": "s3://b/m", "into": str(into)}, credential=secret)


async def _from_the_web(into: Path, most_bytes: int | None = None) -> Ended:
    into.parent.mkdir(parents=True, exist_ok=True)
    async with WebFiles(CONTENT, into.parent) as server:
        item = {"source": server.url, "into": str(into), "file": "m"}
        return await run_within(most_bytes, item, SSL_CERT_FILE=str(server.authority))


Fetch = Callable[..., Awaitable[Ended]]
SOURCES: dict[str, Fetch] = {"the hub": _from_the_hub, "a bucket": _from_a_bucket, "the web": _from_the_web}


@pytest.mark.parametrize("fetch", SOURCES.values(), ids=SOURCES.keys())
async def test_it_is_said_and_what_came_is_kept(fetch: Fetch, into: Path) -> None:
    full = await fetch(into, most_bytes=MOST_BYTES)
    assert full.last_line.startswith("DiskFull: "), full.said
    assert 0 < arrived_bytes(into.parent) <= MOST_BYTES
    assert not into.exists()
    assert (await fetch(into)).code == 0


async def test_a_repository_that_cannot_fit_is_not_begun(into: Path) -> None:
    large = HubRepository("c" * 40, {"a": b"a", "b": b"b"}, sizes={"b": 10**18})
    async with Hub({"acme/m": large}) as hub:
        ended = await run({"source": "hf://acme/m", "into": str(into)}, HF_ENDPOINT=hub.url)
    assert ended.last_line.startswith("DiskFull: "), ended.said
    assert hub.sent_bytes == 0
