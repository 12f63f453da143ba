"""Weights from a Hugging Face hub: a server on this machine that speaks what huggingface_hub asks."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from pointsman.local.weights.fetcher import Fetcher, FetchProgress, WeightsRequest
from pointsman.local.weights.located import Weights
from pointsman.weights.trouble import WeightsError
from tests.support.hub import Hub, HubRepository
from tests.support.polling import eventually_async
from tests.support.processes import running_with

COMMIT = "c" * 40
TOKEN = "hf_hush_hush"
CONTENT = random.Random(3).randbytes(1_000_000)
# huggingface_hub writes pieces of 10 MB: of these, one arrives before the hub falls silent.
LARGE = CONTENT * 24
FIRST, SECOND = "big-00001-of-00002.gguf", "big-00002-of-00002.gguf"

REPOSITORIES = {
    "acme/one": HubRepository(COMMIT, {"README.md": b"hi", "model.gguf": CONTENT}),
    "acme/large": HubRepository(COMMIT, {"model.gguf": LARGE}),
    "acme/many": HubRepository(COMMIT, {"a-q4.gguf": CONTENT, "a-q8.gguf": CONTENT}),
    "acme/shards": HubRepository(COMMIT, {FIRST: CONTENT, SECOND: CONTENT[::-1]}),
    "acme/none": HubRepository(COMMIT, {"model.safetensors": b"x"}),
    "acme/private": HubRepository(COMMIT, {"model.gguf": CONTENT}, token=TOKEN),
    "acme/gated": HubRepository(COMMIT, {"model.gguf": CONTENT}, gated=True),
}


@dataclass
class Downloads:
    """A fetcher with a cache of its own, and what it said on the way."""

    cache: Path
    progress: list[FetchProgress] = field(default_factory=list)

    async def fetch(self, source: str, revision: str = COMMIT, sha256: str = "", token: str = "") -> Weights:
        request = WeightsRequest(source, revision, sha256 or None, self.cache)
        return await Fetcher(self.cache).fetch(request, token or None, self.progress.append)


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path / "cache")


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Hub], None]:
    """Makes the fetching process ask this hub, and nothing else know of this machine's own hub cache."""

    def set_endpoint(hub: Hub) -> None:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.delenv("HF_TOKEN", raising=False)

    return set_endpoint


async def test_a_file_is_fetched_once_and_then_found_without_the_hub(
    downloads: Downloads, reach: Callable[[Hub], None]
) -> None:
    async with Hub(REPOSITORIES) as hub:
        reach(hub)
        weights = await downloads.fetch("hf://acme/one/model.gguf")
        assert weights.path.read_bytes() == CONTENT
        assert hub.sent_bytes == len(CONTENT)
    assert await downloads.fetch("hf://acme/one/model.gguf") == weights


async def test_the_only_gguf_file_needs_no_name_and_main_is_a_revision(
    downloads: Downloads, reach: Callable[[Hub], None]
) -> None:
    async with Hub(REPOSITORIES) as hub:
        reach(hub)
        weights = await downloads.fetch("hf://acme/one", revision="")
        assert weights.path.name == "model.gguf"
        assert COMMIT in str(weights.path)


async def test_all_shards_are_fetched_and_the_first_is_the_model(
    downloads: Downloads, reach: Callable[[Hub], None]
) -> None:
    async with Hub(REPOSITORIES) as hub:
        reach(hub)
        weights = await downloads.fetch("hf://acme/shards")
    assert weights.path.name == FIRST
    assert weights.path.with_name(SECOND).read_bytes() == CONTENT[::-1]


async def test_a_download_that_was_killed_goes_on_where_it_was(
    downloads: Downloads, reach: Callable[[Hub], None]
) -> None:
    async with Hub(REPOSITORIES, pieces=240) as hub:
        reach(hub)
        fetching = asyncio.create_task(downloads.fetch("hf://acme/large/model.gguf"))
        await eventually_async(lambda: partial_size(downloads) > 5_000_000, 30, "a part has arrived")
        fetching.cancel()
        await asyncio.wait([fetching])
        kept = partial_size(downloads)
        assert not fetching_processes()
        hub.pieces = None
        weights = await downloads.fetch("hf://acme/large/model.gguf")
        assert hub.ranges[-1] == f"bytes={kept}-"
    assert weights.path.read_bytes() == LARGE


