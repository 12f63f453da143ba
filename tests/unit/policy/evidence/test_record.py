"""The record: what is written verifies, and whatever is done to it afterwards is found."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import PointsmanError
from pointsman.policy.evidence.canonical import canonical, digest
from pointsman.policy.evidence.record import (
    BEFORE_THE_FIRST,
    EMPTY,
    Broken,
    EntryKind,
    Verified,
    chained,
    entries_of,
    verify,
)

AT = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
BODIES = [
    (EntryKind.START, {"by": "pointsman"}),
    (EntryKind.POLICY, {"name": "house", "digest": "0" * 64}),
    *((EntryKind.VERDICT, {"rule": f"SUP-{n % 4}", "outcome": "pass", "name": f"m{n}"}) for n in range(18)),
]
TEXT, END = chained(EMPTY, AT, BODIES)
LINES = TEXT.splitlines(keepends=True)

Tampering = Callable[[list[bytes], random.Random], list[bytes]]


def split(text: bytes) -> list[bytes]:
    """Lines as a file gives them."""
    return BytesIO(text).readlines()


def changed_byte(lines: list[bytes], chance: random.Random) -> list[bytes]:
    text = bytearray(b"".join(lines))
    at = chance.randrange(len(text))
    text[at] = (text[at] + chance.randrange(1, 256)) % 256
    return split(bytes(text))


def removed_byte(lines: list[bytes], chance: random.Random) -> list[bytes]:
    text = b"".join(lines)
    at = chance.randrange(len(text))
    return split(text[:at] + text[at + 1 :])


def removed(lines: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(lines))
    return lines[:at] + lines[at + 1 :]


def twice(lines: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(lines))
    return [*lines[:at], chance.choice(lines), *lines[at:]]


def swapped(lines: list[bytes], chance: random.Random) -> list[bytes]:
    one, other = chance.sample(range(len(lines)), 2)
    lines = list(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def cut_front(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return lines[chance.randrange(1, len(lines)) :]


def cut_end(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return lines[: chance.randrange(len(lines))]


def cut_anywhere(lines: list[bytes], chance: random.Random) -> list[bytes]:
    text = b"".join(lines)
    return split(text[: chance.randrange(len(text))])


def said_otherwise(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """Another verdict, with the hash that belongs to it."""
    at = chance.randrange(2, len(lines))
    entry = json.loads(lines[at])
    entry["body"]["outcome"] = "fail"
    del entry["hash"]
    entry["hash"] = digest(entry)
    return [*lines[:at], canonical(entry) + b"\n", *lines[at + 1 :]]


def chained_anew(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """Another verdict, and every entry after it chained to it."""
    at = chance.randrange(2, len(lines))
    bodies = [(EntryKind(entry.kind), dict(entry.body)) for entry in entries_of(lines)]
    bodies[at][1]["outcome"] = "fail"
    return split(chained(EMPTY, AT, bodies)[0])


ALONE = [changed_byte, removed_byte, twice, cut_front]
WITH_THE_HEAD = [*ALONE, removed, swapped, cut_end, cut_anywhere, said_otherwise, chained_anew]


def test_what_was_written_verifies() -> None:
    assert verify(LINES) == END == Verified(20, json.loads(LINES[-1])["hash"])
    assert verify(LINES, head=END.head, entries=20) == END
    assert verify([]) == EMPTY


def test_a_record_goes_on_where_it_ended() -> None:
    more, end = chained(END, AT, [(EntryKind.EXCEPTION, {"id": "EXC-1"})])
    assert verify([*LINES, more]) == end
    assert verify([*LINES, more], head=END.head, entries=20) == end, "an earlier end is passed"
    assert [entry.sequence for entry in entries_of([*LINES, more])] == list(range(1, 22))


@pytest.mark.parametrize("seed", range(10))
def test_each_of_a_thousand_tamperings_is_found(seed: int) -> None:
    chance = random.Random(seed)
    for number in range(100):
        tampering: Tampering = WITH_THE_HEAD[number % len(WITH_THE_HEAD)]
        tampered = tampering(LINES, chance)
        found = verify(tampered, head=END.head)
        assert isinstance(found, Broken), (tampering.__name__, tampered)


@pytest.mark.parametrize("tampering", ALONE)
def test_most_is_found_without_knowing_the_end(tampering: Tampering) -> None:
    chance = random.Random(7)
    for _ in range(50):
        tampered = tampering(LINES, chance)
        assert isinstance(verify(tampered), Broken), tampered


def test_an_end_that_was_cut_needs_the_head_or_the_count() -> None:
    assert isinstance(verify(LINES[:-3]), Verified)
    assert verify(LINES[:-3], entries=20) == Broken(
        18, "the record ends here and is known to have 20 entries"
    )
    assert isinstance(verify(LINES[:-3], head=END.head), Broken)
    assert isinstance(verify([], head=END.head), Broken)


def test_from_an_entry_on_it_is_a_known_hash_that_shows_whose_record_it_is() -> None:
    known = json.loads(LINES[9])["hash"]
    assert verify(LINES[6:], since=known, start=7) == END
    assert verify(LINES[6:], since="f" * 64, start=7) == Broken(
        15, f"the record ends here and has no entry of hash {'f' * 64} from entry 7 on"
    )
    assert isinstance(verify(LINES[6:], since=known, start=6), Broken)
    assert isinstance(verify([], since=known, start=7), Broken)


@pytest.mark.parametrize(
    ("lines", "line", "what"),
    [
        ([LINES[0], b"{\n"], 2, "is no JSON"),
        ([b"\n"], 1, "is no JSON"),
        ([b"\xff\n"], 1, "is no JSON"),
        ([b"[" * 5000 + b"\n"], 1, "is no JSON"),
        ([b"[]\n"], 1, "is no entry of a record"),
        ([LINES[0].replace(b'"start"', b'"begin"')], 1, "is no entry of a record"),
        ([LINES[0].replace(b'"sequence":1', b'"sequence":true')], 1, "is no entry of a record"),
        ([LINES[0].replace(b'"sequence":1', b'"sequence":1.0')], 1, "is no entry of a record"),
        ([*LINES[:4], LINES[4][:-9]], 5, "is incomplete"),
        ([*LINES[:4], *LINES[5:]], 5, "is entry 6 where entry 5 belongs"),
        ([*LINES[:4], LINES[4].replace(b"pass", b"fail")], 5, "was changed: its hash"),
        ([*LINES[:4], LINES[4].replace(b",", b", ", 1)], 5, "was changed: it is not written"),
        ([LINES[0].replace(b"pointsman", b"\\ud800")], 1, "is no JSON"),
    ],
)
def test_a_break_is_told_by_its_line(lines: list[bytes], line: int, what: str) -> None:
    found = verify(lines)
    assert isinstance(found, Broken)
    assert found.line == line
    assert found.what.startswith(what), found
    assert len(str(found).splitlines()) == 1


@pytest.mark.parametrize(
    ("whole", "todo"),
    [
        (4, "keep the 4 lines before it, which verify, and append again"),
        (1, "keep the line before it, which verifies, and append again"),
        (0, "it has nothing else: see whether it is a record at all before you begin it anew"),
    ],
)
def test_an_incomplete_line_says_what_to_keep(whole: int, todo: str) -> None:
    found = verify([*LINES[:whole], LINES[whole][:-9]])
    assert isinstance(found, Broken)
    assert found.todo == todo


@pytest.mark.parametrize("number", [2**60, float(2**60), float("nan")])
def test_a_number_that_would_be_read_as_another_is_refused(number: float) -> None:
    with pytest.raises(PointsmanError, match="no canonical JSON"):
        chained(EMPTY, AT, [(EntryKind.VERDICT, {"n": number})])


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_whatever_is_written_is_read_back(value: object) -> None:
    line, end = chained(EMPTY, AT, [(EntryKind.VERDICT, {"value": value})])
    assert verify([line]) == end
    assert end.head != BEFORE_THE_FIRST
