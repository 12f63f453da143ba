"""Requests that cannot be served: each gets a clear answer in OpenAI's shape, and reaches no target."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.e2e.gateway.raw_http import chunked, exchange, head
from tests.e2e.gateway.scene import Scene, error_of
from tests.support.builders import deployment, route
from tests.support.clients import Answer
from tests.support.engine_stand_in import EngineStandIn

CHAT = "/v1/chat/completions"
JSON_TYPE = ("content-type", "application/json")
GOOD = b'{"model":"chat","messages":[]}'
CAP_BYTES = 1024 * 1024


@pytest.fixture
async def engine(scene: Scene) -> EngineStandIn:
    scene.change_settings(max_request_bytes=CAP_BYTES)
    stand_in = await scene.engine("own")
    await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [stand_in.port]})
    return stand_in


@dataclass(frozen=True)
class Bad:
    """A request and what is said of it: status, the error's code, a word of its message."""

    status: int
    code: str
    says: str
    body: bytes = GOOD
    path: str = CHAT
    method: str = "POST"
    content_type: str | None = "application/json"


TABLE = {
    "unknown model": Bad(404, "model_not_found", "'gpt-9'", b'{"model":"gpt-9"}'),
    "a name with umlauts": Bad(404, "model_not_found", "'gr%C3%B6%C3%9Fe'", '{"model":"größe"}'.encode()),
    "a long name": Bad(404, "model_not_found", f"'{'m' * 128}...'", b'{"model":"%s"}' % (b"m" * 129)),
    "a scope of our own": Bad(404, "model_not_found", "'%21models'", b'{"model":"!models"}'),
    "no model": Bad(400, "missing_model", 'needs a "model"', b'{"messages":[]}'),
    "nested model only": Bad(400, "missing_model", 'needs a "model"', b'{"a":{"model":"chat"}}'),
    "number": Bad(400, "missing_model", 'needs a "model"', b'{"model":7}'),
    "true": Bad(400, "missing_model", 'needs a "model"', b'{"model":true}'),
    "null": Bad(400, "missing_model", 'needs a "model"', b'{"model":null}'),
    "list": Bad(400, "missing_model", 'needs a "model"', b'{"model":["chat"]}'),
    "object": Bad(400, "missing_model", 'needs a "model"', b'{"model":{"chat":1}}'),
    "empty name": Bad(400, "missing_model", 'needs a "model"', b'{"model":""}'),
    "a list of chats": Bad(400, "missing_model", 'needs a "model"', b'[{"model":"chat"}]'),
    "a text": Bad(400, "missing_model", 'needs a "model"', b'"chat"'),
    "cut off": Bad(400, "malformed_body", "not a JSON object", GOOD[:-1]),
    "two objects": Bad(400, "malformed_body", "not a JSON object", GOOD + GOOD),
    "single quotes": Bad(400, "malformed_body", "not a JSON object", b"{'model':'chat'}"),
    "a trailing comma": Bad(400, "malformed_body", "not a JSON object", b'{"model":"chat",}'),
    "not UTF-8": Bad(400, "malformed_body", "not a JSON object", b'{"model":"chat","user":"\xff\xfe"}'),
    "a form": Bad(415, "unsupported_media_type", "JSON", b"model=chat", content_type="text/plain"),
    "a form in JSON clothes": Bad(400, "malformed_body", "not a JSON object", b"model=chat"),
    "multipart": Bad(415, "unsupported_media_type", "JSON", content_type="multipart/form-data; boundary=x"),
    "no JSON": Bad(415, "unsupported_media_type", "JSON", content_type="application/octet-stream"),
    "GET": Bad(405, "bad_method", "POST", b"", method="GET", content_type=None),
    "PUT": Bad(405, "bad_method", "POST", method="PUT"),
    "DELETE of the list": Bad(405, "bad_method", "GET", b"", "/v1/models", "DELETE", None),
    "POST to the list": Bad(405, "bad_method", "GET", path="/v1/models"),
    "unknown path": Bad(404, "unknown_url", "nothing at this path", path="/v1/nothing"),
    "root": Bad(404, "unknown_url", "nothing at this path", b"", "/", "GET", None),
    "without /v1": Bad(404, "unknown_url", "nothing at this path", path="/chat/completions"),
    "another version": Bad(404, "unknown_url", "nothing at this path", path="/v2/chat/completions"),
    "beyond the path": Bad(404, "unknown_url", "nothing at this path", path=f"{CHAT}/more"),
    "transcription": Bad(404, "unknown_url", "nothing at this path", path="/v1/audio/transcriptions"),
    "images": Bad(404, "unknown_url", "nothing at this path", path="/v1/images/generations"),
    "files": Bad(404, "unknown_url", "nothing at this path", b"", "/v1/files", "GET", None),
    "an unknown model's page": Bad(
        404, "model_not_found", "GET /v1/models", b"", "/v1/models/x", "GET", None
    ),
}


