"""An append-only record of verdicts, policies and exceptions, as JSON lines that are chained by their hashes.

Each line is the canonical JSON (RFC 8785) of one entry, so that two texts of the same entry never differ. Its
hash covers everything else in it, the former entry's hash too. A change, a removal, an insertion or a swap is
found by the record alone. Whoever can write the whole file can also cut its end off or chain it anew: that is
found by the hash of the last entry, where it was kept elsewhere.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from pointsman.errors import PointsmanError
from pointsman.json_text import loaded
from pointsman.policy.evidence.canonical import canonical, digest, is_canonical

BEFORE_THE_FIRST = "0" * 64
"""What the first entry names as the hash before it."""

_MEMBERS = {"sequence", "at", "kind", "body", "previous", "hash"}
_HASH = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class EntryKind(StrEnum):
    START = "start"
    """Who writes from here on: the first entry, and one for each writer that takes over."""
    POLICY = "policy"
    EXCEPTION = "exception"
    VERDICT = "verdict"
    GAP = "gap"
    """For a time nothing could be written, or what had been written was gone."""
    CHECKPOINT = "checkpoint"
    """What the record says by then, in one entry or several: a segment begins, and who goes on with the
    record reads no further back.
    """


_KINDS = frozenset(EntryKind)


@dataclass(frozen=True)
class Entry:
    sequence: int
    at: str
    kind: EntryKind
    body: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True)
class Verified:
    """A record without a break."""

    entries: int
    head: str
    """The hash of the last entry. Who keeps it elsewhere finds a cut end."""


@dataclass(frozen=True)
class Broken:
    """The first place where a record is not what was written."""

    line: int
    what: str
    todo: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}" + (f"; {self.todo}" if self.todo else "")


EMPTY = Verified(0, BEFORE_THE_FIRST)


def time_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def chained(
    after: Verified, at: datetime, bodies: Iterable[tuple[EntryKind, Mapping[str, Any]]]
) -> tuple[bytes, Verified]:
    """The lines to append to a record that ends with `after`, and how it ends with them.

    PointsmanError for a number that would be read back as another.
    """
    return chained_each(after, ((at, kind, body) for kind, body in bodies))


def chained_each(
    after: Verified, bodies: Iterable[tuple[datetime, EntryKind, Mapping[str, Any]]]
) -> tuple[bytes, Verified]:
    """The same of entries that each have a time of their own."""
    lines, entries, head = [], after.entries, after.head
    for at, kind, body in bodies:
        entry = {
            "sequence": entries + 1,
            "at": time_text(at),
            "kind": kind.value,
            "body": body,
            "previous": head,
        }
        entries, head = entries + 1, digest(entry)
        line = canonical({**entry, "hash": head})
        canonical(loaded(line))
        lines.append(line + b"\n")
    return b"".join(lines), Verified(entries, head)


def verify(
    lines: Iterable[bytes], head: str = "", entries: int | None = None, *, since: str = "", start: int = 1
) -> Verified | Broken:
    """What a record holds, or the first break in it. `lines` come with their ends, as a file gives them;
    `head` and `entries` are how it is known to end or to have ended at some time before.

    Where they begin with the entry `start`, nothing is said of those before it, and it is the hash `since` of
    one behind it, known from elsewhere, that shows whose record it is.
    """
    awaited = dict.fromkeys(one for one in (since, head) if one not in ("", BEFORE_THE_FIRST))
    end = _before(start)
    try:
        for entry in entries_of(lines, start):
            end = Verified(entry.sequence, entry.hash)
            awaited.pop(entry.hash, None)
    except RecordError as error:
        return error.broken
    behind_it = end.entries - start + 2
    if entries is not None and end.entries < entries:
        return Broken(behind_it, f"the record ends here and is known to have {entries} entries")
    for missing in awaited:
        part = f" from entry {start} on" if start > 1 else ""
        return Broken(behind_it, f"the record ends here and has no entry of hash {missing}{part}")
    return end


class RecordError(PointsmanError):
    """A record that does not verify."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(str(broken))
        self.broken = broken


def entries_of(lines: Iterable[bytes], start: int = 1) -> Iterator[Entry]:
    """The entries, each once all before it, from `start` on, was found to be whole. RecordError at the first
    break.
    """
    end = _before(start)
    for number, line in enumerate(lines, start=1):
        entry = _entry(number, line, end)
        end = Verified(entry.sequence, entry.hash)
        yield entry


