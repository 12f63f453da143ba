"""request.lua: a request's scope, what is kept of it, and what is read and taken out of answers."""

import json
from typing import Any

import pytest

from tests.support.lua_filter import LuaFilter, Stream

JSON = "application/json"


def asked(
    found: dict[str, Any] | None,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    content_type: str | None = JSON,
    length: str | None = "40",
    body: bytes | None = None,
) -> Stream:
    headers = {":path": path, ":method": method}
    if content_type is not None:
        headers["content-type"] = content_type
    if length is not None:
        headers["content-length"] = length
    metadata = {"pm": found} if found is not None else {}
    return LuaFilter("request.lua").on_request(Stream(headers, body, metadata=metadata))


CHAT = {"model": "chat"}


@pytest.mark.parametrize(
    ("case", "found", "asks", "want_scope"),
    [
        ("a chat", CHAT, {}, "chat"),
        ("a query in the path", CHAT, {"path": "/v1/embeddings?api-version=1"}, "chat"),
        ("a name with owner", {"model": "team-a/chat:v1.2_x"}, {}, "team-a/chat:v1.2_x"),
        ("the longest name", {"model": "m" * 128}, {}, "m" * 128),
        ("a name that is too long", {"model": "m" * 129}, {}, "!model"),
        ("an empty name", {"model": ""}, {}, "!model"),
        ("one of our own scopes as name", {"model": "!models"}, {}, "!model"),
        ("a name with a line break", {"model": "chat\r\nx-pm-open: 1"}, {}, "!model"),
        ("a name with a blank", {"model": "my chat"}, {}, "!model"),
        ("a name with an umlaut", {"model": "größe"}, {}, "!model"),
        ("a number as name", {"model": 7}, {}, "!model"),
        ("no name", {"no_model": True}, {}, "!model"),
        ("no JSON", {"malformed": True}, {}, "!malformed"),
        ("nothing could be read", None, {}, "!malformed"),
        ("no content type and nothing read", None, {"content_type": None}, "!malformed"),
        ("a form", None, {"content_type": "multipart/form-data; boundary=x"}, "!content-type"),
        (
            "a type that only begins like JSON",
            None,
            {"content_type": "application/json-seq"},
            "!content-type",
        ),
        (
            "JSON in capitals with a charset",
            CHAT,
            {"content_type": "Application/JSON; charset=utf-8"},
            "chat",
        ),
        ("another path", CHAT, {"path": "/v2/chat"}, "!path"),
        ("the root", CHAT, {"path": "/"}, "!path"),
        ("a path below a known one", CHAT, {"path": "/v1/chat/completions/x"}, "!path"),
        ("GET where POST is asked for", None, {"method": "GET"}, "!method"),
        ("the list", None, {"path": "/v1/models", "method": "GET"}, "!models"),
        ("the list's head", None, {"path": "/v1/models", "method": "HEAD"}, "!models"),
        ("one of the list", None, {"path": "/v1/models/chat", "method": "GET"}, "!models"),
        ("POST to the list", None, {"path": "/v1/models", "method": "POST"}, "!method"),
        ("something like the list", None, {"path": "/v1/modelsx", "method": "GET"}, "!path"),
    ],
)
def test_the_scope_of_a_request(
    case: str, found: dict[str, Any] | None, asks: dict[str, Any], want_scope: str
) -> None:
    assert asked(found, **asks).headers["x-pm-model"] == want_scope


def test_the_path_of_a_listed_model_is_read_without_query_and_with_its_slash() -> None:
    seen = asked(None, path="/v1/models/team-a%2Fchat?x=%2f", method="GET")
    assert seen.headers["x-pm-path"] == "/v1/models/team-a/chat"


@pytest.mark.parametrize(
    ("case", "path", "found", "want_strip", "want_stream_header"),
    [
        ("an answer in one piece", "/v1/chat/completions", CHAT, False, None),
        ("a stream", "/v1/chat/completions", {**CHAT, "stream": True}, True, "true"),
        ("a stream of completions", "/v1/completions", {**CHAT, "stream": True}, True, "true"),
        ("a stream of responses", "/v1/responses", {**CHAT, "stream": True}, False, "true"),
        (
            "usage was asked for",
            "/v1/completions",
            {**CHAT, "stream": True, "include_usage": True},
            False,
            "true",
        ),
        ("and refused", "/v1/completions", {**CHAT, "stream": True, "include_usage": False}, True, "true"),
        ("the word instead of the value", "/v1/completions", {**CHAT, "stream": "true"}, False, None),
    ],
)
def test_streams_are_marked_and_usage_is_asked_for(
    case: str, path: str, found: dict[str, Any], want_strip: bool, want_stream_header: str | None
) -> None:
    seen = asked(found, path=path)
    assert seen.metadata["pm.request"]["kept"]["strip"] is want_strip
    assert seen.headers.get("x-pm-stream") == want_stream_header


