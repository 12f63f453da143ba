"""A file of a web server comes whole: continued where that is safe, anew where it is not."""

import hashlib
from pathlib import Path
from random import Random

from tests.support.polling import eventually_async
from tests.support.web_files import WebFiles
from tests.support.weights_program import Ended, arrived_bytes, end_of, run, started

# Not compressible, as weights are.
GGUF = b"GGUF" + Random(1).randbytes(1_000_000)
OTHER = bytes(reversed(GGUF))


async def fetch(server: WebFiles, into: Path, source: str = "", **stated: str) -> Ended:
    item = {"source": source or server.url, "into": str(into), "file": "a.gguf", **stated}
    return await run(item, credential="hush", SSL_CERT_FILE=str(server.authority))


async def broken(server: WebFiles, into: Path, **stated: str) -> Ended:
    """A fetch of which 300,000 bytes arrive."""
    server.breaks_after = 300_000
    ended = await fetch(server, into, **stated)
    server.breaks_after = None
    assert ended.last_line.startswith(f"SourceUnreachable: {server.url}: "), ended.said
    return ended


async def test_it_is_continued_where_it_broke(into: Path, tmp_path: Path) -> None:
    async with WebFiles(GGUF, tmp_path) as server:
        await broken(server, into)
        ended = await fetch(server, into, sha256=hashlib.sha256(GGUF).hexdigest())
    assert ended.code == 0, ended.said
    assert (into / "a.gguf").read_bytes() == GGUF
    assert server.ranges == ["", "bytes=300000-"]
    assert set(server.tokens) == {"Bearer hush"}


async def test_a_file_that_has_changed_meanwhile_is_not_made_of_both(into: Path, tmp_path: Path) -> None:
    async with WebFiles(GGUF, tmp_path) as server:
        await broken(server, into)
        server.content = OTHER
        ended = await fetch(server, into)
    assert ended.code == 0, ended.said
    assert (into / "a.gguf").read_bytes() == OTHER


async def test_what_cannot_be_told_apart_comes_anew(into: Path, tmp_path: Path) -> None:
    async with WebFiles(GGUF, tmp_path) as server:
        server.tagged = False
        await broken(server, into)
        ended = await fetch(server, into)
    assert ended.code == 0, ended.said
    assert server.ranges == ["", ""]


async def test_a_busy_server_costs_nothing_that_has_arrived(into: Path, tmp_path: Path) -> None:
    async with WebFiles(GGUF, tmp_path) as server:
        await broken(server, into)
        server.refuses_parts = 503
        refused = await fetch(server, into)
        server.refuses_parts = None
        ended = await fetch(server, into)
    assert refused.last_line.startswith(f"SourceUnreachable: {server.url}: the server answers 503")
    assert ended.code == 0, ended.said
    assert server.ranges == ["", "bytes=300000-", "bytes=300000-"]


async def test_a_part_that_was_not_asked_for_is_not_taken(into: Path, tmp_path: Path) -> None:
    async with WebFiles(GGUF, tmp_path) as server:
        await broken(server, into)
        server.other_part = True
        ended = await fetch(server, into)
    assert ended.code == 0, ended.said
    assert (into / "a.gguf").read_bytes() == GGUF
    assert server.ranges[-1] == ""


async def test_what_has_arrived_in_full_is_not_asked_for_again(into: Path, tmp_path: Path) -> None:
    async with WebFiles(GGUF, tmp_path) as server:
        server.breaks_after = len(GGUF) - 1
        await fetch(server, into)
        server.breaks_after = None
        (partial,) = into.parent.rglob("*a.gguf.partial")
        with partial.open("ab") as file:
            file.write(GGUF[-1:])
        ended = await fetch(server, into)
    assert ended.code == 0, ended.said
    assert (into / "a.gguf").read_bytes() == GGUF
    assert server.ranges == ["", f"bytes={len(GGUF)}-"]


async def test_a_token_stays_with_its_server(into: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with WebFiles(GGUF, tmp_path) as server, WebFiles(GGUF, tmp_path / "other") as other:
        server.redirects_to = other.url
        bundle = tmp_path / "both.pem"
        bundle.write_bytes(server.authority.read_bytes() + other.authority.read_bytes())
        item = {"source": server.moved, "into": str(into), "file": "a.gguf"}
        ended = await run(item, credential="hush", SSL_CERT_FILE=str(bundle))
    assert ended.code == 0, ended.said
    assert (server.tokens, other.tokens) == (["Bearer hush"], [""])


async def test_weights_never_come_over_a_connection_that_anyone_can_change(
    into: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain").mkdir()
    async with (
        WebFiles(GGUF, tmp_path) as server,
        WebFiles(GGUF, tmp_path / "plain", encrypted=False) as plain,
    ):
        server.redirects_to = f"http://localhost:{plain.port}/files/a.gguf"
        ended = await fetch(server, into, server.moved)
    assert ended.code == 1
    assert "leads to http://" in ended.last_line
    assert not into.exists()


async def test_a_signed_address_is_asked_as_it_was_written_and_not_repeated(
    into: Path, tmp_path: Path
) -> None:
    signed = "?X-Amz-Credential=AK%2F2026&sig=hush%2Bhush%3D&space=a%20b&tilde=%7E"
    async with WebFiles(GGUF, tmp_path) as server:
        ended = await fetch(server, into, server.url + signed)
    assert ended.code == 0, ended.said
    assert server.paths == [f"/files/a.gguf{signed}"]
    assert "sig=" not in ended.said


async def test_what_is_not_there_is_said(into: Path, tmp_path: Path) -> None:
    async with WebFiles(GGUF, tmp_path) as server:
        missing = await fetch(server, into, f"https://localhost:{server.port}/gone")
        away = f"https://localhost:{server.port}/files/b"
    gone = await run({"source": away, "into": str(into), "file": "b"})
    senseless = await run({"source": "https://x:99999/a", "into": str(into), "file": "a"})
    assert missing.last_line.startswith("FileNotFound: ")
    assert gone.last_line.startswith(f"SourceUnreachable: {away}: ")
    assert senseless.last_line.startswith("SourceNotSupported: https://x:99999/a: is no address")


async def test_one_that_is_asked_to_end_ends_and_goes_on_later(into: Path, tmp_path: Path) -> None:
    """As the first process of a container: without a handler of its own it would not hear SIGTERM."""
    async with WebFiles(GGUF, tmp_path) as server:
        server.hangs_after = 300_000
        item = {"source": server.url, "into": str(into), "file": "a.gguf"}
        process = await started(item, SSL_CERT_FILE=str(server.authority))
        await eventually_async(lambda: arrived_bytes(into.parent) >= 300_000, 30, "a part has arrived")
        process.terminate()
        ended = await end_of(process)
        server.hangs_after = None
        again = await fetch(server, into)
    assert ended.code == 143
    assert again.code == 0, again.said
    assert server.ranges[-1] == "bytes=300000-"
