"""The engine stand-in as a process of its own, for tests that kill it with -9."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.support.behaviour import Behaviour
from tests.support.ports import free_port
from tests.support.processes import StartedProcess, python_module, wait_until_url_answers
from tests.support.stand_in_control import StandInControl


class EngineProcess(StartedProcess):
    """A running stand-in. `control` talks to it; `kill()` is kill -9; leaving the `with` block ends it."""

    def __init__(
        self,
        name: str = "engine",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        behaviour: Behaviour | None = None,
        served_names: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.host = host
        self.port = port or free_port(host)
        command = python_module(
            "tests.support.engine_stand_in",
            f"--name={name}",
            f"--host={host}",
            f"--port={self.port}",
            f"--behaviour={json.dumps((behaviour or Behaviour()).as_dict())}",
            *(f"--served-name={served}" for served in served_names),
        )
        super().__init__(command)
        self.control = StandInControl(self.url)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def ready(self, timeout_seconds: float = 60.0) -> EngineProcess:
        """Wait until it answers, and return it."""
        await wait_until_url_answers(f"{self.url}/health", timeout_seconds, process=self)
        return self

    def __enter__(self) -> EngineProcess:
        return self