@pytest.mark.parametrize(
    ("case", "key", "want"),
    [
        ("plain", "session-1_a.b", "session-1_a.b"),
        ("a line break", "a\r\nx: y", "a%0D%0Ax%3A%20y"),
        ("not ASCII", "ü", "%C3%BC"),
        ("a number is no key", 7, None),
        ("too long", "k" * 300, "k" * 256),
    ],
)
def test_the_prompt_cache_key_becomes_a_safe_header(case: str, key: object, want: str | None) -> None:
    assert asked({**CHAT, "prompt_cache_key": key}).headers.get("x-pm-affinity") == want


def test_a_body_in_chunks_is_measured() -> None:
    seen = asked(CHAT, length=None, body=b"x" * 1234)
    assert seen.headers["x-pm-bytes"] == "1234"
    assert seen.metadata["pm.request"]["kept"]["length"] == "1234"


def answered(
    chunks: list[bytes], *, strip: bool = True, content_type: str = "text/event-stream; charset=utf-8"
) -> bytes:
    metadata = {"pm.request": {"kept": {"strip": strip}}}
    headers = {":status": "200", "content-type": content_type}
    seen = LuaFilter("request.lua").on_response(Stream(headers, chunks=chunks, metadata=metadata))
    return b"".join(seen.chunks)


def event(value: object, *, before: bytes = b"", end: bytes = b"\n\n") -> bytes:
    return before + b"data: " + json.dumps(value, separators=(",", ":")).encode() + end


USAGE = {"id": "1", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "details": {"x": 1}}}
DELTA = {"id": "1", "choices": [{"index": 0, "delta": {"content": "hi"}}]}
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("case", "kept_before", "usage", "kept_after"),
    [
        ("between an answer and its end", event(DELTA), event(USAGE), DONE),
        ("alone in its chunk", b"", event(USAGE), b""),
        ("with carriage returns", b"", event(USAGE, end=b"\r\n\r\n"), DONE),
        ("after an answer with an open brace", event({"choices": [{"text": "{"}]}), event(USAGE), DONE),
        ("after an answer with a closed brace", event({"choices": [{"text": "}"}]}), event(USAGE), DONE),
        (
            "between braces that would fit each other",
            event({"choices": [{"text": "{"}]}),
            event(USAGE),
            event({"choices": [{"text": "}"}]}),
        ),
    ],
)
def test_the_event_with_usage_alone_is_taken_out(
    case: str, kept_before: bytes, usage: bytes, kept_after: bytes
) -> None:
    assert answered([kept_before + usage + kept_after]) == kept_before + kept_after


@pytest.mark.parametrize(
    ("case", "stream"),
    [
        ("usage beside an answer", event({**DELTA, "usage": {"completion_tokens": 1}})),
        ("no usage yet", event({"choices": [], "usage": None})),
        ("a first event without choices", event({"choices": [], "prompt_filter_results": []})),
        ("an answer that talks of usage", event({"choices": [{"text": '"choices":[],"usage":{}'}]})),
        ("an event with a name of its own", b"event: usage\n" + event(USAGE)),
    ],
)
def test_every_other_event_stays(case: str, stream: bytes) -> None:
    assert answered([stream + DONE]) == stream + DONE


def test_a_client_that_asked_for_usage_gets_it() -> None:
    assert answered([event(DELTA), event(USAGE), DONE], strip=False) == event(DELTA) + event(USAGE) + DONE


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
    ],
)
@pytest.mark.parametrize("in_one_piece", [True, False])
def test_tokens_of_an_answer_in_one_piece_are_counted(
    case: str, usage: dict[str, Any], want: dict[str, int], in_one_piece: bool
) -> None:
    said = 'they write \\"usage\\": {"prompt_tokens": 99}'
    answer = json.dumps({"choices": [{"text": said}], "usage": usage, "timings": {"a": 1}}).encode()
    headers = {":status": "200", "content-type": JSON}
    if in_one_piece:
        stream = Stream({**headers, "content-length": str(len(answer))}, answer)
    else:
        stream = Stream(headers, chunks=[answer[n : n + 7] for n in range(0, len(answer), 7)])
    assert LuaFilter("request.lua").on_response(stream).metadata.get("pm", {}) == want


def test_tokens_are_found_at_the_end_of_a_long_answer() -> None:
    answer = json.dumps({"data": ["x" * 100] * 9000, "usage": {"prompt_tokens": 5}}).encode()
    stream = Stream({":status": "200", "content-type": JSON}, chunks=[answer[:500_000], answer[500_000:]])
    assert LuaFilter("request.lua").on_response(stream).metadata == {"pm": {"prompt_tokens": 5}}


def test_an_error_is_not_read_for_usage() -> None:
    stream = Stream(
        {":status": "400", "content-type": JSON, "content-length": "30"}, b'{"usage":{"prompt_tokens":5}}'
    )
    assert LuaFilter("request.lua").on_response(stream).metadata == {}
