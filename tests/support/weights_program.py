"""The init container's program, run as a container runs it."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "import sys; from pointsman.cli.main import main; sys.exit(main(['fetch-weights', *sys.argv[1:]]))"


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    said: str

    @property
    def last_line(self) -> str:
        return self.said.splitlines()[-1]


async def started(
    *items: dict[str, str], credential: str = "", **environment: str
) -> asyncio.subprocess.Process:
    """The process; standard error is a pipe."""
    return await _started(None, items, credential, environment)


async def _started(
    most_bytes: int | None, items: Iterable[dict[str, str]], credential: str, environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    arguments = [part for item in items for part in ("--item", json.dumps(item))]

    def bounded() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, *arguments),
        env={**os.environ, "POINTSMAN_WEIGHTS_CREDENTIAL": credential, **environment},
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=bounded,
    )


async def end_of(process: asyncio.subprocess.Process) -> Ended:
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Ended(process.returncode, said.decode())


async def run(*items: dict[str, str], credential: str = "", **environment: str) -> Ended:
    return await end_of(await started(*items, credential=credential, **environment))


async def run_within(
    most_bytes: int | None, *items: dict[str, str], credential: str = "", **environment: str
) -> Ended:
    """As `run`; no file that it writes can have more bytes than this."""
    return await end_of(await _started(most_bytes, items, credential, environment))


def files(folder: Path) -> set[str]:
    """Paths below a folder."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def arrived_bytes(folder: Path) -> int:
    """The size of the largest file that is not yet whole."""
    sizes = [file.stat().st_size for file in folder.rglob("*.partial") if file.is_file()]
    return max(sizes, default=0)