@pytest.mark.parametrize("bad", TABLE.values(), ids=TABLE.keys())
async def test_a_bad_request_is_told_what_is_wrong(scene: Scene, engine: EngineStandIn, bad: Bad) -> None:
    headers = {} if bad.content_type is None else {"content-type": bad.content_type}
    answer = await scene.client.request(
        bad.method, bad.path, bad.body or None, headers=headers or {"accept": "*/*"}
    )
    assert answer.status == bad.status, answer
    error = error_of(answer)
    assert error["code"] == bad.code
    assert error["type"] == "invalid_request_error"
    assert bad.says in error["message"]
    assert engine.log.total == 0
    assert not [name for name in answer.headers if name.startswith(("x-pm-", "x-envoy-"))]


async def test_an_empty_body_is_told_so(scene: Scene, engine: EngineStandIn) -> None:
    for headers in ([JSON_TYPE, ("content-length", "0")], [JSON_TYPE], []):
        answer = await exchange(scene.url, head("POST", CHAT, headers))
        assert answer.status == 400, answer
        assert json.loads(answer.body)["error"]["code"] in ("malformed_body", "missing_model")
    answer = await exchange(
        scene.url, head("POST", CHAT, [JSON_TYPE, ("transfer-encoding", "chunked")]), chunked([])
    )
    assert answer.status == 400, answer
    assert engine.log.total == 0


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", None],
)
async def test_json_is_taken_however_it_is_labelled(
    scene: Scene, engine: EngineStandIn, content_type: str | None
) -> None:
    headers = [("content-length", str(len(GOOD)))]
    headers += [] if content_type is None else [("content-type", content_type)]
    answer = await exchange(scene.url, head("POST", CHAT, headers), GOOD)
    assert answer.status == 200, answer
    assert engine.log.records()[0].model == "own"