def _before(start: int) -> Verified:
    """How the record ends before that entry, "" where the hash is not known."""
    return EMPTY if start == 1 else Verified(start - 1, "")


def continued(lines: Iterable[bytes], *, is_whole: bool = True) -> Iterator[Entry]:
    """The entries for who goes on with the record: that each follows the one before it, and that the last is
    whole. A changed entry that kept its hash is left for verifying, which takes twice as long. Where
    `is_whole` is not so they begin with a checkpoint, and what was before it is for verifying, too.
    """
    before, last, number = EMPTY, b"", 0
    end = EMPTY if is_whole else None
    for number, line in enumerate(lines, start=1):
        entry = _entry(number, line, end, is_thorough=False)
        end = end or Verified(entry.sequence - 1, entry.previous)
        before, end, last = end, Verified(entry.sequence, entry.hash), line
        yield entry
    if last:
        _entry(number, last, before)


def has_hash(line: bytes, head: str) -> bool:
    """Whether the line says to be the entry of that hash."""
    if head.encode() not in line:
        return False
    try:
        read = loaded(line)
    except ValueError:
        return False
    return isinstance(read, dict) and read.get("hash") == head


def begins_segment(line: bytes, sequence: int) -> bool:
    """Whether the line is a checkpoint's first one, and that entry of the record."""
    try:
        read = loaded(line)
    except ValueError:
        return False
    return (
        isinstance(read, dict)
        and isinstance(read.get("body"), dict)
        and (read.get("kind"), read.get("sequence")) == (EntryKind.CHECKPOINT, sequence)
        and read["body"].get("part") == 1
    )


def _kept(lines: int) -> str:
    """What to do where these lines alone are whole."""
    if not lines:
        return "it has nothing else: see whether it is a record at all before you begin it anew"
    kept = (
        "the line before it, which verifies" if lines == 1 else f"the {lines} lines before it, which verify"
    )
    return f"keep {kept}, and append again"


def _entry(number: int, line: bytes, end: Verified | None, *, is_thorough: bool = True) -> Entry:
    def broken(what: str, todo: str = "") -> RecordError:
        return RecordError(Broken(number, what, todo))

    if not line.endswith(b"\n"):
        raise broken("is incomplete: its writer was ended or the disk was full", _kept(number - 1))
    try:
        read = loaded(line)
    except ValueError:
        raise broken("is no JSON") from None
    if not isinstance(read, dict) or set(read) != _MEMBERS or not _are_right(read):
        raise broken("is no entry of a record")
    if end is not None and read["sequence"] != end.entries + 1:
        raise broken(
            f"is entry {read['sequence']} where entry {end.entries + 1} belongs: entries were removed, "
            "inserted or moved"
        )
    if end is not None and end.head and read["previous"] != end.head:
        raise broken("does not follow the entry before it: that one was changed or replaced")
    said = read["hash"]
    made = Entry(read["sequence"], read["at"], EntryKind(read["kind"]), read["body"], read["previous"], said)
    if not is_thorough:
        return made
    text = line[:-1]
    try:
        is_as_written = is_canonical(text, read)
        right = sha256(_hashed(text, made)).hexdigest() if is_as_written else digest(_without_hash(read))
    except PointsmanError as error:
        raise broken(error.what) from None
    if said != right:
        raise broken("was changed: its hash is not that of what it says")
    if not is_as_written:
        raise broken("was changed: it is not written as the record writes it")
    return made


def _hashed(text: bytes, entry: Entry) -> bytes:
    """What the hash of an entry is of, by its canonical text: that without the hash, which stands there
    by the order of names.
    """
    behind = f',"kind":"{entry.kind}","previous":"{entry.previous}","sequence":{entry.sequence}}}'.encode()
    stated = len(f',"hash":"{entry.hash}"')
    return text[: -len(behind) - stated] + behind


def _without_hash(read: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in read.items() if name != "hash"}


def _are_right(read: Mapping[str, Any]) -> bool:
    """Whether the members are of their kinds."""
    return (
        type(read["sequence"]) is int
        and isinstance(read["at"], str)
        and _TIME.fullmatch(read["at"]) is not None
        and isinstance(read["kind"], str)
        and read["kind"] in _KINDS
        and isinstance(read["body"], dict)
        and all(isinstance(read[one], str) and _HASH.fullmatch(read[one]) for one in ("previous", "hash"))
    )
