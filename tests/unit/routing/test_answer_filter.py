"""Answers to attempts: held until they show what they are worth, and counted."""

import ctypes
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pointsman.routing.filters import MODULE, PROCESSORS
from pointsman.routing.filters.__main__ import main as compile_filters
from pointsman.routing.metrics import TOKENS
from tests.support.filter_host import CONTINUE, Running, Stream, attempts, requests
from tests.support.recorded_engine import answers as recorded_answers

EVENTS = {":status": "200", "content-type": "text/event-stream; charset=utf-8"}
WHOLE = {":status": "200", "content-type": "application/json"}

CHUNK = b'data: {"id":"1","choices":[{"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n'
ERROR = b'data: {"error":{"message":"out of memory","code":500}}\n\n'


class Answers:
    """Answers on their way through one worker's filters, by number."""

    def __init__(self) -> None:
        self.requests, self.attempts = requests(), attempts("usage h /v1 m")
        self.streams: dict[int, Stream] = {}
        self.running: dict[int, tuple[Running, Running]] = {}

    def begin(self, number: int, headers: dict[str, str], *, end: bool = False, asked: bytes = b"") -> bool:
        """Headers arrive; whether they go on at once."""
        stream = self.streams[number] = Stream({":path": "/v1/completions", ":method": "POST"})
        request = self.requests.send(stream, [asked] if asked else [])
        attempt = self.attempts.send(stream, [asked] if asked else [])
        self.running[number] = (request, attempt)
        stream.response = dict(headers)
        return attempt.response_headers(end=end) == CONTINUE

    def body(self, number: int, piece: bytes, *, end: bool = False) -> bytes:
        """A piece of the body arrives; what goes on now."""
        return self.running[number][1].response_body(piece, end=end) or b""

    def status(self, number: int) -> str:
        return self.streams[number].response[":status"]

    def counts(self, number: int) -> dict[str, int]:
        """What the metrics are told, once all is over. An unknown count is a 0: a number must be there."""
        self.end(number)
        told = self.streams[number].state
        assert set(told) == {f"pm.{name}" for name in TOKENS}
        return {name: count for name in TOKENS if (count := int(told[f"pm.{name}"]))}

    def end(self, number: int) -> None:
        request, attempt = self.running.pop(number)
        attempt.close()
        request.ended()
        request.close()


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
@pytest.mark.parametrize("ends_later", [False, True])
def test_a_stream_is_judged_by_its_first_content_wherever_pieces_end(
    case: str, body: bytes, want_status: str, ends_later: bool
) -> None:
    answers = Answers()
    for number, at in enumerate(range(len(body) + 1), start=2):
        answers.begin(number, EVENTS)
        passed = answers.body(number, body[:at]) if at else b""
        passed += answers.body(number, body[at:], end=not ends_later)
        if ends_later:
            passed += answers.body(number, b"", end=True)
        assert (answers.status(number), passed) == (want_status, body)


@pytest.mark.parametrize(("case", "body", "want_status"), STREAMS)
def test_a_stream_is_judged_the_same_byte_by_byte(case: str, body: bytes, want_status: str) -> None:
    answers = Answers()
    answers.begin(7, EVENTS)
    passed = b"".join(answers.body(7, body[at : at + 1]) for at in range(len(body)))
    passed += answers.body(7, b"", end=True)
    assert (answers.status(7), passed) == (want_status, body)


@pytest.mark.parametrize(
    ("case", "first", "want_passed"),
    [
        ("a comment", b": ping\n\n", False),
        ("a comment that has not ended", b": pi", False),
        ("blank lines", b"\r\n\r\n", False),
        ("the beginning of a word", b"dat", False),
        ("a word without content", b"data: ", False),
        ("what may become an error", b'data: {"err', False),
        ("an event's name that may become error", b"event: er", False),
        ("an event that has not ended", b'data: {"choices":[]}\n', False),
        ("a whole event", b'data: {"choices":[]}\n\n', True),
        ("nearly 512 bytes of comments", b": " + b"x" * 507 + b"\n\n", False),
        ("512 bytes of comments", b": " + b"x" * 508 + b"\n\n", True),
    ],
)
def test_headers_are_held_until_there_is_content(case: str, first: bytes, want_passed: bool) -> None:
    answers = Answers()
    assert not answers.begin(3, EVENTS)
    assert answers.body(3, first) == (first if want_passed else b"")


def test_events_pass_as_they_come_and_each_of_them_whole() -> None:
    answers = Answers()
    answers.begin(3, EVENTS)
    assert answers.body(3, CHUNK[:60]) == b""
    assert answers.body(3, CHUNK[60:]) == CHUNK
    assert answers.body(3, b"data: 1\n\ndata: 2") == b""
    assert answers.body(3, b"\n\n") == b"data: 1\n\ndata: 2\n\n"


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
    answers = Answers()
    for number, at in enumerate(range(len(body) + 1), start=2):
        assert not answers.begin(number, WHOLE)
        assert not (at and answers.body(number, body[:at]))
        assert answers.body(number, body[at:], end=True) == body
        assert answers.status(number) == want_status


