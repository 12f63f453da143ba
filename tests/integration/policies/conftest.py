"""A cluster with Pointsman in it, for rules alone: they are of the whole cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    """One of its own, as its definitions go with the installation. Nothing is scheduled in it."""
    with ControlPlane.start(Options(scheduler=False)) as started:
        yield started


@pytest.fixture(scope="package")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    with Installation(control_plane) as installed:
        yield installed


@pytest.fixture(scope="package")
def definitions(installation: Installation) -> None:
    """The chart brings our kinds."""
