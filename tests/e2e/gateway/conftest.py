"""A scene for each test: Envoy starts in a tenth of a second, so no two tests share one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.gateway.scene import Scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A gateway with stand-ins on free ports; started by its first `serve`."""
    async with Scene(tmp_path) as played:
        yield played
