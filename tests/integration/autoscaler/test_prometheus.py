"""The same with a real Prometheus between engines and autoscaler; and what is done when it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.autoscaler.scene import Scene, model
from tests.integration.operator.deployments import message
from tests.support.polling import eventually
from tests.support.prometheus import Prometheus

pytestmark = pytest.mark.timeout(600)


def test_replicas_follow_what_it_says_and_are_held_while_it_is_gone(scene: Scene, tmp_path: Path) -> None:
    with Prometheus(tmp_path, scene.admin) as prometheus:
        scene.create(model())
        scene.autoscaler("autoscaler-0", "--prometheus", prometheus.url)
        scene.wait(1, ready=1, state=("True", "Active"))
        with scene.load(8):
            scene.wait(3, ready=3, state=("True", "Active"))
            prometheus.kill()
            found = scene.wait(3, state=("False", "MetricsBlind"))
        assert prometheus.url in message(found, "ScalingActive")
        [event] = eventually(lambda: scene.events("MetricsBlind"), 30, "the event")
        assert event["type"] == "Warning"
        since = scene.installation.control_plane.audit.mark()
        prometheus.start()
        scene.wait(1, ready=1, state=("True", "Active"))
        written = [one.resource for one in scene.writes(since)]
        # It sees again, and then that there is nothing to do: nothing was scaled in between.
        assert written[0] == "modeldeployments/status"
        assert scene.events("ScalingActive")


def test_a_prometheus_that_scrapes_nothing_of_it_is_no_load_of_zero(scene: Scene, tmp_path: Path) -> None:
    with Prometheus(tmp_path, scene.admin) as prometheus:
        prometheus.discovery.is_hiding = True
        scene.create(model())
        scene.autoscaler("autoscaler-0", "--prometheus", prometheus.url)
        found = scene.wait(1, ready=1, state=("False", "MetricsBlind"))
        assert "has no series of its replicas" in message(found, "ScalingActive")
        prometheus.discovery.is_hiding = False
        scene.wait(1, ready=1, state=("True", "Active"))
