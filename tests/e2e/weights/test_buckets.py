"""Weights come from buckets whole, once, and in parts that are each asked for again."""

import json
from pathlib import Path

import pytest

from tests.support.object_store import ACCESS_KEY, ObjectStore
from tests.support.weights_program import files, run

GGUF = b"GGUF" + bytes(range(256)) * 4096


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
