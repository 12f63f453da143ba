"""The first-token gate: headers wait for content, and an error inside a 200 is a failed attempt."""

import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.routing.gate import COMPILED, compiled
from tests.support.gate_host import GateHost

EVENTS = {":status": "200", "content-type": "text/event-stream; charset=utf-8"}
WHOLE = {":status": "200", "content-type": "application/json"}

CHUNK = b'data: {"id":"1","choices":[{"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n'
ERROR = b'data: {"error":{"message":"out of memory","code":500}}\n\n'

STREAMS = [
    ("content", CHUNK, "200"),
    ("content without a blank", CHUNK.replace(b"data: ", b"data:"), "200"),
    ("content after a comment", b": OPENROUTER PROCESSING\n\n" + CHUNK, "200"),
    ("content after comments and blank lines", b":\n\n:\r\n\r\n\n" + CHUNK, "200"),
    ("the end at once", b"data: [DONE]\n\n", "200"),
    ("an event with a name", b"event: message_start\n" + CHUNK, "200"),
    ("an event whose name begins like error", b"event: err\n" + CHUNK, "200"),
    ("content that speaks of errors", b'data: {"errors":[],"choices":[]}\n\n', "200"),
    ("content that is no JSON", b"hello", "200"),
    ("an error", ERROR, "503"),
    ("an error without a blank", ERROR.replace(b"data: ", b"data:"), "503"),
    ("an error after blanks", ERROR.replace(b"data: ", b"data:   "), "503"),
    ("an error after a comment", b": ping\n\n" + ERROR, "503"),
    ("an error after blank lines", b"\r\n\n  \n" + ERROR, "503"),
    ("an event named error", b'event: error\ndata: {"message":"no"}\n\n', "503"),
    ("an event named error without a blank", b"event:error\ndata: {}\n\n", "503"),
    ("an error that is no event", b'{"error":{"message":"no"}}', "503"),
]


@pytest.mark.parametrize(("case", "body", "want_status"), STREAMS)
def test_a_stream_is_judged_by_its_first_content_wherever_chunks_end(
    case: str, body: bytes, want_status: str
) -> None:
    host = GateHost()
    for context, end_of_first in enumerate(range(len(body) + 1), start=2):
        host.begin(context, EVENTS)
        if end_of_first:
            host.body(context, body[:end_of_first])
        answer = host.body(context, body[end_of_first:], end=True)
        assert (answer.headers[":status"], answer.body) == (want_status, body)


@pytest.mark.parametrize(("case", "body", "want_status"), STREAMS)
def test_a_stream_is_judged_the_same_byte_by_byte(case: str, body: bytes, want_status: str) -> None:
    host = GateHost()
    host.begin(7, EVENTS)
    for at in range(len(body)):
        answer = host.body(7, body[at : at + 1])
    answer = host.body(7, b"", end=True)
    assert (answer.headers[":status"], answer.body) == (want_status, body)


@pytest.mark.parametrize(
    ("case", "first", "want_held"),
    [
        ("a comment", b": ping\n\n", True),
        ("a comment that has not ended", b": pi", True),
        ("blank lines", b"\r\n\r\n", True),
        ("the beginning of a word", b"dat", True),
        ("a word without content", b"data: ", True),
        ("what may become an error", b'data: {"err', True),
        ("an event's name that may become error", b"event: er", True),
        ("the first byte of content", b'data: {"c', False),
        ("512 bytes of comments", b": " + b"x" * 510, False),
        ("nearly 512 bytes of comments", b": " + b"x" * 509, True),
    ],
)
def test_headers_are_held_until_there_is_content(case: str, first: bytes, want_held: bool) -> None:
    host = GateHost()
    host.begin(3, EVENTS)
    answer = host.body(3, first)
    assert answer.headers_gone is not want_held
    assert answer.held == (first if want_held else b"")


def test_headers_are_held_before_there_is_any_body() -> None:
    assert not GateHost().begin(3, EVENTS).headers_gone


