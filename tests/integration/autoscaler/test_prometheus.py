"""Our own policy with a real Prometheus between engines and autoscaler; and what is done when it is gone.

Without the waits of `test_live`: it looks all the time, and is soon impatient.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.autoscaler.scene import Scene, large_model
from tests.integration.operator.deployments import message
from tests.support.polling import eventually
from tests.support.prometheus import Prometheus

pytestmark = pytest.mark.timeout(600)


def test_replicas_follow_what_it_says_and_are_held_while_it_says_nothing(
    scene: Scene, tmp_path: Path
) -> None:
    with Prometheus(tmp_path, scene.admin) as prometheus:
        prometheus.discovery.is_hiding = True
        scene.create(large_model())
        scene.autoscaler("autoscaler-0", "--own-policy", "--prometheus", prometheus.url)
        scene.wait(1, ready=1, state=("False", "MetricsBlind"))
        eventually(
            lambda: "has no series of its replicas" in message(scene.get("chat"), "ScalingActive"), 60, "why"
        )
        prometheus.discovery.is_hiding = False
        scene.wait(1, ready=1, state=("True", "Active"))
        with scene.load(9, streams=True) as answers:
            scene.wait(3, ready=3, state=("True", "Active"))
            prometheus.kill()
            found = scene.wait(3, state=("False", "MetricsBlind"))
            assert prometheus.url in message(found, "ScalingActive")
            eventually(
                lambda: [one["type"] for one in scene.events("MetricsBlind")] == ["Warning"] * 2, 60, "events"
            )
            since = scene.installation.control_plane.audit.mark()
            prometheus.start()
            scene.wait(3, ready=3, state=("True", "Active"))
            # It sees again, and that there is nothing to do.
            assert {one.resource for one in scene.writes(since)} == {"modeldeployments/status"}
            eventually(lambda: scene.events("ScalingActive"), 30, "the event")
        assert answers[False] == 0
