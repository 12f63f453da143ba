"""Our filters against Python: what is JSON, what it says, what a target gets, and what a client gets back."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.routing.metrics import TOKENS
from tests.support.filter_host import Running, Stream, answered, attempts, requests

CHAT = "/v1/chat/completions"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:/-]{0,20}\Z")

REQUESTS = requests()


def _no_constants(word: str) -> Any:
    raise ValueError(word)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body.decode("utf-8"), parse_constant=_no_constants)
        json.dumps(json.loads(body.decode("utf-8")), ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return False
    return True


def routed(body: bytes, path: str = CHAT, cuts: Sequence[int] = ()) -> Stream:
    stream = Stream({":method": "POST", ":path": path, "content-type": "application/json"})
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    REQUESTS.send(stream, [body[a:b] for a, b in itertools.pairwise(edges)]).close()
    return stream


def scope(body: bytes, cuts: Sequence[int] = ()) -> str:
    return routed(body, cuts=cuts).request["x-pm-model"]


def scope_named(model: str) -> str:
    """The scope of a model's name: itself, or something that can be no name."""
    if not model:
        return "!model"
    said = model.encode()
    safe = quote(said[:128], safe=":/").replace("~", "%7E") + "..." * (len(said) > 128)
    assert (safe == model) or NAME.match(safe) is None
    return safe


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
CUTS = st.lists(st.integers(0, 60), max_size=4)
SPACES = st.sampled_from([None, 1, "\t"])


@given(JSON, st.booleans(), SPACES, CUTS)
def test_everything_that_python_writes_is_json(
    value: Any, ascii_only: bool, indent: Any, cuts: list[int]
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert scope(body, cuts) != "!malformed"


@given(JSON, st.booleans(), CUTS, st.data())
def test_what_python_does_not_read_is_not_json(
    value: Any, ascii_only: bool, cuts: list[int], data: st.DataObject
) -> None:
    raw = bytearray(json.dumps(value, ensure_ascii=ascii_only).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw)))
        replacement = data.draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"]", b",", b":", b"0", b"e", b"\xff"])
        )
        raw[at : at + data.draw(st.integers(0, 1))] = replacement
    assert (scope(bytes(raw), cuts) != "!malformed") == _is_json(bytes(raw)), bytes(raw)


@given(st.binary(max_size=8))
def test_strings_are_utf8_as_python_reads_it(inside: bytes) -> None:
    body = b'{"user":"' + inside + b'"}'
    assert (scope(body) != "!malformed") == _is_json(body)


MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(["model", "user", "stream", "prompt_cache_key", "m\u0000", "tools"]), JSON | NAMES
    ),
    max_size=6,
)


def _written(members: list[tuple[str, Any]]) -> str:
    return "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in members) + "}"


@given(MEMBERS)
def test_of_each_member_the_last_one_counts(members: list[tuple[str, Any]]) -> None:
    last = dict(members)
    stream = routed(_written(members).encode())
    model = last.get("model")
    named = isinstance(model, str) and model != ""
    assert stream.request["x-pm-model"] == (scope_named(model) if isinstance(model, str) else "!model")
    assert ("x-pm-stream" in stream.request) == (named and last.get("stream") is True)
    assert ("x-pm-affinity" in stream.request) == (named and isinstance(last.get("prompt_cache_key"), str))


