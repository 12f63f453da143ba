"""A cluster whose nodes and pods are played, Pointsman in it, and a process of its operator for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.operator.by_way_of import proxied
from tests.integration.operator.lease import LEASE
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.fake_nodes import make_fake_nodes
from tests.support.cluster.faults import FaultProxy
from tests.support.cluster.installation import SYSTEM, Installation
from tests.support.cluster.process_node import gpu_labels

_OPTIONS = Options(
    kwok=True,
    # Who plays the nodes is stopped for a while by a test: none of them is lost by that.
    node_grace_seconds=600,
    arguments={"kube-controller-manager": ("--horizontal-pod-autoscaler-sync-period=2s",)},
)


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    """One of its own: what KWOK plays would be ready in other tests too."""
    with ControlPlane.start(_OPTIONS) as started:
        make_fake_nodes(
            started.admin, 3, gpus=8, labels=gpu_labels("NVIDIA-L4", memory_mebibytes=23034, count=8)
        )
        yield started


@pytest.fixture(scope="package")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    with Installation(control_plane) as installed:
        yield installed


@pytest.fixture(autouse=True)
def nobody_leads(installation: Installation) -> None:
    """A replica of an earlier test was killed, and nobody would lead before its lease has run out."""
    installation.control_plane.admin.delete(*LEASE, SYSTEM)


@pytest.fixture
def proxy(control_plane: ControlPlane, installation: Installation) -> Iterator[FaultProxy]:
    """What `operator_behind` reaches the API server by."""
    with proxied(control_plane) as started:
        yield started
