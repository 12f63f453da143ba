"""Envoy as a child: it comes back whatever ended it, says what keeps it from serving, leaves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pointsman.errors import PointsmanError
from pointsman.gateway import Gateway, GatewayPlaces, MetricsPage
from pointsman.gateway.answering import Patience
from pointsman.routing import ProxySettings
from tests.e2e.gateway.scene import Object, Scene
from tests.support.answers import Ending
from tests.support.behaviour import Behaviour
from tests.support.builders import deployment, hosted, route, routing_input, secret
from tests.support.polling import eventually_async

BACK_SECONDS = 60.0
TALKING = Behaviour(chunks=200, gap_seconds=0.1)
TALKING_ON = Behaviour(chunks=1000, gap_seconds=0.1)  # longer than any wait of these tests


async def serve(scene: Scene, behaviour: Behaviour | None = None) -> None:
    engine = await scene.engine("own", behaviour)
    await scene.serve(deployment("own"), route("chat", ["own"]), endpoints={"own": [engine.port]})


async def served(scene: Scene) -> None:
    async def answered() -> bool:
        return (await scene.client.chat("chat")).ok

    await eventually_async(answered, BACK_SECONDS, "the gateway serves")


async def kill_envoy(scene: Scene) -> None:
    pid = scene.gateway.envoy.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually_async(lambda: scene.gateway.envoy.pid != pid, 30, "its end is noticed")


@contextmanager
def none_can_start(scene: Scene) -> Iterator[None]:
    """The log of an Envoy that starts cannot be opened, as with too many open files."""
    folder = scene.log_file.parent
    aside = folder.with_name(folder.name + "-aside")
    folder.rename(aside)
    try:
        yield
    finally:
        aside.rename(folder)


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody else listens on the port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


async def test_a_port_that_was_taken_while_envoy_was_away_is_used_once_it_is_free(
    scene: Scene,
) -> None:
    await serve(scene)
    for port in (scene.settings.listen_port, scene.settings.tombstone_port):
        with ExitStack() as others:
            with none_can_start(scene):
                await kill_envoy(scene)
                others.enter_context(taken(port))

            def deaf() -> bool:
                return scene.programming("chat").reason == "NotListening"

            await eventually_async(deaf, BACK_SECONDS, "the route says that nobody listens")
            state = scene.programming("chat")
            assert (state.accepted, state.programmed) == (True, False)
            assert "Address already in use" in state.message
            assert not scene.gateway.is_ready()
        await served(scene)
        await scene.programmed("chat", within_seconds=BACK_SECONDS)
        await eventually_async(scene.gateway.is_ready, BACK_SECONDS, "the gateway is ready")


async def test_a_start_that_fails_is_tried_again(scene: Scene) -> None:
    await serve(scene)
    with none_can_start(scene), capture_logs() as logs:
        await kill_envoy(scene)

        def failed() -> bool:
            return any(line["event"] == "envoy_start_failed" for line in logs)

        await eventually_async(failed, 30, "the first start has failed")
        assert scene.gateway.envoy.pid is None
    await served(scene)


async def test_an_envoy_that_hangs_is_not_ready_and_is_started_again(scene: Scene) -> None:
    scene.patience = Patience(interval_seconds=0.1, timeout_seconds=1.0, restart_seconds=9.0)
    await serve(scene)
    page = MetricsPage(scene.gateway)
    assert "pointsman_gateway_envoy_up{} 1" in await page.text()
    pid = scene.gateway.envoy.pid
    assert pid is not None
    with capture_logs() as logs:
        os.kill(pid, signal.SIGSTOP)
        await eventually_async(lambda: not scene.gateway.is_ready(), 30, "its silence is noticed")
        assert scene.gateway.envoy.pid == pid, "given up too early"
        async with asyncio.timeout(5):
            assert "pointsman_gateway_envoy_up{} 0" in await page.text(), "nobody waits for one that hangs"
        await eventually_async(lambda: scene.gateway.envoy.pid != pid, 30, "it is ended")
    assert any(line["event"] == "envoy_hangs" for line in logs)
    await served(scene)
    await eventually_async(scene.gateway.is_ready, BACK_SECONDS, "the gateway is ready")
    text = await page.text()
    assert "pointsman_gateway_envoy_hangs_total{} 1" in text
    assert "pointsman_gateway_envoy_restarts_total{} 1" in text


async def test_an_envoy_that_is_silent_for_a_while_goes_on(scene: Scene) -> None:
    scene.patience = Patience(interval_seconds=0.1, timeout_seconds=1.0, restart_seconds=60.0)
    await serve(scene)
    pid = scene.gateway.envoy.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await eventually_async(lambda: not scene.gateway.is_ready(), 30, "its silence is noticed")
    os.kill(pid, signal.SIGCONT)
    await eventually_async(scene.gateway.is_ready, 30, "it is ready again")
    assert (scene.gateway.envoy.pid, scene.gateway.envoy.hangs) == (pid, 0)


async def test_an_envoy_that_dies_while_it_drains_is_no_trouble(scene: Scene) -> None:
    await serve(scene, TALKING_ON)
    said = asyncio.Event()
    stream = asyncio.create_task(scene.client.stream_chat("chat", on_event=lambda _: said.set()))
    await asyncio.wait_for(said.wait(), 30)
    stopping = asyncio.create_task(scene.gateway.stop(60))

    async def draining() -> bool:
        return "draining" in (await scene.gateway.envoy.admin.get("/server_info")).lower()

    await eventually_async(draining, 30, "it drains")
    await kill_envoy(scene)
    await asyncio.wait_for(stopping, 30)
    assert not (await stream).ok


async def test_one_that_leaves_asks_to_connect_anew_then_takes_nobody_then_ends(scene: Scene) -> None:
    await serve(scene, TALKING)
    said = asyncio.Event()
    stream = asyncio.create_task(scene.client.stream_chat("chat", on_event=lambda _: said.set()))
    await asyncio.wait_for(said.wait(), 30)
    assert "connection" not in (await scene.client.request("GET", "/v1/models")).headers
    stopping = asyncio.create_task(scene.gateway.stop(60, leaving_seconds=8))

    async def told() -> bool:
        kept = await scene.client.request("GET", "/v1/models")
        return kept.ok and kept.headers.get("connection") == "close"

    await eventually_async(told, 30, "clients are told")
    assert await told(), "a new connection is taken"

    async def refused() -> bool:
        return (await scene.client.request("GET", "/v1/models")).ending is Ending.CONNECTION_FAILED

    await eventually_async(refused, 30, "no connection is taken any more")
    assert not stream.done()
    assert (await stream).ok
    await asyncio.wait_for(stopping, 30)


async def test_a_second_stop_cuts_the_drain_of_the_first(scene: Scene) -> None:
    await serve(scene, TALKING_ON)
    said = asyncio.Event()
    stream = asyncio.create_task(scene.client.stream_chat("chat", on_event=lambda _: said.set()))
    await asyncio.wait_for(said.wait(), 30)
    pid = scene.gateway.envoy.pid
    first = asyncio.create_task(scene.gateway.stop(60))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait((first,))
    await asyncio.wait_for(scene.gateway.stop(0), 30)
    assert not Path(f"/proc/{pid}").exists()
    await stream


async def test_a_start_clears_what_a_killed_gateway_left_and_a_stop_leaves_nothing(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    scene.folder.mkdir()
    for left in ("admin.sock", "discovery.sock", "else"):
        (scene.folder / left).write_text("left")
    await serve(scene)
    assert {path.name for path in scene.folder.iterdir()} == {
        "admin.sock",
        "discovery.sock",
        "envoy.json",
        "hold.sock",
    }
    assert scene.folder.stat().st_mode & 0o077 == 0, "nobody else reaches the sockets"
    await scene.gateway.stop(0)
    assert not scene.folder.exists()
    assert list(temporary.iterdir()) == []


async def test_a_folder_may_be_deeper_than_the_path_of_a_socket(scene: Scene) -> None:
    scene.folder = scene.folder / ("deep" * 40) / ("deeper" * 20)
    await serve(scene)
    await kill_envoy(scene)
    await served(scene)


async def test_stopping_and_starting_leaves_no_file_open(scene: Scene) -> None:
    await serve(scene)
    places = GatewayPlaces(scene.folder, scene.log_file)
    await scene.gateway.stop(0)
    opened: list[int] = []
    for _ in range(3):
        other = Gateway(scene.settings, places)
        other.update(scene.given)
        try:
            await other.start()
            await other.ready(BACK_SECONDS)
            await other.envoy.admin.get("/ready")
        finally:
            await other.stop(0)
        if len(opened) < 2:
            opened.append(len(os.listdir("/proc/self/fd")))
    # The other ends of its connections are closed a moment later.
    await eventually_async(
        lambda: len(os.listdir("/proc/self/fd")) <= opened[1], 30, f"no more files than {opened}"
    )


async def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    gateway = Gateway(ProxySettings(), GatewayPlaces(tmp_path / "file" / "gateway", tmp_path / "envoy.log"))
    with pytest.raises(PointsmanError, match="cannot be made"):
        await gateway.start()
    await gateway.stop(0)


async def test_a_log_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    gateway = Gateway(
        ProxySettings(), GatewayPlaces(tmp_path / "gateway", tmp_path / "missing" / "envoy.log")
    )
    with pytest.raises(PointsmanError, match="Envoy cannot be started"):
        await gateway.start()
    await gateway.stop(0)
    assert not (tmp_path / "gateway").exists()


async def test_a_new_envoy_has_the_keys_that_hold_now(scene: Scene) -> None:
    """Of providers and of clients; both were exchanged while there was none."""
    provider = await scene.provider("far", keys=["sk-former", "sk-latter"])
    far = hosted("far", f"http://localhost:{provider.port}/v1", secret=("keys", "far"))
    chat = route("chat", ["far"], api_keys={"team": "a"})

    def objects(provider_key: str, client_key: str) -> tuple[Object, ...]:
        keys = secret("keys", {"far": provider_key}, allowed_hosts=["localhost"])
        return far, chat, keys, secret("clients", {"alice": client_key}, labels={"team": "a"})

    former, latter = [await scene.other_client(api_key=key) for key in ("pm-former", "pm-latter")]
    await scene.serve(*objects("sk-former", "pm-former"))
    assert (await former.chat("chat")).ok
    await kill_envoy(scene)
    scene.tell(routing_input(*objects("sk-latter", "pm-latter")))

    async def answered() -> bool:
        return (await latter.chat("chat")).ok

    await eventually_async(answered, BACK_SECONDS, "the latter key of the client holds")
    assert (await former.chat("chat")).status == 401
    assert provider.log.records()[-1].api_key == "sk-latter"
