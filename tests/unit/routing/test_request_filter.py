"""The filter of requests: which scope a request belongs to, and what its route and its attempts are told."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pointsman.api.names import ModelName
from tests.support.filter_host import STOP, STOP_AND_DROP, FilterHost, Stream, attempts, requests

CHAT = {"model": "chat"}
FORM = b"--x\r\ncontent-disposition: form-data\r\n"


def asked(
    body: object,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    content_type: str | None = "application/json",
) -> Stream:
    stream = Stream({":path": path, ":method": method})
    if content_type is not None:
        stream.request["content-type"] = content_type
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    running = requests().send(stream, [raw] if raw else [])
    running.ended()
    running.close()
    return stream


@pytest.mark.parametrize(
    ("case", "body", "asks", "want_scope"),
    [
        ("a chat", CHAT, {}, "chat"),
        ("a query in the path", CHAT, {"path": "/v1/embeddings?api-version=1"}, "chat"),
        ("a name with owner", {"model": "team-a/chat:v1.2_x"}, {}, "team-a/chat:v1.2_x"),
        ("the longest name", {"model": "m" * 128}, {}, "m" * 128),
        ("an empty name", {"model": ""}, {}, "!model"),
        ("a number as name", {"model": 7}, {}, "!model"),
        ("an object as name", {"model": {"model": "chat"}}, {}, "!model"),
        ("no name", {"messages": []}, {}, "!model"),
        ("a name further inside", {"metadata": {"model": "chat"}}, {}, "!model"),
        ("a list of bodies", [CHAT], {}, "!model"),
        ("no object", "chat", {}, "!model"),
        ("the last of two names", b'{"model":"first","model":"chat"}', {}, "chat"),
        ("a name in escapes", b'{"mod\\u0065l":"ch\\u0061t"}', {}, "chat"),
        ("no JSON", b'{"model":"chat"', {}, "!malformed"),
        ("more than one JSON", b'{"model":"chat"}{}', {}, "!malformed"),
        ("nothing", b"", {}, "!malformed"),
        ("no content type", CHAT, {"content_type": None}, "chat"),
        (
            "JSON in capitals with a charset",
            CHAT,
            {"content_type": "Application/JSON; charset=utf-8"},
            "chat",
        ),
        ("a form", FORM, {"content_type": "multipart/form-data; boundary=x"}, "!content-type"),
        (
            "a type that only begins like JSON",
            CHAT,
            {"content_type": "application/json-seq"},
            "!content-type",
        ),
        ("another path", CHAT, {"path": "/v2/chat"}, "!path"),
        ("the root", CHAT, {"path": "/"}, "!path"),
        ("a path below a known one", CHAT, {"path": "/v1/chat/completions/x"}, "!path"),
        ("GET where POST is asked for", b"", {"method": "GET"}, "!method"),
        ("the list", b"", {"path": "/v1/models", "method": "GET"}, "!models"),
        ("the list's head", b"", {"path": "/v1/models", "method": "HEAD"}, "!models"),
        ("the list with a query", b"", {"path": "/v1/models?limit=1", "method": "GET"}, "!models"),
        ("one of the list", b"", {"path": "/v1/models/chat", "method": "GET"}, "!models"),
        ("POST to the list", CHAT, {"path": "/v1/models", "method": "POST"}, "!method"),
        ("something like the list", b"", {"path": "/v1/modelsx", "method": "GET"}, "!path"),
    ],
)
def test_the_scope_of_a_request(case: str, body: object, asks: dict[str, Any], want_scope: str) -> None:
    assert asked(body, **asks).request["x-pm-model"] == want_scope


@pytest.mark.parametrize(
    ("case", "name", "want_scope"),
    [
        ("one letter too long", "m" * 129, "m" * 128 + "..."),
        ("much too long", "m" * 4000, "m" * 128 + "..."),
        ("much too long and no letters", "ö" * 4000, "%C3%B6" * 64 + "..."),
        ("one of our own scopes", "!models", "%21models"),
        ("a line break", "chat\r\nx-pm-open: 1", "chat%0D%0Ax-pm-open:%201"),
        ("a NUL", "chat\0", "chat%00"),
        ("a blank", "my chat", "my%20chat"),
        ("an umlaut", "größe", "gr%C3%B6%C3%9Fe"),
        ("what looks like an escape", "%21models", "%2521models"),
        ("words of Envoy's", "%REQ(cookie)%", "%25REQ%28cookie%29%25"),
        ("a dot first", ".chat", ".chat"),
    ],
)
def test_what_can_be_no_name_is_safe_and_nobodys_scope(case: str, name: str, want_scope: str) -> None:
    """No route can have this name, so the answer is that of any model that does not exist, and names it."""
    for body in (json.dumps({"model": name}), json.dumps({"model": name}, ensure_ascii=False)):
        scope = asked(body.encode()).request["x-pm-model"]
        assert scope == want_scope
        with pytest.raises(ValidationError):
            TypeAdapter(ModelName).validate_python(scope)


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ("Bearer key", "Bearer key"),
        ("bearer key", "Bearer key"),
        ("BEARER key", "Bearer key"),
        ("bearer   Key with blanks ", "Bearer Key with blanks "),
        ("Bearer  key", "Bearer key"),
        ("bearer ", "Bearer "),
        ("Bearer ", "Bearer "),
        ("bearer", "bearer"),
        ("bearerkey", "bearerkey"),
        ("basic a2V5", "basic a2V5"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
def test_bearer_is_spelled_as_the_filter_of_keys_takes_it(said: str, want: str, path: str) -> None:
    stream = Stream({":path": path, ":method": "POST", "authorization": said})
    requests().send(stream, [b'{"model":"chat"}'])
    assert stream.request["authorization"] == want


@pytest.mark.parametrize("body", [b"", b'{"model":"chat"}'])
def test_a_request_that_ends_with_trailers_is_read_like_any_other(body: bytes) -> None:
    stream = Stream({":path": "/v1/embeddings", ":method": "POST"})
    requests().send(stream, [body] if body else [], trailers=True)
    assert stream.request["x-pm-model"] == ("chat" if body else "!malformed")
    assert stream.request.get("x-pm-bytes") == (str(len(body)) if body else None)


def test_the_path_of_a_listed_model_is_read_without_query_and_with_its_slash() -> None:
    seen = asked(b"", path="/v1/models/team-a%2Fbig%2fchat?x=%2f", method="GET")
    assert seen.request["x-pm-path"] == "/v1/models/team-a/big/chat"


@pytest.mark.parametrize(
    ("case", "body", "want_header", "want_state"),
    [
        ("an answer in one piece", CHAT, None, None),
        ("a stream", {**CHAT, "stream": True}, "true", "true"),
        ("no stream", {**CHAT, "stream": False}, None, None),
        ("the word instead of the value", {**CHAT, "stream": "true"}, None, None),
        ("a stream further inside", {**CHAT, "x": {"stream": True}}, None, None),
        ("no longer a stream", b'{"model":"chat","stream":true,"stream":false}', None, None),
    ],
)
def test_streams_are_marked(case: str, body: object, want_header: str | None, want_state: str | None) -> None:
    seen = asked(body)
    assert seen.request.get("x-pm-stream") == want_header
    assert seen.state.get("pm.stream") == want_state


@pytest.mark.parametrize(
    ("case", "key", "want"),
    [
        ("plain", "session-1_a.b", "session-1_a.b"),
        ("a line break", "a\r\nx: y", "a%0D%0Ax:%20y"),
        ("not ASCII", "ü", "%C3%BC"),
        ("a number is no key", 7, None),
        ("too long", "k" * 300, "k" * 256),
    ],
)
def test_the_prompt_cache_key_becomes_a_safe_header(case: str, key: object, want: str | None) -> None:
    assert asked({**CHAT, "prompt_cache_key": key}).request.get("x-pm-affinity") == want


def test_an_attempt_finds_the_clients_path_whatever_the_headers_say_by_then() -> None:
    stream = Stream({":path": "/v1/embeddings?x=1", ":method": "POST"})
    request = requests().send(stream, [b'{"model":"chat"}'])
    stream.request[":path"] = "/of/an/earlier/attempt"
    attempt = attempts("usage h /p m").send(stream, [b'{"model":"chat"}'])
    assert stream.request[":path"] == "/p/embeddings?x=1"
    attempt.close()
    request.close()


@pytest.mark.parametrize("attempted", [True, False])
@pytest.mark.parametrize("closed_first", ["request", "attempt"])
def test_the_clients_name_outlives_its_header(attempted: bool, closed_first: str) -> None:
    """Attempts take the header out; where there was none, as no rule fits, it is still there at the end."""
    stream = Stream({":path": "/v1/embeddings", ":method": "POST"})
    request = requests().send(stream, [b'{"model":"chat"}'])
    stream.request["x-pm-client"] = "ada"
    if attempted:
        attempt = attempts("usage h /p m").send(stream, [b'{"model":"chat"}'])
        assert "x-pm-client" not in stream.request
        if closed_first == "attempt":
            attempt.close()
    request.ended()
    request.close()
    if attempted and closed_first == "request":
        attempt.close()
    assert stream.state["pm.client"] == "ada"


def test_the_route_is_looked_for_again() -> None:
    assert asked(CHAT).route_is_cleared


@pytest.mark.parametrize(
    ("length", "want_reply"), [("100", None), ("101", 413), ("18446744073709551615", 413)]
)
def test_a_body_that_says_it_is_too_large_is_answered_at_once(length: str, want_reply: int | None) -> None:
    stream = Stream({":path": "/v1/embeddings", ":method": "POST", "content-length": length})
    running = FilterHost("request", "100 200").at(stream)
    assert running.request_headers(end=False) == STOP
    assert stream.reply == want_reply
    assert stream.buffer_limit == (None if want_reply else 200)
    running.close()


@pytest.mark.parametrize("end", [True, False])
def test_a_body_that_is_too_large_is_answered_when_it_is(end: bool) -> None:
    stream = Stream({":path": "/v1/embeddings", ":method": "POST"})
    running = FilterHost("request", "100 200").at(stream)
    running.request_headers(end=False)
    assert running.request_body(b"x" * 100, end=False) == STOP
    assert stream.reply is None
    assert running.request_body(b"x", end=end) == STOP_AND_DROP
    assert stream.reply == 413
    running.ended()
    running.close()


def test_a_body_in_pieces_is_measured_as_a_whole() -> None:
    stream = Stream({":path": "/v1/completions", ":method": "POST"})
    body = json.dumps({**CHAT, "prompt": "x" * 100_000}).encode()
    requests().send(stream, [body[at : at + 999] for at in range(0, len(body), 999)])
    assert stream.request["x-pm-model"] == "chat"
    assert stream.request["x-pm-bytes"] == str(len(body))


def test_requests_in_one_worker_do_not_see_each_other() -> None:
    host = requests()
    for number in range(3):
        stream = Stream({":path": "/v1/completions", ":method": "POST"})
        body = {
            "model": f"m{number}",
            "stream": number == 1,
            "prompt_cache_key": "k" if number == 0 else None,
        }
        host.send(stream, [json.dumps(body).encode()])
        assert stream.request["x-pm-model"] == f"m{number}"
        assert ("x-pm-stream" in stream.request) is (number == 1)
        assert ("x-pm-affinity" in stream.request) is (number == 0)


@pytest.mark.parametrize(
    ("depth", "want_scope"), [(511, "chat"), (512, "!malformed"), (100_000, "!malformed")]
)
def test_nesting_ends_somewhere(depth: int, want_scope: str) -> None:
    body = b'{"model":"chat","x":' + b"[" * depth + b"]" * depth + b"}"
    assert asked(body).request["x-pm-model"] == want_scope


def test_a_body_in_many_pieces_is_walked_over_once() -> None:
    stream = Stream({":path": "/v1/chat/completions", ":method": "POST"})
    body = json.dumps({**CHAT, "messages": ["x" * 100_000]}).encode()
    pieces = [body[at : at + 600] for at in range(0, len(body), 600)]
    requests().send(stream, pieces).close()
    assert stream.request["x-pm-model"] == "chat"
    assert stream.pieces_shown <= len(pieces)
