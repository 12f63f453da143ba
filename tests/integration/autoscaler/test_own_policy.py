"""The command as the chart runs it, with our own policy: it decides, and says why."""

from __future__ import annotations

import pytest

from tests.integration.autoscaler.scene import Scene, model, values

pytestmark = pytest.mark.timeout(600)

_ALWAYS = {"name": "always", "start": "0 0 29 2 *", "end": "* * * * *", "minReplicas": 2}


def test_a_schedule_and_a_budget_are_followed_and_the_reason_is_a_sentence(scene: Scene) -> None:
    objectives = {"ttft": {"p95": "10s"}, "itl": {"p95": "1s"}}
    scene.create(model(objectives=objectives, schedule=[_ALWAYS], budget={"perHour": "100"}))
    autoscaler = scene.autoscaler(quick=False)
    found = scene.wait(2, ready=2, state=("True", "Active"))
    said = found["status"]["scaling"]
    assert said["pools"] == [{"name": "default", "replicas": 2}]
    assert "2" in said["reason"]
    page = autoscaler.page()
    for name in ("desired_replicas", "predicted_attainment", "cost_per_hour"):
        assert values(page, f"pointsman_autoscaler_{name}"), name