def attempted(body: bytes, model: str, usage: str = "usage", pieces: int = 1) -> Stream:
    stream = Stream({":path": CHAT})
    size = max(1, -(-len(body) // pieces))
    host = attempts(f"{usage} host.example:8080 /p/v1 {model}")
    host.send(stream, [body[at : at + size] for at in range(0, len(body), size)]).close()
    return stream


FILLING = st.sampled_from([0, 10, 65_400, 65_500, 65_530, 131_000, 200_000])


@given(st.lists(st.tuples(FILLING, NAMES), min_size=1, max_size=4), NAMES, st.integers(1, 3))
def test_every_model_is_written_anew_and_nothing_else(
    parts: list[tuple[int, str]], model: str, pieces: int
) -> None:
    """Wherever the names stand: before, across and after the windows in which the body is read."""

    def body(names: list[str]) -> bytes:
        members = [
            f'"user":"{"x" * length}","model" : "{name}"'
            for (length, _), name in zip(parts, names, strict=True)
        ]
        return ("{" + ",".join(members) + ',"end":1.50}').encode()

    stream = attempted(body([name for _, name in parts]), model, pieces=pieces)
    assert stream.request_body == body([model] * len(parts))
    assert stream.request["content-length"] == str(len(stream.request_body))
    assert stream.request[":path"] == "/p/v1/chat/completions"
    assert stream.request[":authority"] == "host.example:8080"


@given(
    st.dictionaries(st.sampled_from(["include_usage", "chunk"]), JSON, max_size=2) | JSON,
    FILLING,
    st.booleans(),
    st.sampled_from(["usage", "-"]),
)
def test_usage_is_asked_for_where_the_target_takes_the_option(
    options: Any, length: int, first: bool, usage: str
) -> None:
    members = [("model", "chat"), ("user", "x" * length), ("stream", True)]
    members.insert(0 if first else 3, ("stream_options", options))
    seen = json.loads(attempted(_written(members).encode(), "new", usage).request_body)
    expected: dict[str, Any] = {**dict(members), "model": "new"}
    if usage == "usage":
        kept = options if isinstance(options, dict) else {}
        expected["stream_options"] = {**kept, "include_usage": True}
    assert seen == expected


RUNNING: dict[int, Running] = {}


def streamed(asked: bool) -> tuple[Stream, Running]:
    """A stream that has been asked for, with an attempt that waits for its answer."""
    stream = Stream({":path": CHAT, ":method": "POST"})
    options = b',"stream_options":{"include_usage":true}' if asked else b""
    body = b'{"model":"m","stream":true' + options + b"}"
    RUNNING[stream.number] = REQUESTS.send(stream, [body])
    attempt = attempts("usage h /v1 m").send(stream, [body])
    stream.response = {":status": "200", "content-type": "text/event-stream"}
    return stream, attempt


def ended(stream: Stream) -> dict[str, str]:
    """What the metrics are told of it."""
    request = RUNNING.pop(stream.number)
    request.ended()
    request.close()
    return stream.state


CHUNK = {"id": "1", "choices": [{"delta": {"content": 'she said "usage":{} and \n\n'}}]}
USAGE = {"id": "1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 4_000_000_000}}


@given(st.lists(st.integers(0, 400), max_size=6), st.booleans(), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_what_nobody_asked_for_is_taken_out_however_the_stream_is_cut(
    cuts: list[int], asked: bool, end: str
) -> None:
    def events(*values: Any) -> bytes:
        return (
            "".join(f"data: {json.dumps(value)}{end}" for value in values).encode()
            + f"data: [DONE]{end}".encode()
        )

    stream, attempt = streamed(asked)
    whole = events(CHUNK, CHUNK, USAGE)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    passed = answered(attempt, [whole[a:b] for a, b in itertools.pairwise(edges)])
    attempt.close()
    assert b"".join(passed) == (whole if asked else events(CHUNK, CHUNK))
    counts = ended(stream)
    assert counts["pm.prompt_tokens"] == "7"
    assert counts["pm.completion_tokens"] == "4000000000"


@settings(max_examples=15)
@given(st.lists(st.integers(0, 6), max_size=3), st.integers(0, 300_000), st.booleans(), st.booleans())
def test_usage_is_found_in_pieces_of_any_size(
    cuts: list[int], longest: int, asked: bool, at_the_end: bool
) -> None:
    """Behind a client that reads slowly, Envoy reads up to 1 MiB of a stream at once."""

    def events(*values: Any) -> bytes:
        return "".join(f"data: {json.dumps(value)}\n\n" for value in values).encode()

    stream, attempt = streamed(asked)
    chunks = [{**CHUNK, "filling": "x" * length} for length in (3000, longest, 200_000, 250_000, 7, 90_000)]
    order = [chunks[0], *([] if at_the_end else [USAGE]), *chunks[1:], *([USAGE] if at_the_end else [])]
    whole = events(*order)
    # Pieces end where events do; one that ends within the event with usage is another matter.
    ends = [at + 2 for at in range(len(whole)) if whole.startswith(b"\n\n", at)]
    edges = sorted({0, len(whole), *(ends[cut % len(ends)] for cut in cuts)})
    passed = answered(attempt, [whole[a:b] for a, b in itertools.pairwise(edges)])
    attempt.close()
    assert b"".join(passed) == (whole if asked else events(*chunks))
    assert ended(stream)["pm.prompt_tokens"] == "7"


@given(st.integers(0, 400_000), st.integers(400, 100_000), st.integers(0, 5_000))
def test_tokens_of_an_answer_in_one_piece_are_counted_at_any_length(
    before: int, size: int, after: int
) -> None:
    usage = {"prompt_tokens": 12, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 3}}
    whole = json.dumps({"text": "x" * before, "usage": usage, "timings": "y" * after}).encode()
    stream, attempt = streamed(asked=True)
    stream.response = {":status": "200", "content-type": "application/json"}
    passed = answered(attempt, [whole[at : at + size] for at in range(0, len(whole), size)])
    attempt.close()
    assert b"".join(passed) == whole
    counts = ended(stream)
    assert [counts[f"pm.{name}"] for name in TOKENS] == ["12", "0", "3"]


@pytest.mark.parametrize("first", [True, False])
def test_a_large_body_in_many_pieces_is_written_anew(first: bool) -> None:
    filling = b'"user":"' + b"x" * (1 << 20) + b'"'
    members = [b'"model":"old"', filling] if first else [filling, b'"model":"old"']
    body = b"{" + b",".join(members) + b"}"
    assert attempted(body, "new", pieces=64).request_body == body.replace(b"old", b"new")
