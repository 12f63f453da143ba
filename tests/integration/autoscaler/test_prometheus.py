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
            # Each time that it begins to see nothing is told: at first, and whenever a scrape came too late.
            told = len(scene.events("MetricsBlind"))
            prometheus.kill()
            scene.wait(3, state=("False", "MetricsBlind"))
            eventually(
                lambda: prometheus.url in message(scene.get("chat"), "ScalingActive"), 60, "what is away"
            )
            eventually(lambda: len(scene.events("MetricsBlind")) > told > 0, 60, "events")
            assert {one["type"] for one in scene.events("MetricsBlind")} == {"Warning"}
            since = scene.installation.control_plane.audit.mark()
            prometheus.start()
            scene.wait(3, ready=3, state=("True", "Active"))
            # It sees again, and that there is nothing to do.
            eventually(lambda: scene.writes(since), 30, "that is written")
            assert {one.resource for one in scene.writes(since)} == {"modeldeployments/status"}
            eventually(lambda: scene.events("ScalingActive"), 30, "the event")
        assert answers[False] == 0
