"""Replicas follow what agents say, each change is said, and agents that are silent are no load of zero."""

from __future__ import annotations

import pytest

from tests.integration.autoscaler.scene import Scene, model, values
from tests.support.cluster.process_node import RunningNode
from tests.support.polling import eventually

pytestmark = pytest.mark.timeout(600)


def test_replicas_go_from_one_to_three_and_back_and_are_held_while_their_agents_hang(
    scene: Scene, node: RunningNode
) -> None:
    scene.create(model())
    autoscaler = scene.autoscaler()
    scene.wait(1, ready=1, state=("True", "Active"))
    with scene.load(8):
        found = scene.wait(3, ready=3, state=("True", "Active"))
        said = found["status"]["scaling"]
        assert (said["forReplicas"], said["pools"]) == (3, [{"name": "default", "replicas": 3}])
        assert said["observedGeneration"] == found["metadata"]["generation"]
        labels = f'{{deployment="chat",deployment_namespace="{scene.namespace}",flavour="default"}}'
        assert values(autoscaler.page(), "pointsman_autoscaler_desired_replicas") == {labels: 3.0}
        eventually(lambda: scene.events("Scaled"), 30, "the event")
        with scene.paused_agents(node):
            scene.wait(3, state=("False", "MetricsBlind"))
    scene.wait(1, ready=1, state=("True", "Active"))
