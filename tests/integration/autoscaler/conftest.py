"""A cluster whose pods run as processes: scripted engines on GPUs, an operator, and no autoscaler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.autoscaler.scene import Scene
from tests.integration.operator.deployments import IMAGE
from tests.support.cluster.admin import Admin
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation
from tests.support.cluster.process_node import NodeSettings, RunningNode, gpu_labels

_VALUES = {"gateway": {"endpoints": "Pods"}}


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    """One of its own: the chart's definitions and rights go when its tests end."""
    with ControlPlane.start(Options()) as started:
        yield started


@pytest.fixture(scope="package")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    with Installation(control_plane, _VALUES) as installed:
        yield installed


@pytest.fixture(scope="package")
def node(
    installation: Installation, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningNode]:
    """A node and an operator, for all tests here."""
    settings = NodeSettings(
        name="node-a",
        cpu="64",
        gpus=16,
        labels=gpu_labels("NVIDIA-L4", memory_mebibytes=23034, count=16),
        image_volumes={IMAGE: str(tmp_path_factory.mktemp("image"))},
        longest_probe_period_seconds=0.5,
        restart_backoff_seconds=0.2,
        resync_seconds=0.2,
    )
    with ExitStack() as running:
        started = running.enter_context(RunningNode(control_plane, settings))
        running.enter_context(installation.operator())
        yield started


@pytest.fixture
def scene(node: RunningNode, installation: Installation, namespace: str) -> Iterator[Scene]:
    with Scene(installation, namespace) as ready:
        yield ready


@pytest.fixture
def admin(control_plane: ControlPlane) -> Admin:
    return control_plane.admin