def test_a_large_answer_in_one_piece_is_let_go() -> None:
    answers = Answers()
    answers.begin(2, WHOLE)
    assert answers.body(2, b"x" * (256 * 1024 - 1)) == b""
    assert len(answers.body(2, b"x")) == 256 * 1024


def test_headers_without_a_body_are_not_held() -> None:
    assert Answers().begin(2, {":status": "204"}, end=True)


@pytest.mark.parametrize("status", ["400", "404", "429", "500"])
def test_an_error_status_keeps_its_code(status: str) -> None:
    answers = Answers()
    answers.begin(2, {**EVENTS, ":status": status})
    assert answers.body(2, ERROR) == ERROR
    assert answers.status(2) == status


def test_once_headers_have_gone_they_stay_as_they_are() -> None:
    answers = Answers()
    answers.begin(2, EVENTS)
    assert answers.body(2, CHUNK) + answers.body(2, ERROR) == CHUNK + ERROR
    assert answers.status(2) == "200"


@pytest.mark.parametrize(
    ("case", "status", "body", "want"),
    [
        ("OpenAI", "400", b'{"error":{"code":"context_length_exceeded"}}', "contextOverflow"),
        ("vLLM", "400", b"This model's maximum context length is 8192 tokens", "contextOverflow"),
        ("llama.cpp", "400", b'{"error":{"type":"exceed_context_size_error"}}', "contextOverflow"),
        ("Anthropic", "400", b"prompt is too long: 210000 tokens", "contextOverflow"),
        ("TEI", "413", b"`inputs` must have less than 512 tokens", "contextOverflow"),
        ("Azure's filter", "400", b'{"error":{"code":"content_filter"}}', "refusal"),
        ("any other mistake of the client", "400", b'{"error":{"message":"unknown field"}}', None),
        ("a mistake in the fields", "422", b'{"detail":"bad"}', None),
        ("the words in an answer that succeeded", "200", b"maximum context length", None),
        ("a server error is judged by its status", "500", b"maximum context length", None),
        ("without a body", "400", b"", None),
        ("words after many others", "400", b"x" * 16_000 + b"prompt is too long", "contextOverflow"),
    ],
)
def test_errors_that_another_target_may_not_make(
    case: str, status: str, body: bytes, want: str | None
) -> None:
    answers = Answers()
    answers.begin(2, {":status": status, "content-type": "application/json"})
    assert answers.body(2, body, end=True) == body
    assert answers.streams[2].response.get("x-pm-retry") == want


@pytest.mark.parametrize("end", [True, False], ids=["without a body", "before a body"])
@pytest.mark.parametrize(
    ("said", "want"),
    [("word-of-a-target", None), ("refusal", None), ("noCapacity", "noCapacity")],
    ids=["no word of ours", "a verdict that is not a target's to give", "what the tombstone says"],
)
def test_a_targets_own_verdict_is_not_taken(said: str, want: str | None, end: bool) -> None:
    """Each word would be a series of metrics, and would have the request sent elsewhere."""
    answers = Answers()
    answers.begin(2, {":status": "503", "x-pm-retry": said}, end=end)
    assert answers.streams[2].response.get("x-pm-retry") == want


@pytest.mark.parametrize("end", [True, False], ids=["without a body", "before a body"])
def test_what_a_target_says_of_itself_does_not_reach_a_client(end: bool) -> None:
    gone = dict.fromkeys(
        (
            "server", "via", "x-powered-by", "x-envoy-upstream-service-time", "openai-organization",
            "openai-project", "set-cookie", "alt-svc", "strict-transport-security",
            "access-control-allow-credentials", "access-control-allow-headers",
            "access-control-allow-methods", "access-control-allow-origin", "access-control-expose-headers",
        ),
        "x",
    )  # fmt: skip
    stays = {":status": "200", "content-type": "text/plain", "x-request-id": "7", "openai-version": "1"}
    answers = Answers()
    answers.begin(2, {**gone, **stays}, end=end)
    assert answers.streams[2].response == stays


@pytest.mark.parametrize(
    ("case", "usage", "want"),
    [
        (
            "OpenAI's chat",
            {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}},
            {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 3},
        ),
        (
            "OpenAI's responses",
            {"input_tokens": 5, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 0}},
            {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 0},
        ),
        (
            "Anthropic's messages",
            {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 2},
            {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 4},
        ),
        ("no numbers", {"prompt_tokens": None}, {}),
        ("no usage", None, {}),
    ],
)
@pytest.mark.parametrize("piece_bytes", [7, 100_000])
def test_tokens_of_an_answer_in_one_piece_are_counted(
    case: str, usage: dict[str, Any] | None, want: dict[str, int], piece_bytes: int
) -> None:
    said = 'they write "usage": {"prompt_tokens": 99}'
    whole = json.dumps({"choices": [{"text": said}], "usage": usage, "timings": {"a": 1}}).encode()
    answers = Answers()
    answers.begin(2, WHOLE)
    for at in range(0, len(whole), piece_bytes):
        answers.body(2, whole[at : at + piece_bytes], end=at + piece_bytes >= len(whole))
    assert answers.counts(2) == {name: count for name, count in want.items() if count}


