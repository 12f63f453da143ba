"""The second start of the quickstart: from the command to the first streamed token of a real model.

The first start fetches and assembles the weights; it is not measured.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tests.bench.measurement import Effort, Measurement
from tests.support.clients import Answer, OpenAIClient
from tests.support.ports import free_port
from tests.support.processes import REPOSITORY, StartedProcess

_QUICKSTART = REPOSITORY / "examples" / "quickstart"
_STARTS = 3
_FIRST_SECONDS = 300.0
_LATER_SECONDS = 60.0
_BETWEEN_TRIES_SECONDS = 0.02
_ENDS_SECONDS = 30


def quickstart_model() -> str:
    """The public model name in the quickstart's route. Raises LookupError where there is no route."""
    for path in sorted(_QUICKSTART.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document and document.get("kind") == "ModelRoute":
                return str(document["spec"]["models"][0])
    raise LookupError(f"no ModelRoute under {_QUICKSTART}")


async def measure(effort: Effort) -> list[Measurement]:
    """Seconds from the start of `pointsman up` to the first content of a streamed chat."""
    with tempfile.TemporaryDirectory() as state:
        await _start(Path(state), _FIRST_SECONDS)
        starts = [await _start(Path(state), _LATER_SECONDS) for _ in range(1 if effort.quick else _STARTS)]
    return [Measurement("first_token", "s", tuple(starts), judged="max")]


async def _start(state: Path, timeout_seconds: float) -> float:
    port = free_port()
    command = (
        *(sys.executable, "-c", "from pointsman.cli.main import main; main()"),
        *("up", str(_QUICKSTART), f"--listen=127.0.0.1:{port}", f"--state-dir={state}"),
    )
    began = time.monotonic()
    with StartedProcess(command) as up:
        async with OpenAIClient(f"http://127.0.0.1:{port}") as client:
            first_token_at = await _first_token_at(client, up, began + timeout_seconds)
        up.send(signal.SIGINT)
        code = up.wait(_ENDS_SECONDS)
        assert code == 0, f"pointsman up ended with {code}\n{up.output}"
    return first_token_at - began


async def _first_token_at(client: OpenAIClient, up: StartedProcess, deadline: float) -> float:
    """time.monotonic() at the first content. Raises AssertionError past the deadline or without a process."""
    model = quickstart_model()
    answer: Answer | None = None
    while time.monotonic() < deadline:
        assert up.exit_code is None, f"pointsman up ended with {up.exit_code}\n{up.output}"
        asked_at = time.monotonic()
        answer = await client.stream_chat(model, "What is the capital of France?", max_tokens=8)
        if answer.ok and answer.first_content_seconds is not None:
            return asked_at + answer.first_content_seconds
        await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
    raise AssertionError(f"no token before the deadline; last: {answer}\n{up.output}")
