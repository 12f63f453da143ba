"""A cluster without nodes, Pointsman's rights in it, and engines that stand in on this machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.scene import Scene
from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation
from tests.support.own_address import own_address

_numbers = itertools.count(1)

SECRETS_OF = "opted-in"


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    """One of its own: the chart's definitions and rights go when its tests end."""
    with ControlPlane.start(Options(scheduler=False)) as started:
        yield started


@pytest.fixture(scope="package")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    control_plane.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SECRETS_OF}})
    with Installation(control_plane, {"secretNamespaces": [SECRETS_OF]}) as installed:
        yield installed


@pytest.fixture(scope="package")
def fleet(control_plane: ControlPlane) -> Path:
    path = control_plane.folder / "fleet.yaml"
    path.write_text(f"gateway: {{allowedPrivateHosts: ['{own_address()}']}}\n")
    return path


@pytest.fixture
def admin(control_plane: ControlPlane) -> Admin:
    return control_plane.admin


@pytest.fixture
def scene(installation: Installation, fleet: Path) -> Iterator[Scene]:
    """A namespace of the test's own; what the test starts ends with it."""
    with Scene(installation, f"served-{next(_numbers)}", ("--fleet", str(fleet))) as ready:
        yield ready
