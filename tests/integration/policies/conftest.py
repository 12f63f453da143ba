"""A cluster with Pointsman in it, for rules alone: they are of the whole cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation

_MIGRATES = "--feature-gates=StorageVersionMigrator=true"
"""Beta in Kubernetes 1.36, and off by default."""
_OPTIONS = Options(
    scheduler=False,
    arguments={
        "kube-apiserver": (_MIGRATES, "--runtime-config=storagemigration.k8s.io/v1beta1=true"),
        "kube-controller-manager": (_MIGRATES,),
    },
)


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    """One of its own, as its definitions go with the installation. Nothing is scheduled in it, and stored
    versions are migrated on demand.
    """
    with ControlPlane.start(_OPTIONS) as started:
        yield started


@pytest.fixture(scope="package")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    with Installation(control_plane) as installed:
        yield installed


@pytest.fixture(scope="package")
def definitions(installation: Installation) -> None:
    """The chart brings our kinds."""