def fetching_processes() -> list[psutil.Process]:
    """Those of this test run, and not of another one on this machine."""
    own = {child.pid for child in psutil.Process().children()}
    return [one for one in running_with("pointsman.local.weights.fetch") if one.pid in own]


def partial_size(downloads: Downloads) -> int:
    return sum(path.stat().st_size for path in downloads.cache.rglob("*.partial"))


async def test_a_damaged_download_is_refused_and_removed(
    downloads: Downloads, reach: Callable[[Hub], None]
) -> None:
    async with Hub(REPOSITORIES, damage=True) as hub:
        reach(hub)
        with pytest.raises(WeightsError, match="expected") as raised:
            await downloads.fetch("hf://acme/one/model.gguf")
        assert raised.value.reason == "ChecksumMismatch"
        assert list(downloads.cache.rglob("*.partial")) == []
        hub.damage = False
        assert (await downloads.fetch("hf://acme/one/model.gguf")).path.read_bytes() == CONTENT


async def test_a_token_goes_to_the_hub_and_onto_no_command_line(
    downloads: Downloads, reach: Callable[[Hub], None]
) -> None:
    async with Hub(REPOSITORIES, pieces=2) as hub:
        reach(hub)
        fetching = asyncio.create_task(downloads.fetch("hf://acme/private/model.gguf", token=TOKEN))
        await eventually_async(lambda: hub.sent_bytes > 0, 30, "the download runs")
        assert fetching_processes()
        assert not running_with(TOKEN)
        fetching.cancel()
        await asyncio.wait([fetching])
        assert hub.tokens == {f"Bearer {TOKEN}"}
        kept = [path for path in downloads.cache.rglob("*") if path.is_file()]
        assert not any(TOKEN.encode() in path.read_bytes() for path in kept)


@dataclass(frozen=True)
class Refused:
    source: str
    reason: str
    words: str
    revision: str = COMMIT


REFUSED = {
    "no such repository": Refused(
        "hf://acme/nothing/a.gguf", "RepositoryNotFound", "shows no such repository"
    ),
    "private, and no token": Refused(
        "hf://acme/private/model.gguf", "RepositoryNotFound", "spec.model.credentials"
    ),
    "gated": Refused("hf://acme/gated/model.gguf", "AccessDenied", "gated"),
    "no such revision": Refused(
        "hf://acme/one/model.gguf",
        "RevisionNotFound",
        f"has no revision {'d' * 40}; the newest is {COMMIT}",
        "d" * 40,
    ),
    "no such file": Refused("hf://acme/one/other.gguf", "FileNotFound", "has no file other.gguf"),
    "several files": Refused("hf://acme/many", "SourceAmbiguous", "a-q4.gguf, a-q8.gguf"),
    "no GGUF file": Refused("hf://acme/none", "FileNotFound", "no GGUF files"),
    "no repository's name": Refused("hf://acme", "SourceNotSupported", "hf://OWNER/NAME"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
async def test_what_the_hub_refuses_is_one_line(
    downloads: Downloads, reach: Callable[[Hub], None], case: Refused
) -> None:
    async with Hub(REPOSITORIES) as hub:
        reach(hub)
        with pytest.raises(WeightsError) as raised:
            await downloads.fetch(case.source, revision=case.revision)
    assert raised.value.reason == case.reason
    assert case.words in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_hub_that_cannot_be_reached_is_one_line(
    downloads: Downloads, reach: Callable[[Hub], None]
) -> None:
    async with Hub(REPOSITORIES) as hub:
        reach(hub)
    with pytest.raises(WeightsError) as raised:
        await downloads.fetch("hf://acme/one")
    assert raised.value.reason == "SourceUnreachable"
    assert "check the network" in str(raised.value)
