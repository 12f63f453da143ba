"""target.lua: what each attempt writes anew, and which errors of a target are another target's chance."""

import json
from typing import Any

import pytest

from tests.support.lua_filter import LuaFilter, Stream, Value

OWN: dict[str, Value] = {"id": "1", "model": "served", "host": "a.default", "prefix": "/v1", "usage": True}
HOSTED: dict[str, Value] = {
    "id": "2",
    "model": "gpt-5-mini",
    "host": "api.example.com",
    "prefix": "/openai/v2",
    "usage": False,
}
CLIENT = {
    "authorization": "Bearer sk-client",
    "api-key": "k",
    "x-api-key": "k",
    "content-type": "application/json",
}


def attempt(
    body: bytes, context: dict[str, Value] = OWN, *, headers: dict[str, str] | None = None, **kept: Any
) -> Stream:
    known = {"path": "/v1/chat/completions", "length": str(len(body)), "model": "chat", **kept}
    sent = {**CLIENT, ":path": "/v1/chat/completions", "content-length": str(len(body)), **(headers or {})}
    stream = Stream(sent, body, metadata={"pm.request": {"kept": known}}, context=context)
    return LuaFilter("target.lua").on_request(stream)


def test_no_credential_of_the_client_or_of_an_earlier_attempt_is_left() -> None:
    sent = attempt(b'{"model":"chat"}')
    assert not {"authorization", "api-key", "x-api-key"} & set(sent.headers)


@pytest.mark.parametrize(
    ("case", "context", "path", "want_path", "want_host"),
    [
        ("own engine", OWN, "/v1/chat/completions", "/v1/chat/completions", "a.default"),
        ("a query stays", OWN, "/v1/embeddings?x=1", "/v1/embeddings?x=1", "a.default"),
        ("provider with a prefix", HOSTED, "/v1/embeddings", "/openai/v2/embeddings", "api.example.com"),
        ("provider without a prefix", {**HOSTED, "prefix": ""}, "/v1/rerank", "/rerank", "api.example.com"),
    ],
)
def test_the_address_of_the_target_is_written(
    case: str, context: dict[str, Value], path: str, want_path: str, want_host: str
) -> None:
    earlier = {":path": "/of/the/attempt/before", ":authority": "before"}
    sent = attempt(b'{"model":"chat"}', context, path=path, headers=earlier)
    assert (sent.headers[":path"], sent.headers[":authority"]) == (want_path, want_host)


def test_the_model_is_the_targets_and_the_length_fits() -> None:
    sent = attempt(b'{"model":"chat","messages":[]}')
    assert sent.body == b'{"model":"served","messages":[]}'
    assert sent.headers["content-length"] == str(len(sent.body))


def test_a_body_that_fits_already_is_not_touched() -> None:
    body = b'{ "model" : "served" }'
    sent = attempt(body, model="served")
    assert sent.body == body


def test_a_second_attempt_writes_over_the_first() -> None:
    first = attempt(b'{"model":"chat"}')
    assert first.body is not None
    second = attempt(
        first.body, HOSTED, headers={"content-length": first.headers["content-length"]}, length="16"
    )
    assert second.body == b'{"model":"gpt-5-mini"}'
    assert second.headers["content-length"] == str(len(second.body))


def test_the_length_is_mended_when_the_model_is_right_but_the_attempt_before_changed_the_body() -> None:
    sent = attempt(b'{"model":"served"}', model="served", headers={"content-length": "99"})
    assert sent.headers["content-length"] == "18"


def test_a_mirrors_copy_has_no_metadata_and_still_gets_its_model() -> None:
    stream = Stream({":path": "/v1/completions", "x-pm-affinity": "k"}, b'{"model":"chat"}', context=OWN)
    sent = LuaFilter("target.lua").on_request(stream)
    assert sent.body == b'{"model":"served"}'
    assert sent.headers[":path"] == "/v1/completions"
    assert "x-pm-affinity" not in sent.headers


@pytest.mark.parametrize(
    ("case", "bound", "want_kept"),
    [("made by us", True, False), ("the route's own choice of header", False, True)],
)
def test_our_affinity_header_does_not_reach_the_target(case: str, bound: bool, want_kept: bool) -> None:
    sent = attempt(b'{"model":"chat"}', headers={"x-pm-affinity": "k"}, bound=bound)
    assert ("x-pm-affinity" in sent.headers) is want_kept


