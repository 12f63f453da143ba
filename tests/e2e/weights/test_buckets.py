"""Weights come from buckets whole, once, and in parts that are each asked for again."""

import json
from pathlib import Path

import pytest

from tests.support.object_store import ACCESS_KEY, ObjectStore
from tests.support.polling import eventually_async
from tests.support.weights_program import arrived_bytes, end_of, files, run, started

GGUF = b"GGUF" + bytes(range(256)) * 4096
PART = 16 * 1024 * 1024
LARGE = bytes(range(256)) * 160_000


def settings(store: ObjectStore, **changes: str) -> str:
    return json.dumps(
        {
            "access_key_id": ACCESS_KEY,
            "secret_access_key": "hush",
            "region": "eu-1",
            "endpoint": store.url,
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
        ("s3://models/gone.gguf", {}, "FileNotFound: s3://models/gone.gguf: there is no such object"),
        ("s3://models/m.gguf", {"access_key_id": "other"}, "AccessDenied: s3://models/m.gguf: "),
        ("s3://nobodys/qwen", {}, "FileNotFound: s3://nobodys/qwen: "),
    ],
)
async def test_a_bucket_says_why(source: str, changes: dict[str, str], want: str, into: Path) -> None:
    item = {"source": source, "into": str(into), "file": "m.gguf" if source.endswith(".gguf") else ""}
    async with ObjectStore(OBJECTS) as store:
        ended = await run(item, credential=settings(store, **changes))
    assert ended.last_line.startswith(want), ended.said
    assert "hush" not in ended.said


async def test_a_secret_that_is_no_json_is_not_shown(into: Path) -> None:
    ended = await run({"source": "s3://models/a", "into": str(into)}, credential="hush: hush")
    assert ended.last_line.startswith("CredentialsUnreadable: s3://models/a: ")
    assert "hush" not in ended.said


async def test_one_that_was_killed_goes_on_within_an_object(into: Path) -> None:
    """In parts: a store bounds how long one request may take, and weights are larger than that."""
    item = {"source": "s3://models/large.gguf", "into": str(into), "file": "large.gguf"}
    async with ObjectStore({"models": {"large.gguf": LARGE}}) as store:
        store.hangs_from = PART
        process = await started(item, credential=settings(store))
        await eventually_async(lambda: arrived_bytes(into.parent) == PART, 30, "a part has arrived")
        process.terminate()
        ended = await end_of(process)
        store.hangs_from = None
        store.ranges.clear()
        again = await run(item, credential=settings(store))
    assert ended.code == 143
    assert again.code == 0, again.said
    assert (into / "large.gguf").read_bytes() == LARGE
    assert store.ranges == [f"bytes={PART}-{2 * PART - 1}", f"bytes={2 * PART}-{len(LARGE) - 1}"]


async def test_an_object_that_was_replaced_meanwhile_is_not_made_of_both(into: Path) -> None:
    item = {"source": "s3://models/m", "into": str(into)}
    other = bytes(reversed(LARGE))
    async with ObjectStore({"models": {"m/a": b"old", "m/b": LARGE}}) as store:
        store.hangs_from = PART
        process = await started(item, credential=settings(store))
        await eventually_async(lambda: arrived_bytes(into.parent) == PART, 30, "a part has arrived")
        process.kill()
        await end_of(process)
        store.buckets = {"models": {"m/a": b"new", "m/b": other}}
        store.modified = 1
        store.hangs_from = None
        ended = await run(item, credential=settings(store))
    assert ended.code == 0, ended.said
    assert (into / "a").read_bytes() == b"new"
    assert (into / "b").read_bytes() == other
    assert files(into) == {"a", "b"}


@pytest.mark.parametrize("key", ["m/../../../above", "m//above"])
async def test_no_object_is_written_outside_of_the_folder(key: str, into: Path) -> None:
    async with ObjectStore({"models": {"m/a": b"a", key: b"b"}}) as store:
        ended = await run({"source": "s3://models/m", "into": str(into)}, credential=settings(store))
    assert ended.last_line.startswith("SourceNotSupported: s3://models/m: has an object whose name")
    assert not into.exists()


async def test_what_cannot_fit_is_said_before_anything_is_written(into: Path) -> None:
    async with ObjectStore({"models": {"m/a": b"a", "m/b": b"b"}}, sizes={"m/b": 10**18}) as store:
        ended = await run({"source": "s3://models/m", "into": str(into)}, credential=settings(store))
    assert ended.last_line.startswith("DiskFull: "), ended.said
    assert store.asked == []


async def test_an_address_of_plain_http_may_stand_under_any_of_its_names(into: Path) -> None:
    async with ObjectStore(OBJECTS) as store:
        plain = json.loads(settings(store))
        secret = json.dumps({"aws_endpoint_url": plain.pop("endpoint"), **plain})
        ended = await run({"source": "s3://models/qwen", "into": str(into)}, credential=secret)
    assert ended.code == 0, ended.said
