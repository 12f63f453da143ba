"""A cache of weights that the tests of this folder share, and an `up` for each that asks for one."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.local.running_up import Up
from tests.support.processes import assert_none_left


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def up(tmp_path: Path, cache: Path) -> Iterator[Callable[..., Up]]:
    """Starts `pointsman up` on a folder below `tmp_path`; ends every one of them, and their engines."""
    started: list[Up] = []

    def start(environment: Mapping[str, str] | None = None, prefix: tuple[str, ...] = ()) -> Up:
        process = Up(tmp_path, cache, environment=environment, prefix=prefix)
        started.append(process)
        return process

    yield start
    for process in started:
        process.end()
        for pid in process.engines():
            assert_none_left(str(pid))
