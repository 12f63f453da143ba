"""Replicas follow the load, through the scale subresource, and each change is said."""

from __future__ import annotations

import pytest

from tests.integration.autoscaler.scene import Scene, model, values

pytestmark = pytest.mark.timeout(600)


def test_replicas_go_from_one_to_three_and_back(scene: Scene) -> None:
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
    scene.wait(1, ready=1)
