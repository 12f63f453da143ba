"""What a record says to who begins to write it, or does again after somebody else did."""

from collections.abc import Collection
from typing import NamedTuple

from pointsman.policy.evidence.known import Known
from pointsman.policy.evidence.record import EMPTY, EntryKind, Verified
from pointsman.records.place import Place


class Read(NamedTuple):
    """What there was to know of the record."""

    known: Known
    end: Verified
    at: str
    """The time of the last entry."""
    began: tuple[str, str]
    """Who began last, and when."""
    checkpoint: int
    """The entry with which the last segment begins."""
    missing: set[str]
    """Hashes that it is known to have had and does not have."""
    torn_bytes: int


def read(record: Place, heads: Collection[str]) -> Read:
    """From the last checkpoint on; all of it where one of the hashes is not there. Waits for the place."""
    known, end, at, began, missing = Known(), EMPTY, "", ("", ""), set(heads)
    first = checkpoint = 0
    for entry in record.read():
        first = first or entry.sequence
        match entry.kind:
            case EntryKind.START:
                began = str(entry.body.get("writer")), entry.at
            case EntryKind.CHECKPOINT if entry.body.get("part") == 1:
                checkpoint = entry.sequence
            case _:
                pass
        known.take(entry.kind, entry.body)
        end, at = Verified(entry.sequence, entry.hash), entry.at
        missing.discard(entry.hash)
    torn_bytes = record.torn_bytes
    if missing and first > 1:
        missing.difference_update(entry.hash for entry in record.read(is_whole=True))
    return Read(known, end, at, began, checkpoint, missing, torn_bytes)
