"""A cache of weights that the tests of this folder share, and an `up` for each that asks for one."""

import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from pointsman.local.state import StateFolder
from tests.e2e.local.running_up import PROGRAM, Up, assert_no_engine_left
from tests.e2e.local.supervised import Engines

# What runs has five seconds to finish, Envoy and engines some to end.
_END_SECONDS = 60.0


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def up(tmp_path: Path, cache: Path) -> Iterator[Callable[..., Up]]:
    """Starts `pointsman up` on a folder below `tmp_path`; ends every one of them, and their engines."""
    started: list[Up] = []

    def start(
        environment: Mapping[str, str] | None = None, prefix: tuple[str, ...] = (), program: str = PROGRAM
    ) -> Up:
        process = Up(tmp_path, cache, environment=environment, prefix=prefix, program=program)
        started.append(process)
        return process

    yield start
    try:
        for process in started:
            # Not by `end` alone, which ends the engines itself.
            process.send(signal.SIGTERM)
            process.wait(_END_SECONDS)
        assert_no_engine_left(tmp_path)
    finally:
        for process in started:
            process.end()


@pytest.fixture
async def engines(tmp_path: Path) -> AsyncIterator[Engines]:
    state = StateFolder(tmp_path / "state")
    async with aiohttp.ClientSession() as session:
        with state.held():
            made = Engines(state, session, str(tmp_path))
            try:
                yield made
            finally:
                await made.end()
