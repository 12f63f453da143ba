"""The command as the chart runs it, with our own policy: it decides, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.autoscaler.scene import Scene, model, values
from tests.support.polling import eventually

pytestmark = pytest.mark.timeout(600)

_ALWAYS = {"name": "always", "start": "0 0 29 2 *", "end": "* * * * *", "minReplicas": 2}


def test_a_schedule_a_budget_and_a_quota_are_followed_and_the_reason_is_a_sentence(
    scene: Scene, tmp_path: Path
) -> None:
    objectives = {"ttft": {"p95": "10s"}, "itl": {"p95": "1s"}}
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("accelerators: [{name: L4, quota: 3}]")
    # Two want two replicas each, and there are three accelerators.
    for name in ("chat", "other"):
        scene.create(model(name, objectives=objectives, schedule=[_ALWAYS], budget={"perHour": "100"}))
    for name in ("chat", "other"):
        scene.wait(1, ready=1, name=name)
    autoscaler = scene.autoscaler("autoscaler-0", "--fleet", str(fleet), quick=False)

    def shared() -> bool:
        return sorted(scene.get(name)["spec"]["replicas"] for name in ("chat", "other")) == [1, 2]

    eventually(shared, 120, "one has two")
    for name in ("chat", "other"):
        scene.wait(state=("True", "Active"), name=name)
    found = max((scene.get(name) for name in ("chat", "other")), key=lambda one: one["spec"]["replicas"])
    scene.wait(2, ready=2, name=found["metadata"]["name"])
    said = found["status"]["scaling"]
    assert said["pools"] == [{"name": "default", "replicas": 2}]
    assert "2" in said["reason"]
    page = autoscaler.page()
    for name in ("desired_replicas", "predicted_attainment", "cost_per_hour"):
        assert values(page, f"pointsman_autoscaler_{name}"), name
    desired = values(page, "pointsman_autoscaler_desired_replicas")
    assert sum(desired.values()) == 3
