"""A record in a bucket: segments that are made once, read in their order, and verified."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pointsman.cli.main import main
from pointsman.errors import PointsmanError
from pointsman.policy.evidence.record import EMPTY, EntryKind, Verified, chained, verify
from pointsman.records.bucket import RecordBucket
from pointsman.records.place import Moved
from tests.support.object_store import ACCESS_KEY, ObjectStore

AT = datetime(2026, 12, 1, tzinfo=UTC)
URL = "s3://audit/fleet"


def lines(after: Verified, *names: str) -> tuple[bytes, Verified]:
    return chained(after, AT, [(EntryKind.VERDICT, {"name": name}) for name in names])


def credentials(folder: Path, store: ObjectStore, key: str = ACCESS_KEY) -> str:
    stated = {"access_key_id": key, "secret_access_key": "x", "region": "r", "endpoint": store.url}
    file = folder / "credentials.json"
    file.write_text(json.dumps(stated))
    return str(file)


def write(record: RecordBucket) -> Verified:
    """Three segments of two entries each."""
    end = EMPTY
    for number in range(3):
        text, after = lines(end, f"{number}-a", f"{number}-b")
        record.append(end, text)
        end = after
    return end


async def test_each_segment_is_an_object_of_its_own(tmp_path: Path) -> None:
    async with ObjectStore({"audit": {"other/x": b"", "fleet/notes.txt": b"?"}}) as store:
        record = RecordBucket(URL, credentials(tmp_path, store))
        end = await asyncio.to_thread(write, record)

        names = [name for name in store.buckets["audit"] if name.startswith("fleet/0")]
        assert names == [f"fleet/{first:012}.jsonl" for first in (1, 3, 5)]
        assert await asyncio.to_thread(lambda: verify(record.lines(), end.head, 6)) == end
        read = await asyncio.to_thread(lambda: [entry.sequence for entry in record.read()])
        assert read == [1, 2, 3, 4, 5, 6]


async def test_of_two_writers_one_goes_on(tmp_path: Path) -> None:
    async with ObjectStore({"audit": {}}) as store:
        one, other = (RecordBucket(URL, credentials(tmp_path, store)) for _ in range(2))
        first, end = lines(EMPTY, "a")
        second, _ = lines(EMPTY, "b")
        await asyncio.to_thread(one.append, EMPTY, first)

        with pytest.raises(Moved):
            await asyncio.to_thread(other.append, EMPTY, second)

        assert await asyncio.to_thread(lambda: verify(other.lines())) == end


async def test_an_answer_that_is_lost_is_no_second_write(tmp_path: Path) -> None:
    async with ObjectStore({"audit": {}}, lost_answers=1) as store:
        record = RecordBucket(URL, credentials(tmp_path, store))
        end = await asyncio.to_thread(write, record)
        assert store.lost_answers == 0
        assert await asyncio.to_thread(lambda: verify(record.lines())) == end


def write_segments(record: RecordBucket) -> list[int]:
    """Three writes, of which the second begins a segment; gives what who goes on reads then."""
    end = EMPTY
    for number, kind in enumerate((EntryKind.VERDICT, EntryKind.CHECKPOINT, EntryKind.VERDICT)):
        text, after = chained(end, AT, [(kind, {"name": str(number), "part": 1})])
        record.append(end, text, begins_segment=kind is EntryKind.CHECKPOINT)
        end = after
    return [entry.sequence for entry in record.read()]


async def test_who_goes_on_asks_for_what_is_behind_the_last_checkpoint(tmp_path: Path) -> None:
    async with ObjectStore({"audit": {}}) as store:
        record, objects = RecordBucket(URL, credentials(tmp_path, store)), store.buckets["audit"]

        assert await asyncio.to_thread(write_segments, record) == [2, 3]
        assert sorted(store.asked) == ["fleet/000000000002.jsonl", "fleet/000000000003.jsonl"]

        # One whose writer got no further, and one of something else.
        objects["fleet/checkpoints/000000000003"] = objects["fleet/checkpoints/000000000009"] = b""
        read = await asyncio.to_thread(lambda: [entry.sequence for entry in record.read()])
        assert read == [2, 3]

        del objects["fleet/checkpoints/000000000002"]
        read = await asyncio.to_thread(lambda: [entry.sequence for entry in record.read()])
        assert read == [1, 2, 3]
        assert await asyncio.to_thread(lambda: isinstance(verify(record.lines()), Verified))


@pytest.mark.parametrize(
    ("removed", "told"),
    [
        (1, "s3://audit/fleet/000000000003.jsonl:1: is entry 3 where entry 1 belongs"),
        (3, "s3://audit/fleet/000000000005.jsonl:1: is entry 5 where entry 3 belongs"),
        (5, "s3://audit/fleet/ (after line 4): the record ends here and has no entry of hash"),
    ],
)
async def test_a_removed_segment_is_found(
    removed: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ObjectStore({"audit": {}}) as store:
        file = credentials(tmp_path, store)
        end = await asyncio.to_thread(write, RecordBucket(URL, file))
        command = ["policy", "evidence", "verify", URL, "--credentials", file, "--head", end.head]
        assert await asyncio.to_thread(main, command) == 0

        del store.buckets["audit"][f"fleet/{removed:012}.jsonl"]

        capsys.readouterr()
        assert await asyncio.to_thread(main, command) == 1
        assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize(
    ("key", "bucket", "told"),
    [
        ("stranger", "audit", "the store refuses these credentials; give them the right"),
        (ACCESS_KEY, "nowhere", "there is no such bucket"),
    ],
)
async def test_what_a_store_refuses_is_one_line(key: str, bucket: str, told: str, tmp_path: Path) -> None:
    async with ObjectStore({"audit": {}}) as store:
        record = RecordBucket(f"s3://{bucket}/fleet", credentials(tmp_path, store, key))
        for work in (lambda: list(record.read()), lambda: record.append(EMPTY, b"x\n")):
            with pytest.raises(PointsmanError) as refused:
                await asyncio.to_thread(work)
            assert str(refused.value).startswith(f"s3://{bucket}/fleet: {told}")
            assert "\n" not in str(refused.value)


async def test_a_store_that_is_down_is_one_line(tmp_path: Path) -> None:
    async with ObjectStore({}) as store:
        file = credentials(tmp_path, store)
    with pytest.raises(PointsmanError, match="the store cannot be reached"):
        await asyncio.to_thread(lambda: list(RecordBucket(URL, file).lines()))


@pytest.mark.parametrize("text", ["sk-secret", '["sk-secret"]', None])
def test_credentials_that_cannot_be_read_are_not_shown(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PointsmanError) as refused:
        list(RecordBucket(URL, str(file)).lines())
    assert str(file) in str(refused.value)
    assert "sk-secret" not in str(refused.value)
