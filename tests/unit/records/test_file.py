"""The file of a record: nobody writes to it or reads it while it is appended to."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pointsman.policy.evidence.record import EMPTY, Entry, EntryKind, Verified, chained, entries_of
from pointsman.records.file import RecordFile, append

AT = datetime(2026, 12, 1, tzinfo=UTC)
BODIES = [(EntryKind.START, {"by": "pointsman"}), (EntryKind.VERDICT, {"rule": "SUP-06"})]


def locked(file: Path) -> bool:
    with file.open() as other:
        try:
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_record_is_its_writers_alone_while_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    seen = []

    def made(found: Iterator[Entry]) -> tuple[bytes, Verified]:
        assert list(found) == []
        seen.append(locked(file))
        return chained(EMPTY, AT, BODIES)

    end = append(str(file), made)

    assert seen == [True]
    assert not locked(file)
    assert [entry.hash for entry in entries_of(RecordFile(str(file)).lines())][-1] == end.head


def test_readers_read_side_by_side_and_keep_writers_waiting(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    append(str(file), lambda found: chained(EMPTY, AT, BODIES))
    first = entries_of(RecordFile(str(file)).lines())
    assert next(first).sequence == 1

    assert not locked(file)
    with file.open("r+") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    assert next(first).sequence == 2
