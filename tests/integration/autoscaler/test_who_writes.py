"""Who writes replicas: one autoscaler of several, nobody in mode advise, a person for half an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.autoscaler.scene import Scene, model, values
from tests.integration.operator.deployments import API, KIND, message
from tests.support.cluster.installation import AUTOSCALER, SYSTEM, AutoscalerProcess
from tests.support.polling import eventually

pytestmark = pytest.mark.timeout(600)


def test_what_a_person_scales_stays_and_is_said_once(scene: Scene) -> None:
    scene.create(model())
    autoscaler = scene.autoscaler()
    scene.wait(1, ready=1, state=("True", "Active"))
    since = scene.installation.control_plane.audit.mark()
    scene.kubectl("scale", "modeldeployments.pointsman.dev/chat", "--replicas=2")
    found = scene.wait(2, ready=2, state=("Unknown", "Pinned"))
    said = found["status"]["scaling"]
    until = datetime.fromisoformat(said["pinnedUntil"])
    assert timedelta(minutes=28) < until - datetime.now(UTC) <= timedelta(minutes=30)
    assert message(found, "ScalingActive") == f"pinned at 2 by kubectl until {said['pinnedUntil']}"
    [event] = eventually(lambda: scene.events("ScalingPinned"), 30, "the event")
    assert event["note"] == message(found, "ScalingActive")
    # Whoever begins now knows of it from the status alone, and writes nothing.
    autoscaler.kill()
    autoscaler.start()
    seen_by(autoscaler, scene)
    assert [one.resource for one in scene.writes(since)] == ["modeldeployments/status"]
    assert scene.get()["spec"]["replicas"] == 2


def test_in_mode_advise_it_only_says_and_off_is_no_pin_afterwards(scene: Scene) -> None:
    since = scene.installation.control_plane.audit.mark()
    scene.create(model(mode="advise", minReplicas=2))
    autoscaler = scene.autoscaler()
    found = scene.wait(1, ready=1, state=("False", "Advising"))
    assert found["status"]["scaling"]["forReplicas"] == 2
    assert sum(values(autoscaler.page(), "pointsman_autoscaler_desired_replicas").values()) == 2
    eventually(lambda: scene.writes(since), 30, "that is written")
    assert {one.resource for one in scene.writes(since)} == {"modeldeployments/status"}
    switch(scene, "active")
    scene.wait(2, ready=2, state=("True", "Active"))
    # What is written while it is off is no pin afterwards.
    switch(scene, "off")
    eventually(lambda: scene.get()["status"]["scaling"]["state"] == "Off", 60, "it is noted")
    scene.kubectl("scale", "modeldeployments.pointsman.dev/chat", "--replicas=1")
    switch(scene, "active")
    scene.wait(2, state=("True", "Active"))
    scene.kubectl("annotate", f"{KIND}/chat", "pointsman.dev/pinned-until=2100-01-01T00:00:00Z")
    found = scene.wait(2, state=("Unknown", "Pinned"))
    assert message(found, "ScalingActive") == "pinned at 2 by an annotation until 2100-01-01T00:00:00Z"


def switch(scene: Scene, mode: str) -> None:
    scene.admin.patch(API, KIND, "chat", {"spec": {"scaling": {"mode": mode}}}, scene.namespace)


def test_of_two_one_leads_and_the_other_takes_over_without_a_write(scene: Scene) -> None:
    scene.create(model())
    first = scene.autoscaler("autoscaler-0")
    scene.wait(1, ready=1, state=("True", "Active"))
    second = scene.autoscaler("autoscaler-1")
    eventually(lambda: "_writes_total" in page(second), 60, "the second runs")
    eventually(lambda: (leads(first), leads(second)) == (1.0, 0.0), 60, "the first leads")
    assert values(second.page(), "pointsman_autoscaler_desired_replicas") == {}
    since = scene.installation.control_plane.audit.mark()
    first.stop()
    eventually(lambda: leads(second) == 1.0, 60, "the second leads")
    seen_by(second, scene)
    assert scene.writes(since) == []
    lease = scene.admin.get("coordination.k8s.io/v1", "Lease", AUTOSCALER, SYSTEM)
    assert lease["spec"]["holderIdentity"] == "autoscaler-1"


def seen_by(autoscaler: AutoscalerProcess, scene: Scene) -> None:
    """Wait until it has decided on the deployment, and had time to write."""

    def decided() -> bool:
        found = values(page(autoscaler), "pointsman_autoscaler_desired_replicas")
        return any(scene.namespace in labels for labels in found)

    eventually(decided, 60, "it has decided")


def leads(autoscaler: AutoscalerProcess) -> float:
    [row] = [
        line for line in page(autoscaler).splitlines() if line.startswith("pointsman_autoscaler_leading ")
    ]
    return float(row.split()[1])


def page(autoscaler: AutoscalerProcess) -> str:
    """Its metrics; while it does not listen, that it does not lead."""
    try:
        return autoscaler.page()
    except OSError:
        return "pointsman_autoscaler_leading 0\n"