NAMES = {
    "line end": "chat\r\nx-pm-open: true",
    "newline": "chat\n",
    "tab": "chat\t",
    "null": "chat\x00",
    "delete": "chat\x7f",
    "quote": 'chat"',
    "comma": "chat,chat",
    "semicolon": "chat;x",
    "percent": "%REQ(authorization)%",
    "newline in words": "chat%0d%0aset-cookie: a=b",
    "space": " chat",
    "umlaut": "chät",
    "emoji": "chat😀",
    "slashes": "../../chat",
    "own scope": "!models",
    "own error": "!path",
    "long": "c" * 200,
    "very long": "c" * 100_000,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
async def test_a_model_name_never_becomes_a_header_or_a_path(
    scene: Scene, engine: EngineStandIn, name: str
) -> None:
    for body in (json.dumps({"model": name}), json.dumps({"model": name}, ensure_ascii=False)):
        answer: Answer = await scene.client.request("POST", CHAT, body.encode())
        assert answer.status == 404, answer
        assert error_of(answer)["code"] == "model_not_found"
        assert len(answer.body) < 1000
        assert "set-cookie" not in answer.headers
    assert engine.log.total == 0


@pytest.mark.parametrize("sent", ["length", "chunked"])
@pytest.mark.parametrize("over", [1, 4 * CAP_BYTES])
async def test_a_body_over_the_cap_is_413(scene: Scene, engine: EngineStandIn, sent: str, over: int) -> None:
    body = b'{"model":"chat","user":"' + b"x" * (CAP_BYTES + over - 26) + b'"}'
    assert len(body) == CAP_BYTES + over
    if sent == "length":
        answer = await exchange(
            scene.url, head("POST", CHAT, [JSON_TYPE, ("content-length", str(len(body)))]), body
        )
    else:
        pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
        answer = await exchange(
            scene.url, head("POST", CHAT, [JSON_TYPE, ("transfer-encoding", "chunked")]), chunked(pieces)
        )
    assert answer.status == 413, answer
    error = json.loads(answer.body)["error"]
    assert (error["code"], error["type"]) == ("request_too_large", "invalid_request_error")
    assert "1 MiB" in error["message"]
    assert engine.log.total == 0


async def test_a_body_of_just_the_cap_arrives_whole(scene: Scene, engine: EngineStandIn) -> None:
    body = b'{"model":"own!","user":"' + b"x" * (CAP_BYTES - 26) + b'"}'
    body = body.replace(b'"own!"', b'"chat"')
    assert len(body) == CAP_BYTES
    answer = await scene.client.request("POST", CHAT, body)
    assert answer.ok, answer
    assert engine.log.records()[0].body_bytes == CAP_BYTES - 1, "own is one letter shorter than chat"


async def test_headers_that_are_too_large_are_refused(scene: Scene, engine: EngineStandIn) -> None:
    for headers in ([("x-large", "x" * 100_000)], [(f"x-{index}", "y") for index in range(2000)]):
        fields = [JSON_TYPE, ("content-length", str(len(GOOD))), *headers]
        answer = await exchange(scene.url, head("POST", CHAT, fields), GOOD)
        assert answer.status == 431, answer
        assert json.loads(answer.body)["error"]["code"] == "headers_too_large"
    assert engine.log.total == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"NONSENSE\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"
        b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n"
        b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nbad header: x\r\n\r\n",
    ],
    ids=["no request line", "two lengths", "length and chunked", "space in a header name"],
)
async def test_what_is_not_http_is_refused_and_harms_nobody(
    scene: Scene, engine: EngineStandIn, raw: bytes
) -> None:
    answer = await exchange(scene.url, raw)
    assert answer.status == 400, answer
    assert engine.log.total == 0
    assert (await scene.client.chat("chat")).ok


@pytest.mark.parametrize(
    ("first_line", "host", "want_status"),
    [
        ("GET /v1/models HTTP/1.1", "", 400),
        ("GET /v1/models#x HTTP/1.1", "host: a\r\n", 400),
        ("OPTIONS * HTTP/1.1", "host: a\r\n", 404),
    ],
    ids=["no host", "a fragment", "no path"],
)
async def test_what_envoy_turns_down_itself_is_said_in_openais_shape(
    scene: Scene, engine: EngineStandIn, first_line: str, host: str, want_status: int
) -> None:
    answer = await exchange(scene.url, f"{first_line}\r\n{host}connection: close\r\n\r\n".encode())
    assert answer.status == want_status, answer
    assert json.loads(answer.body)["error"]["type"] == "invalid_request_error"
    assert "'-'" not in answer.body.decode(), "the message names no model where none was asked for"


async def test_http_1_0_is_spoken(scene: Scene, engine: EngineStandIn) -> None:
    for name, status in (("chat", 200), ("gpt-9", 404)):
        body = json.dumps({"model": name, "messages": []}).encode()
        fields = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        answer = await exchange(scene.url, f"POST {CHAT} HTTP/1.0\r\n{fields}".encode() + body)
        assert answer.status == status, answer
        assert ("error" in json.loads(answer.body)) is (status == 404)
    body = b'{"model":"chat","messages":[],"stream":true}'
    fields = f"host: a\r\ncontent-length: {len(body)}\r\n\r\n"
    answer = await exchange(scene.url, f"POST {CHAT} HTTP/1.0\r\n{fields}".encode() + body)
    assert answer.body.startswith(b"data: {"), "HTTP/1.0 knows no chunks"
    assert answer.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
async def test_who_wants_another_protocol_is_answered_in_this_one(
    scene: Scene, engine: EngineStandIn, protocol: str
) -> None:
    wish = f"host: a\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n\r\n"
    answer = await exchange(scene.url, f"GET /v1/realtime?model=chat HTTP/1.1\r\n{wish}".encode())
    assert answer.status == 404, answer
    assert json.loads(answer.body)["error"]["code"] == "unknown_url"
