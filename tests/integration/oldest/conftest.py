"""The oldest Kubernetes that we support, with played nodes, and Pointsman in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.build import built_oldest_control_plane
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.fake_nodes import make_fake_nodes
from tests.support.cluster.installation import Installation


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before the first test: it takes minutes, which no test's time-out should have to allow for."""
    own = Path(__file__).parent
    asked_for = any(item.path.is_relative_to(own) for item in session.items)
    if asked_for and not session.config.option.collectonly:
        built_oldest_control_plane()


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane.start(Options(kwok=True), programs=built_oldest_control_plane()) as started:
        make_fake_nodes(started.admin, 2, gpus=0)
        yield started


@pytest.fixture(scope="package")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    with Installation(control_plane) as installed:
        yield installed
