"""One deployment of our own: what is said of it while it is edited well, badly and back."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from pointsman.api import ModelDeploymentStatus, ObjectKey, Secret
from pointsman.local.deployments import OwnDeployment, Workplace
from pointsman.local.engines.launch import Launcher
from pointsman.local.engines.replica import Surroundings
from pointsman.local.state import StateFolder
from pointsman.local.status.deployment_status import deployment_status
from pointsman.local.weights.fetcher import Fetcher
from tests.e2e.local.running_up import GEMMA
from tests.support import builders
from tests.support.builders import key
from tests.support.gguf import LLAMA, gguf
from tests.support.polling import eventually_async
from tests.support.processes import assert_none_left, python_module

KEY = key("chat")
WITHIN_SECONDS = 60.0
PLENTY_BYTES = 10**12


class Scene:
    """A deployment, the machine that it believes to have, and what is said of it."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        self.folder = folder
        self.available_bytes = PLENTY_BYTES
        self.failures: list[BaseException] = []
        self.told: dict[str, tuple[str, str, str]] = {}
        self._now = builders.deployment("chat", engine="llama.cpp", source="file://./none.gguf")
        (folder / "m.gguf").write_bytes(gguf(LLAMA))
        command = (*python_module("tests.e2e.local.stand_in_engine"), str(folder))
        around = Surroundings(
            Launcher(command),
            session,
            Random(1),
            changed=self._tell,
            failed=self.failures.append,
            say=lambda text: None,
        )
        self.own = OwnDeployment(
            KEY,
            Workplace(
                state=StateFolder(folder / "state"),
                fetcher=Fetcher(folder / "cache"),
                around=around,
                threads=lambda: 1,
                available_bytes=lambda: self.available_bytes,
                progress=lambda key, progress: None,
                rng=Random(1),
            ),
            [],
        )

    def want(
        self,
        spec: Mapping[str, Any] | None = None,
        secrets: Mapping[ObjectKey, Secret] | None = None,
        **stated: Any,
    ) -> None:
        source = stated.pop("source", "file://./m.gguf")
        self._now = builders.deployment("chat", engine="llama.cpp", source=source, spec=spec, **stated)
        self.own.want(self._now, self.folder, secrets or {}, None)
        self.told = {}
        self._tell()

    def _tell(self) -> None:
        """Like `up`: what is said is what was seen when something was said to have changed."""
        asyncio.get_running_loop().call_soon(self._publish)

    def _publish(self) -> None:
        status = deployment_status(
            self._now, self.own.observed, ModelDeploymentStatus(), engine_versions={}, now="t"
        )
        self.told = {one.type: (str(one.status), one.reason, one.message) for one in status.conditions}

    async def until(self, type_: str, reason: str) -> str:
        """Wait until a condition has the reason; its message."""
        await eventually_async(
            lambda: self.told.get(type_, ("", ""))[1] == reason, WITHIN_SECONDS, f"{reason}: {self.told}"
        )
        return self.told[type_][2]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with aiohttp.ClientSession() as session:
        with StateFolder(tmp_path / "state").held():
            made = Scene(tmp_path, session)
            yield made
            await made.own.end()
    assert made.failures == []
    assert_none_left(str(tmp_path))


async def test_an_edit_that_changes_no_engine_ends_as_complete(scene: Scene) -> None:
    scene.want()
    await scene.until("Progressing", "Complete")
    scene.want({"model": {"quantization": "gguf"}})
    await scene.until("Progressing", "Complete")


UNUSABLE_SOURCES = {
    "a name that is too long": "file://./" + "m" * 300 + ".gguf",
    "the home of nobody": "file://~no-such-user/m.gguf",
}


@pytest.mark.parametrize("source", UNUSABLE_SOURCES.values(), ids=UNUSABLE_SOURCES.keys())
async def test_a_source_that_the_system_refuses_is_said(scene: Scene, source: str) -> None:
    scene.want(source=source)
    await eventually_async(
        lambda: scene.told.get("WeightsAvailable", ("", ""))[1] in ("Unreadable", "FileNotFound"),
        WITHIN_SECONDS,
        "it is said",
    )
    scene.want()
    await scene.until("Progressing", "Complete")


async def test_a_cache_that_cannot_be_written_is_one_line(scene: Scene) -> None:
    (scene.folder / "cache").mkdir()
    # Where the checksums would be kept.
    (scene.folder / "cache" / "checksums").touch()
    scene.want(source=GEMMA)
    message = await scene.until("WeightsAvailable", "Unreadable")
    assert "cannot be written (" in message
    assert "exit code" not in message


async def test_a_fetch_that_is_cut_off_in_the_middle_of_a_word_is_one_line(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = scene.folder / "python"
    cut.write_text('#!/bin/sh\necho words of a library\nprintf \'{"stage": "fet\'\nexit 9\n')
    cut.chmod(0o700)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(cut))
        scene.want(source=GEMMA)
        message = await scene.until("WeightsAvailable", "Unreadable")
    assert "fetching ended with exit code 9" in message
    scene.want()
    await scene.until("Progressing", "Complete")


async def test_an_environment_that_no_process_can_have_is_said(scene: Scene) -> None:
    scene.want({"engine": {"env": [{"name": "A", "value": "a\0b"}]}})
    message = await scene.until("Progressing", "EngineNotStarted")
    assert "embedded null byte" in message


async def test_too_little_memory_is_forgotten_when_less_is_wanted(scene: Scene) -> None:
    scene.want()
    await scene.until("Progressing", "Complete")
    scene.available_bytes = 0
    scene.want(replicas=2)
    await scene.until("Placed", "NotEnoughMemory")
    scene.want(replicas=1)
    await scene.until("Placed", "Fits")
    await scene.until("Progressing", "Complete")


async def test_a_secret_that_goes_missing_is_said_whatever_is_being_prepared(scene: Scene) -> None:
    spec = {"model": {"credentials": {"secretRef": {"name": "hub", "key": "token"}}}}
    scene.want(spec, {key("hub"): builders.secret("hub", {"token": "x"})})
    # At once: what prepares the former version has not ended.
    scene.want(spec, {})
    await scene.until("Placed", "SecretNotUsable")
    assert not scene.own.observed.is_preparing
    scene.want(spec, {key("hub"): builders.secret("hub", {"token": "x"})})
    await scene.until("Progressing", "Complete")
