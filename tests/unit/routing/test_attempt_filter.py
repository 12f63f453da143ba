"""The filter of attempts: a request as its target takes it, whatever the attempt before made of it."""

import json
from typing import Any

import pytest

from tests.support.filter_host import Stream, attempts

OWN = "usage a.default /v1 served"
HOSTED = "- api.example.com /openai/v2 gpt-5-mini"
PATH = "/v1/chat/completions"


def attempt(
    body: bytes, words: str = OWN, *, path: str = PATH, headers: dict[str, str] | None = None
) -> Stream:
    stream = Stream({":path": path, **(headers or {})})
    attempts(words).send(stream, [body] if body else []).close()
    return stream


@pytest.mark.parametrize(
    ("case", "words", "path", "want_path", "want_host"),
    [
        ("own engine", OWN, PATH, PATH, "a.default"),
        ("a query stays", OWN, "/v1/embeddings?x=1", "/v1/embeddings?x=1", "a.default"),
        ("provider with a prefix", HOSTED, "/v1/embeddings", "/openai/v2/embeddings", "api.example.com"),
        ("provider without a prefix", "usage h:8443  m", "/v1/rerank", "/rerank", "h:8443"),
        ("IPv6", "usage [::1]:8443 /v1 m", "/v1/rerank", "/v1/rerank", "[::1]:8443"),
    ],
)
def test_the_address_of_the_target_is_written(
    case: str, words: str, path: str, want_path: str, want_host: str
) -> None:
    sent = attempt(b'{"model":"chat"}', words, path=path, headers={":authority": "before"})
    assert (sent.request[":path"], sent.request[":authority"]) == (want_path, want_host)


def test_the_model_is_the_targets_and_the_length_fits() -> None:
    sent = attempt(b'{"model":"chat","messages":[]}')
    assert sent.request_body == b'{"model":"served","messages":[]}'
    assert sent.request["content-length"] == str(len(sent.request_body))


def test_a_body_that_fits_already_is_not_touched() -> None:
    assert attempt(b'{ "model" : "served" }').request_body == b'{ "model" : "served" }'


def test_a_body_that_says_the_model_twice_says_it_once_for_all() -> None:
    """Else a client could ask a provider for another model than its route has, with our key."""
    sent = attempt(b'{"model":"expensive","model":"served"}')
    assert sent.request_body == b'{"model":"served","model":"served"}'


def test_a_second_attempt_writes_over_the_first() -> None:
    stream = Stream({":path": PATH})
    body = b'{"model":"chat","stream":true}'
    for words, want_model in ((OWN, "served"), (HOSTED, "gpt-5-mini"), (OWN, "served")):
        attempts(words).send(stream, [body]).close()
        assert json.loads(stream.request_body)["model"] == want_model
        assert stream.request["content-length"] == str(len(stream.request_body))


def test_no_credential_and_nothing_of_ours_goes_to_a_target() -> None:
    """What the attempt before was given, what the client showed, and what is the business of neither."""
    gone = dict.fromkeys(
        (
            "authorization", "api-key", "x-api-key", "x-pm-model", "x-pm-stream", "x-pm-bytes", "x-pm-open",
            "x-pm-client", "x-pm-affinity", "cookie", "proxy-authorization", "openai-organization",
            "openai-project", "accept-encoding", "x-envoy-external-address", "x-forwarded-for", "x-real-ip",
            "forwarded",
        ),
        "x",
    )  # fmt: skip
    stays = {"content-type": "application/json", "x-request-id": "7", "traceparent": "t", "cookies": "2"}
    sent = attempt(b'{"model":"chat"}', headers={**gone, **stays})
    written = {":path", ":authority", "content-length"}
    assert {name: value for name, value in sent.request.items() if name not in written} == stays


def test_hundreds_of_headers_hide_none() -> None:
    many = {f"x-{number}": "x" for number in range(300)}
    sent = attempt(b'{"model":"chat"}', headers={**many, "authorization": "key", "cookie": "x"})
    assert not {"authorization", "cookie"} & sent.request.keys()


def test_a_request_without_a_body_is_sent_on() -> None:
    sent = attempt(b"")
    assert (sent.request[":authority"], sent.request["content-length"]) == ("a.default", "0")


@pytest.mark.parametrize("body", [b"", b'{"model":"chat"}'])
def test_a_request_that_ends_with_trailers_is_written_like_any_other(body: bytes) -> None:
    stream = Stream({":path": PATH})
    attempts(HOSTED).send(stream, [body] if body else [], trailers=True).close()
    assert stream.request_body == body.replace(b"chat", b"gpt-5-mini")
    assert stream.request["content-length"] == str(len(stream.request_body))
    assert stream.request[":path"] == "/openai/v2/chat/completions"


STREAM = {"model": "chat", "stream": True}


@pytest.mark.parametrize(
    ("case", "words", "path", "body", "want_options"),
    [
        ("a stream of a chat", OWN, PATH, STREAM, {"include_usage": True}),
        ("a stream of completions", OWN, "/v1/completions", STREAM, {"include_usage": True}),
        ("a query in the path", OWN, f"{PATH}?x=1", STREAM, {"include_usage": True}),
        ("no stream", OWN, PATH, {"model": "chat"}, None),
        ("a stream of responses", OWN, "/v1/responses", STREAM, None),
        ("a target that does not take the option", HOSTED, PATH, STREAM, None),
        (
            "the client's other options stay",
            OWN,
            PATH,
            {**STREAM, "stream_options": {"include_usage": False, "x": [1, {"y": "}"}]}},
            {"include_usage": True, "x": [1, {"y": "}"}]},
        ),
        (
            "options without the one",
            OWN,
            PATH,
            {**STREAM, "stream_options": {"x": 1}},
            {"include_usage": True, "x": 1},
        ),
        ("empty options", OWN, PATH, {**STREAM, "stream_options": {}}, {"include_usage": True}),
        ("null options", OWN, PATH, {**STREAM, "stream_options": None}, {"include_usage": True}),
        ("a list of options", OWN, PATH, {**STREAM, "stream_options": [1]}, {"include_usage": True}),
        (
            "a null for the option",
            OWN,
            PATH,
            {**STREAM, "stream_options": {"include_usage": None}},
            {"include_usage": True},
        ),
        (
            "another option of that value",
            OWN,
            PATH,
            {**STREAM, "stream_options": {"only": "include_usage"}},
            {"include_usage": True, "only": "include_usage"},
        ),
        (
            "an option of that name further inside",
            OWN,
            PATH,
            {**STREAM, "stream_options": {"x": {"include_usage": False}}},
            {"include_usage": True, "x": {"include_usage": False}},
        ),
    ],
)
def test_usage_is_asked_for(
    case: str, words: str, path: str, body: dict[str, Any], want_options: dict[str, Any] | None
) -> None:
    sent = json.loads(attempt(json.dumps(body).encode(), words, path=path).request_body)
    assert sent.get("stream_options") == want_options
    assert {name: value for name, value in sent.items() if name != "stream_options"} == {
        **{name: value for name, value in body.items() if name != "stream_options"},
        "model": words.split()[-1],
    }
