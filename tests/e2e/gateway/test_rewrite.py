"""What a target receives: its own model name, path and host, and every other byte as the client sent it."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.e2e.gateway.raw_http import chunked, exchange, head
from tests.e2e.gateway.raw_http2 import body_of_answer
from tests.e2e.gateway.scene import Scene, target
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, hosted, route
from tests.support.seen_requests import SeenRequest

LONG_PROMPT = 'The quick brown \\"fox\\" {\\"model\\": \\"chat\\"} jumps. ' * 20_000

# Bodies with @ where a top-level model name stands: the client writes "chat" there, the target reads its own.
BODIES = {
    "first": '{"model":"@","messages":[{"role":"user","content":"hello"}]}',
    "last": '{"messages":[{"role":"user","content":"hello"}],"temperature":0.10,"model":"@"}',
    "between": '{"max_tokens":1e2,"model":"@","messages":[]}',
    "spaced": ' \t\n{\r\n  "messages" : [ ] ,\n\t"model"\t:\r\n "@"\n}\r\n',
    "in a message": '{"messages":[{"role":"user","content":"{\\"model\\": \\"chat\\"}"}],"model":"@"}',
    "as a value": '{"messages":["model","chat","\\"model\\":"],"model":"@","user":"model"}',
    "nested": '{"metadata":{"model":"chat","a":[{"model":"chat"}]},"model":"@","tools":[{"model":"chat"}]}',
    "nested first": '{"tools":[{"function":{"model":"chat","parameters":{}}}],"model":"@"}',
    "backslashes": '{"user":"ends with \\\\","model":"@","stop":["\\"","\\\\\\"","}]"],"messages":[]}',
    "braces in strings": '{"stop":["{","[","}}","]"],"model":"@","messages":[]}',
    "twice": '{"model":"@","messages":[],"model":"@"}',
    "escaped key": '{"mod\\u0065l":"@","messages":[]}',
    "unicode": '{"user":"Ünïcödé \\ud83d\\ude00 😀 \u2028","model":"@","messages":[]}',
    "numbers": '{"seed":9223372036854775807,"top_p":0.30000000000000004,"model":"@","n":1E+0,"messages":[]}',
    "similar keys": '{"models":"chat","model_":"chat","Model":"chat","xmodel":"chat","model":"@"}',
    "empty members": '{"a":{},"b":[],"c":"","d":null,"e":false,"model":"@","messages":[]}',
    "one megabyte": '{"messages":[{"role":"user","content":"' + LONG_PROMPT + '"}],"model":"@"}',
    "one megabyte last": '{"model":"@","messages":[{"role":"user","content":"' + LONG_PROMPT + '"}]}',
}
UPSTREAM = "Org/A-much-longer-name.v2:instruct"
CHAT = "/v1/chat/completions"


def written(body: str, model: str) -> bytes:
    return body.replace("@", model).encode()


def assert_received(seen: SeenRequest, expected: bytes) -> None:
    assert seen.body_bytes == len(expected)
    assert seen.body_sha256 == hashlib.sha256(expected).hexdigest()
    assert seen.headers["content-length"] == str(len(expected))
    assert "transfer-encoding" not in seen.headers


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_only_the_model_name_changes_and_each_attempt_gets_a_whole_body(
    scene: Scene, body: str
) -> None:
    """Three attempts: one that rewrites, one that leaves the body as it is, one that rewrites again."""
    json.loads(written(body, "chat"))  # The table is of valid JSON.
    first = await scene.engine("first", Behaviour(fault=Fault.STATUS))
    second = await scene.engine("second", Behaviour(fault=Fault.STATUS))
    third = await scene.engine("third")
    await scene.serve(
        deployment("first", served_names=[UPSTREAM]),
        deployment("second", served_names=["chat"]),
        deployment("third", served_names=["s"]),
        route("chat", ["first"], fallback=["second", "third"]),
        endpoints={"first": [first.port], "second": [second.port], "third": [third.port]},
    )
    answer = await scene.client.request("POST", CHAT, written(body, "chat"))
    assert target(answer) == "third", answer
    assert_received(first.log.records()[0], written(body, UPSTREAM))
    assert_received(second.log.records()[0], written(body, "chat"))
    assert_received(third.log.records()[0], written(body, "s"))


@pytest.mark.parametrize("body", [BODIES["first"], BODIES["one megabyte"]], ids=["small", "large"])
async def test_a_chunked_request_arrives_whole_with_a_length(scene: Scene, body: str) -> None:
    first = await scene.engine("first", Behaviour(fault=Fault.STATUS))
    second = await scene.engine("second")
    await scene.serve(
        deployment("first", served_names=[UPSTREAM]),
        deployment("second", served_names=["chat"]),
        route("chat", ["first"], fallback=["second"]),
        endpoints={"first": [first.port], "second": [second.port]},
    )
    raw = written(body, "chat")
    pieces = [raw[at : at + 30_011] for at in range(0, len(raw), 30_011)]
    headers = [("content-type", "application/json"), ("transfer-encoding", "chunked")]
    answer = await exchange(scene.url, head("POST", CHAT, headers), chunked(pieces))
    assert answer.status == 200, answer
    assert answer.headers["x-pointsman-target"] == "default/second"
    assert_received(first.log.records()[0], written(body, UPSTREAM))
    assert_received(second.log.records()[0], raw)


async def test_a_request_that_ends_with_trailers_is_served_and_they_change_nothing(scene: Scene) -> None:
    first = await scene.engine("first", Behaviour(fault=Fault.STATUS))
    second = await scene.engine("second")
    await scene.serve(
        deployment("first", served_names=[UPSTREAM]),
        deployment("second"),
        route("chat", ["first"], fallback=["second"]),
        endpoints={"first": [first.port], "second": [second.port]},
    )
    fields = [(":method", "POST"), (":path", CHAT), (":scheme", "http"), (":authority", "gateway")]
    body = written(BODIES["first"], "chat")
    trailers = [("x-pm-model", "other"), ("x-checksum", "1")]
    answer = await body_of_answer(scene.url, [*fields, ("content-type", "application/json")], body, trailers)
    assert json.loads(answer)["object"] == "chat.completion"
    assert_received(first.log.records()[0], written(BODIES["first"], UPSTREAM))
    assert_received(second.log.records()[0], written(BODIES["first"], "second"))


async def test_an_escaped_model_name_is_found_and_rewritten(scene: Scene) -> None:
    engine = await scene.engine("first")
    await scene.serve(
        deployment("first", served_names=[UPSTREAM]),
        route("chat", ["first"]),
        endpoints={"first": [engine.port]},
    )
    answer = await scene.client.request("POST", CHAT, b'{"model":"ch\\u0061t","messages":[]}')
    assert answer.ok, answer
    assert_received(engine.log.records()[0], written('{"model":"@","messages":[]}', UPSTREAM))


async def test_of_two_model_names_no_target_ever_sees_the_clients(scene: Scene) -> None:
    """A target that reads the first of two members and a gateway that reads the last must not differ."""
    engine = await scene.engine("first")
    await scene.serve(
        deployment("first", served_names=[UPSTREAM]),
        route("chat", ["first"]),
        endpoints={"first": [engine.port]},
    )
    answer = await scene.client.request("POST", CHAT, b'{"model":"secret","model":"chat","messages":[]}')
    assert answer.ok, answer
    assert_received(engine.log.records()[0], written('{"model":"@","model":"@","messages":[]}', UPSTREAM))


USAGE = '{"include_usage":true}'
STREAM_OPTIONS = {
    "empty": ("{}", USAGE),
    "null": ("null", USAGE),
    "asked": ('{ "include_usage": true }', '{ "include_usage": true }'),
    "not asked": ('{"include_usage" : false, "x": [1]}', '{"include_usage" : true, "x": [1]}'),
    "something else": ('{"chunk":{"include":1}}', '{"include_usage":true,"chunk":{"include":1}}'),
}


@pytest.mark.parametrize(("sent", "received"), STREAM_OPTIONS.values(), ids=STREAM_OPTIONS.keys())
async def test_a_streams_usage_is_asked_for_and_nothing_else_changes(
    scene: Scene, sent: str, received: str
) -> None:
    body = '{"messages":[{"content":"stream_options"}],"stream_options":%s,"model":"@","stream":true}'
    assert_received(await _streamed(scene, body % sent), written(body % received, UPSTREAM))


async def test_a_stream_without_options_gets_the_one_for_usage(scene: Scene) -> None:
    seen = await _streamed(scene, ' {"model":"@","stream":true}')
    received = ' {"stream_options":' + USAGE + ',"model":"@","stream":true}'
    assert_received(seen, written(received, UPSTREAM))


async def _streamed(scene: Scene, body: str) -> SeenRequest:
    engine = await scene.engine("first")
    await scene.serve(
        deployment("first", served_names=[UPSTREAM]),
        route("chat", ["first"]),
        endpoints={"first": [engine.port]},
    )
    answer = await scene.client.request("POST", CHAT, written(body, "chat"))
    assert answer.ok, answer
    return engine.log.records()[0]


async def test_each_target_has_its_own_path_and_host(scene: Scene) -> None:
    first = await scene.provider("first", prefixes=["/api/v3"], behaviour=Behaviour(fault=Fault.STATUS))
    second = await scene.provider("second", prefixes=["/v1"], behaviour=Behaviour(fault=Fault.STATUS))
    third = await scene.engine("third")
    await scene.serve(
        hosted("first", f"{first.url}/api/v3", model="m-1"),
        hosted("second", f"http://localhost:{second.port}/v1", model="m-2"),
        deployment("third"),
        route("chat", ["first"], fallback=["second", "third"]),
        endpoints={"third": [third.port]},
    )
    answer = await scene.client.request(
        "POST", f"{CHAT}?api-version=2025-01-01&x=1", {"model": "chat", "messages": []}
    )
    assert target(answer) == "third"
    seen = [engine.log.records()[0] for engine in (first, second, third)]
    assert [request.path for request in seen] == [
        "/api/v3/chat/completions?api-version=2025-01-01&x=1",
        "/v1/chat/completions?api-version=2025-01-01&x=1",
        "/v1/chat/completions?api-version=2025-01-01&x=1",
    ]
    assert [request.host for request in seen] == [
        f"127.0.0.1:{first.port}",
        f"localhost:{second.port}",
        "third.default",
    ]
    assert [request.model for request in seen] == ["m-1", "m-2", "third"]


@pytest.mark.parametrize("endpoint", ["chat/completions", "completions", "embeddings", "responses"])
async def test_every_json_endpoint_finds_its_model(scene: Scene, endpoint: str) -> None:
    engine = await scene.engine("first")
    await scene.serve(
        deployment("first", served_names=[UPSTREAM]),
        route("chat", ["first"]),
        endpoints={"first": [engine.port]},
    )
    answer = await scene.client.request("POST", f"/v1/{endpoint}", {"model": "chat", "input": "hello"})
    assert answer.ok, answer
    (seen,) = engine.log.records()
    assert (seen.path, seen.model) == (f"/v1/{endpoint}", UPSTREAM)
