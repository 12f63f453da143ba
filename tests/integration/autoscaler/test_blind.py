"""Agents that do not answer are no load of zero: what runs is held, and that is said."""

from __future__ import annotations

import pytest

from tests.integration.autoscaler.scene import Scene, model
from tests.support.cluster.process_node import RunningNode

pytestmark = pytest.mark.timeout(600)


def test_replicas_whose_agents_hang_are_held(scene: Scene, node: RunningNode) -> None:
    scene.create(model())
    scene.autoscaler()
    scene.wait(1, ready=1, state=("True", "Active"))
    with scene.load(8):
        scene.wait(3, ready=3, state=("True", "Active"))
        with scene.paused_agents(node):
            scene.wait(3, state=("False", "MetricsBlind"))
    scene.wait(1, ready=1, state=("True", "Active"))
