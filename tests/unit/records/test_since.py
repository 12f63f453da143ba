"""Verifying from the segment on that has a known entry: what is found, and what is said not to be shown."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pointsman.cli.main import main
from pointsman.policy.evidence.bodies import Body
from pointsman.policy.evidence.record import EMPTY, Entry, EntryKind, chained, entries_of
from pointsman.records.bucket import RecordBucket
from pointsman.records.file import RecordFile
from pointsman.records.place import Place
from tests.support.object_store import ObjectStore
from tests.unit.records.test_bucket import URL, credentials

AT = datetime(2026, 12, 1, tzinfo=UTC)
Captured = pytest.CaptureFixture[str]


def write(record: Place, outcome: str = "pass") -> None:
    """Three segments, which begin with the entries 1, 6 and 11; there are 15."""
    list(record.read())
    end = EMPTY
    for segment in range(3):
        bodies: list[Body] = [(EntryKind.CHECKPOINT, {"part": 1, "of": 1})] if segment else []
        bodies += [(EntryKind.VERDICT, {"name": f"{segment}-{n}", "outcome": outcome}) for n in range(5)]
        text, after = chained(end, AT, bodies[:5])
        record.append(end, text, begins_segment=bool(segment))
        end = after


@dataclass
class Kept:
    """A record of three files, and its entries as they were written."""

    files: list[Path]
    entries: list[Entry]

    def verify(self, since: int, *options: str) -> int:
        """From the entry of that number on."""
        known = self.entries[since - 1].hash
        return main(["policy", "evidence", "verify", str(self.files[0]), "--since", known, *options])

    @property
    def head(self) -> str:
        return self.entries[-1].hash


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    record = RecordFile(str(tmp_path / "record.jsonl"))
    write(record)
    return Kept(sorted(tmp_path.iterdir()), list(entries_of(record.lines())))


@pytest.mark.parametrize(("since", "start"), [(15, 11), (11, 11), (10, 6), (6, 6)])
def test_it_is_read_from_the_segment_of_the_entry_on_and_says_so(
    since: int, start: int, kept: Kept, capsys: Captured
) -> None:
    assert kept.verify(since, "--head", kept.head, "--entries", "15") == 0
    record = kept.files[0]
    assert capsys.readouterr().out.splitlines() == [
        f"{record}: 15 entries, chain verified from entry {start} on, head {kept.head}",
        f"{record}: not read: entries 1 to {start - 1}; that they are there, and unchanged, is shown without "
        "--since alone",
    ]


def test_what_is_before_the_segment_is_for_the_whole_verification(kept: Kept, capsys: Captured) -> None:
    changed = kept.files[0].read_bytes().replace(b'"pass"', b'"fail"', 1)
    kept.files[0].write_bytes(changed)

    assert kept.verify(12) == 0
    assert "not read: entries 1 to 10;" in capsys.readouterr().out
    assert main(["policy", "evidence", "verify", str(kept.files[0])]) == 1
    assert capsys.readouterr().err.startswith(f"{kept.files[0]}:1: was changed")


def test_an_entry_of_the_first_segment_has_all_of_it_read(kept: Kept, capsys: Captured) -> None:
    assert kept.verify(3) == 0
    assert capsys.readouterr().out == (f"{kept.files[0]}: 15 entries, chain verified, head {kept.head}\n")


@pytest.mark.parametrize("seed", range(4))
def test_each_tampering_from_the_segment_on_is_found(seed: int, kept: Kept) -> None:
    chance = random.Random(seed)
    whole = {file: file.read_bytes() for file in kept.files[1:]}
    for _ in range(25):
        file = chance.choice(kept.files[1:])
        text = bytearray(whole[file])
        at = chance.randrange(len(text))
        if chance.random() < 0.5:
            text[at] = (text[at] + chance.randrange(1, 256)) % 256
        else:
            del text[at : at + chance.randrange(1, 400)]
        file.write_bytes(bytes(text))
        assert kept.verify(10, "--head", kept.head) == 1, (file, at, bytes(text))
        file.write_bytes(whole[file])
    assert kept.verify(10) == 0


@pytest.mark.parametrize("removed", [1, 2])
def test_a_segment_that_is_gone_is_found(removed: int, kept: Kept) -> None:
    kept.files[removed].unlink()
    assert kept.verify(10, "--head", kept.head) == 1


def test_another_record_does_not_have_the_entry(kept: Kept, capsys: Captured) -> None:
    for file in kept.files:
        file.unlink()
    write(RecordFile(str(kept.files[0])), outcome="fail")

    assert kept.verify(12) == 1

    known = kept.entries[11].hash
    assert capsys.readouterr().err.startswith(f"{kept.files[0]}: has no entry of hash {known}; see whether")


def test_a_line_that_only_says_to_be_the_entry_is_found(kept: Kept, capsys: Captured) -> None:
    text, known, other = kept.files[2].read_bytes(), kept.entries[9].hash, kept.entries[14].hash
    kept.files[2].write_bytes(text.replace(other.encode(), known.encode()))

    assert kept.verify(10) == 1
    assert capsys.readouterr().err.startswith(f"{kept.files[2]}:5: was changed: its hash is not that")


def test_a_hash_of_before_the_segment_is_not_taken_for_missing(kept: Kept, capsys: Captured) -> None:
    assert kept.verify(12, "--head", kept.entries[1].hash) == 1
    assert "has no entry of hash" in (said := capsys.readouterr().err)
    assert said.endswith(" from entry 11 on\n")


async def test_of_a_bucket_what_is_before_the_segment_is_not_asked_for(
    tmp_path: Path, capsys: Captured
) -> None:
    async with ObjectStore({"audit": {}}) as store:
        file = credentials(tmp_path, store)
        record = RecordBucket(URL, file)
        await asyncio.to_thread(write, record)
        entries = await asyncio.to_thread(lambda: list(entries_of(record.lines())))
        store.asked.clear()
        command = ["policy", "evidence", "verify", URL, "--credentials", file, "--since", entries[11].hash]

        assert await asyncio.to_thread(main, command) == 0

        assert set(store.asked) == {"fleet/000000000011.jsonl"}
        assert "15 entries, chain verified from entry 11 on" in capsys.readouterr().out
