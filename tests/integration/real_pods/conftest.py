"""A cluster whose pods run as processes, Pointsman in it, and a replica of its operator for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.integration.operator.deployments import IMAGE
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation
from tests.support.cluster.process_node import NodeSettings, RunningNode, gpu_labels
from tests.support.packaged_weights import gemma_file

GONE_SECONDS = 15
"""So soon a node that says nothing counts as gone, and its pods are given up."""
START_SECONDS = 100.0
"""Within that a real engine starts on a busy machine; two seconds are enough on an idle one."""
_OPTIONS = Options(
    node_grace_seconds=GONE_SECONDS,
    arguments={
        "kube-apiserver": (
            "--default-not-ready-toleration-seconds=1",
            "--default-unreachable-toleration-seconds=1",
        )
    },
)


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    """One of its own: the chart's definitions and rights go when its tests end."""
    with ControlPlane.start(_OPTIONS) as started:
        yield started


@pytest.fixture(scope="package")
def installation(control_plane: ControlPlane) -> Iterator[Installation]:
    with Installation(control_plane) as installed:
        yield installed


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory) -> NodeSettings:
    """A node with two L4, the small model in an image, and little patience."""
    folder = tmp_path_factory.mktemp("image")
    os.link(gemma_file(tmp_path_factory.mktemp("cache")), folder / "weights.gguf")
    return NodeSettings(
        name="node-a",
        cpu="64",
        gpus=2,
        labels=gpu_labels("NVIDIA-L4", memory_mebibytes=23034, count=2),
        image_volumes={IMAGE: str(folder)},
        lease_seconds=GONE_SECONDS,
        heartbeat_seconds=1.0,
        restart_backoff_seconds=0.2,
        restart_backoff_most_seconds=1.0,
        pull_backoff_seconds=0.5,
        resync_seconds=0.2,
    )


@pytest.fixture
def node(control_plane: ControlPlane, settings: NodeSettings) -> Iterator[RunningNode]:
    with RunningNode(control_plane, settings) as running:
        yield running