def test_tokens_of_a_stream_of_responses_are_counted() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2}
    done = (
        b"data: "
        + json.dumps({"type": "response.completed", "response": {"usage": usage}}).encode()
        + b"\n\n"
    )
    answers = Answers()
    answers.begin(2, EVENTS)
    assert answers.body(2, CHUNK) + answers.body(2, done, end=True) == CHUNK + done
    assert answers.counts(2) == {"prompt_tokens": 5, "completion_tokens": 2}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("usage upon usage", b'"usage":{}'),
        ("usage that never ends", b'"usage":{'),
        ("usage and choices", b'"usage":{},"choices":'),
        ("usage that ends late", b'"usage":{"usage":"' + b"x" * 80 + b'"}'),
    ],
)
@pytest.mark.parametrize("headers", [EVENTS, WHOLE], ids=["stream", "whole"])
def test_no_answer_keeps_a_worker_busy(case: str, said: bytes, headers: dict[str, str]) -> None:
    """It took up to 42 s, in which nobody else was answered; what is left is some 0.2 s."""
    answers = Answers()
    answers.begin(2, headers, asked=b'{"model":"m","stream":true}')
    body = said * (256 * 1024 // len(said)) + b"\n\n"
    before = time.process_time()
    assert answers.body(2, body, end=True) == body
    assert time.process_time() - before < 4


def test_an_error_is_not_read_for_usage() -> None:
    answers = Answers()
    answers.begin(2, {**WHOLE, ":status": "400"})
    answers.body(2, b'{"usage":{"prompt_tokens":5}}', end=True)
    assert answers.counts(2) == {}


def test_answers_do_not_see_each_other() -> None:
    answers = Answers()
    numbers = range(2, 40)
    bad = {number for number in numbers if number % 3 == 0}
    for number in numbers:
        answers.begin(number, EVENTS if number % 2 else WHOLE)
        answers.body(number, b"data: {" if number % 2 else b'{"')
    for number in reversed(numbers):
        said = b'error":1}' if number in bad else b'choices":[]}'
        said = (b'"' + said + b"\n\n") if number % 2 else said
        answers.body(number, said, end=True)
        assert answers.status(number) == ("503" if number in bad else "200")


class MallInfo(ctypes.Structure):
    """What the C library says of its memory: ten numbers, of which one is what has been given out."""

    _fields_ = tuple((f"number{index}", ctypes.c_size_t) for index in range(10))


def allocated() -> int:
    """Bytes that are in use of what the C library has given."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = MallInfo
    return int(libc.mallinfo2().number7)


def test_what_an_answer_took_of_memory_is_given_back() -> None:
    answers = Answers()

    def many() -> int:
        for number in range(2, 60):
            answers.begin(number, WHOLE, asked=b'{"model":"m"}')
            answers.body(number, b"x" * 300_000)
        for number in range(2, 60):
            answers.end(number)
        answers.streams.clear()
        gc.collect()
        return allocated()

    many()
    before = many()
    # A tail of 8 KiB for each would be 464 KiB a turn.
    assert max(many() for _ in range(5)) < before + 256 * 1024


def test_the_sources_compile_to_the_committed_bytes(tmp_path: Path) -> None:
    compile_filters(str(tmp_path))
    committed = Path(sys.modules[compile_filters.__module__].__file__ or "").parent
    for processor in PROCESSORS:
        made, kept = (folder / processor / MODULE for folder in (tmp_path, committed))
        assert made.read_bytes() == kept.read_bytes()


# What clients of a real vLLM are told that they used: prompt, answer. A plain stream does not say.
USED = {
    "chat": (15, 4),
    "completion": (1, 4),
    "stream": (15, 4),
    "stream-continuous": (15, 3),
    "completion-stream": (1, 3),
    "responses": (11, 3),
}


@pytest.mark.parametrize("name", recorded_answers())
def test_what_a_real_vllm_said_is_read_for_what_it_is_wherever_pieces_end(name: str) -> None:
    """Tokens are counted, and a prompt or an answer that is too long for it may go to another target."""
    said = recorded_answers()[name]
    body = said.body.encode()
    answers = Answers()
    for number, at in enumerate((1, len(body) // 2, len(body) - 1), start=2):
        answers.begin(number, {":status": str(said.status), "content-type": said.content_type or ""})
        assert answers.body(number, body[:at]) + answers.body(number, body[at:], end=True) == body
        headers = answers.streams[number].response
        want = "contextOverflow" if name.startswith("context-") else None
        assert (headers[":status"], headers.get("x-pm-retry")) == (str(said.status), want)
        prompt, completion = USED.get(name, (0, 0))
        counted = {"prompt_tokens": prompt, "completion_tokens": completion}
        assert answers.counts(number) == (counted if prompt else {})