@pytest.mark.parametrize(
    ("case", "body", "want_status"),
    [
        ("an answer", b'{"choices":[{"message":{"content":"hi"}}]}', "200"),
        ("an error in a 200", b'{"error":{"message":"no"}}', "503"),
        ("an error after white space", b' \n {"error":{"message":"no"}}', "503"),
        ("an error that is said later", b'{"id":"1","error":null}', "200"),
        ("nothing", b"", "200"),
        ("a piece of an answer", b'{"er', "200"),
    ],
)
def test_an_answer_in_one_piece_is_held_until_it_is_whole(case: str, body: bytes, want_status: str) -> None:
    host = GateHost()
    for context, at in enumerate(range(len(body) + 1), start=2):
        answer = host.begin(context, WHOLE)
        if at:
            host.body(context, body[:at])
        assert not answer.headers_gone
        host.body(context, body[at:], end=True)
        assert (answer.headers[":status"], answer.body) == (want_status, body)


def test_a_large_answer_in_one_piece_is_let_go() -> None:
    host = GateHost()
    host.begin(2, WHOLE)
    answer = host.body(2, b"x" * (256 * 1024 - 1))
    assert not answer.headers_gone
    assert host.body(2, b"x").headers_gone


def test_headers_without_a_body_are_not_held() -> None:
    assert GateHost().begin(2, {":status": "204"}, end=True).headers_gone


def test_a_stream_that_ends_without_a_word_is_let_go() -> None:
    host = GateHost()
    host.begin(2, EVENTS)
    assert host.body(2, b"", end=True).headers_gone


@pytest.mark.parametrize("status", ["400", "404", "429", "500"])
def test_an_error_status_keeps_its_code(status: str) -> None:
    host = GateHost()
    host.begin(2, {**EVENTS, ":status": status})
    assert host.body(2, ERROR).headers[":status"] == status


def test_once_headers_have_gone_nothing_is_looked_at() -> None:
    host = GateHost()
    host.begin(2, EVENTS)
    host.body(2, CHUNK)
    answer = host.body(2, ERROR)
    assert (answer.headers[":status"], answer.body) == ("200", CHUNK + ERROR)


def test_responses_do_not_see_each_other() -> None:
    """Eight share a byte of the gate's memory, in two tables; each goes its own way, whatever the order."""
    host = GateHost()
    contexts = range(2, 40)
    for context in contexts:
        host.begin(context, EVENTS if context % 2 else WHOLE)
    for context in contexts:
        host.body(context, b"data: {" if context % 2 else b'{"choices"')
    for context in reversed(contexts):
        answer = host.body(context, b'"error"}' if context % 3 == 0 and context % 2 else b'"x"}', end=True)
        want = "503" if context % 3 == 0 and context % 2 else "200"
        assert answer.headers[":status"] == want


def test_a_number_that_is_used_again_begins_anew() -> None:
    host = GateHost()
    for _ in range(3):
        host.begin(5, EVENTS)
        assert host.body(5, ERROR).headers[":status"] == "503"
        assert not host.begin(5, EVENTS).headers_gone


def test_half_a_million_numbers_later_the_tables_still_hold() -> None:
    host = GateHost()
    for context in (1, 524_287, 524_288, 524_289, 2**31 - 1):
        answer = host.begin(context, EVENTS)
        assert not answer.headers_gone
        assert host.body(context, ERROR).headers[":status"] == "503"


def test_thousands_of_responses_fit_into_its_memory() -> None:
    host = GateHost()
    for context in range(2, 5000):
        host.begin(context, EVENTS)
        assert host.body(context, b": " + b"x" * 400 + b"\n").held
        assert host.body(context, ERROR).headers[":status"] == "503"


def test_its_source_compiles_to_the_committed_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "pointsman.routing.gate", str(tmp_path)], check=True)
    assert (tmp_path / COMPILED).read_bytes() == compiled()