@pytest.mark.parametrize(
    ("case", "body", "context", "strip", "want"),
    [
        ("not a stream of chat", {"model": "chat"}, OWN, False, {"model": "served"}),
        (
            "asked for on the client's behalf",
            {"model": "chat", "stream": True},
            OWN,
            True,
            {"stream_options": {"include_usage": True}, "model": "served", "stream": True},
        ),
        (
            "a target that does not take the option",
            {"model": "chat", "stream": True},
            HOSTED,
            True,
            {"model": "gpt-5-mini", "stream": True},
        ),
        (
            "the client's other options stay",
            {"model": "chat", "stream_options": {"include_usage": False, "x": [1, {"y": "}"}]}},
            OWN,
            True,
            {"model": "served", "stream_options": {"include_usage": True, "x": [1, {"y": "}"}]}},
        ),
        (
            "options without the one",
            {"model": "chat", "stream_options": {"x": 1}},
            OWN,
            True,
            {"model": "served", "stream_options": {"include_usage": True, "x": 1}},
        ),
        (
            "empty options",
            {"model": "chat", "stream_options": {}},
            OWN,
            True,
            {"model": "served", "stream_options": {"include_usage": True}},
        ),
        (
            "null options",
            {"model": "chat", "stream_options": None},
            OWN,
            True,
            {"model": "served", "stream_options": {"include_usage": True}},
        ),
        (
            "a null for the option",
            {"model": "chat", "stream_options": {"include_usage": None}},
            OWN,
            True,
            {"model": "served", "stream_options": {"include_usage": True}},
        ),
        (
            "another option of that value",
            {"model": "chat", "stream_options": {"only": "include_usage"}},
            OWN,
            True,
            {"model": "served", "stream_options": {"include_usage": True, "only": "include_usage"}},
        ),
        (
            "an option of that name further inside",
            {"model": "chat", "stream_options": {"x": {"include_usage": False}}},
            OWN,
            True,
            {"model": "served", "stream_options": {"include_usage": True, "x": {"include_usage": False}}},
        ),
    ],
)
def test_usage_is_asked_for(
    case: str, body: dict[str, Any], context: dict[str, Value], strip: bool, want: dict[str, Any]
) -> None:
    sent = attempt(json.dumps(body).encode(), context, strip=strip)
    assert sent.body is not None
    assert json.loads(sent.body) == want


@pytest.mark.parametrize(
    ("case", "status", "body", "want"),
    [
        ("OpenAI", "400", '{"error":{"code":"context_length_exceeded"}}', "contextOverflow"),
        ("vLLM", "400", "This model's maximum context length is 8192 tokens", "contextOverflow"),
        ("llama.cpp", "400", '{"error":{"type":"exceed_context_size_error"}}', "contextOverflow"),
        ("Anthropic", "400", "prompt is too long: 210000 tokens", "contextOverflow"),
        ("TEI", "413", "`inputs` must have less than 512 tokens", "contextOverflow"),
        ("Azure's filter", "400", '{"error":{"code":"content_filter"}}', "refusal"),
        ("any other mistake of the client", "400", '{"error":{"message":"unknown field"}}', None),
        ("a mistake in the fields", "422", '{"detail":"bad"}', None),
        ("the words in an answer that succeeded", "200", "maximum context length", None),
        ("a server error is judged by its status", "500", "maximum context length", None),
        ("without a body", "400", None, None),
    ],
)
def test_errors_that_another_target_may_not_make(
    case: str, status: str, body: str | None, want: str | None
) -> None:
    stream = Stream({":status": status}, body.encode() if body is not None else None, context=OWN)
    seen = LuaFilter("target.lua").on_response(stream)
    assert seen.headers.get("x-pm-retry") == want


def test_targets_that_share_a_worker_do_not_share_their_context() -> None:
    script = LuaFilter("target.lua")
    stream = {"headers": {":path": "/v1/completions"}, "body": b'{"model":"chat"}'}
    for context in (OWN, HOSTED, OWN):
        sent = script.on_request(Stream(dict(stream["headers"]), stream["body"], context=context))  # type: ignore[arg-type]
        assert sent.headers[":authority"] == context["host"]
