"""Pointsman in the shared cluster, for the tests that need its operator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation


@pytest.fixture(scope="package")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    with Installation(control_plane) as installed:
        yield installed
