"""All of it as it runs in a cluster: agents of engines and a gateway, a Prometheus that scrapes them, and
`pointsman autoscaler` with its own policy, times and account. Only what users may state is short.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.autoscaler.scene import Scene, answered, large_model
from tests.integration.autoscaler.test_gateways import ROUTE
from tests.integration.operator.deployments import conditions, message
from tests.support.polling import eventually
from tests.support.prometheus import Prometheus

# It takes some four minutes: Prometheus is asked each 15 s, and what it does not say is waited for a minute.
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def pointsman(command: str, what: str, scene: Scene) -> str:
    """What a command prints of the cluster."""
    kubeconfig = scene.installation.control_plane.kubeconfig()
    there = ("--kubeconfig", str(kubeconfig), "--namespace", scene.namespace)
    done = subprocess.run(
        [sys.executable, "-m", "pointsman.cli.main", command, what, *there],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_replicas_follow_the_load_from_zero_to_three_and_back_and_no_request_fails(
    scene: Scene, tmp_path: Path
) -> None:
    scene.create(large_model(idle={"after": "10s"}, scaleDown={"after": "10s"}))
    scene.create(ROUTE)
    gateway = scene.gateway()
    url = f"http://127.0.0.1:{gateway.port}"
    with Prometheus(tmp_path, scene.admin, [f"{gateway.host}:{gateway.metrics_port}"]) as prometheus:
        fleet = tmp_path / "fleet.yaml"
        fleet.write_text(yaml.safe_dump({"metrics": {"prometheus": {"url": prometheus.url}}}))
        scene.autoscaler("autoscaler-0", "--fleet", str(fleet), quick=False)
        scene.wait(0, ready=0, state=("True", "Active"))
        eventually(
            lambda: conditions(scene.get())["Ready"] == ("True", "Idle"), 30, "nothing runs, as it should"
        )
        # Held until a replica has started for it.
        assert answered(url, "chat", within_seconds=120, streams=True)
        scene.wait(1, ready=1)
        with scene.load(1, gateway=url, streams=True, pause_seconds=4.0) as few:
            with scene.load(9, gateway=url, streams=True) as many:
                found = scene.wait(3, ready=3, state=("True", "Active"))
                said = found["status"]["scaling"]
                assert (said["forReplicas"], said["pools"]) == (3, [{"name": "default", "replicas": 3}])
                assert "3 replicas because" in said["reason"]
                since = scene.installation.control_plane.audit.mark()
                prometheus.kill()
                found = scene.wait(3, state=("False", "MetricsBlind"))
                assert prometheus.url in message(found, "ScalingActive")
                prometheus.start()
                scene.wait(3, ready=3, state=("True", "Active"))
                eventually(lambda: scene.writes(since), 30, "that is written")
                assert {one.resource for one in scene.writes(since)} == {"modeldeployments/status"}
            scene.wait(1, ready=1, state=("True", "Active"), within_seconds=300.0)
            more = few[True] + 1
            eventually(lambda: few[True] >= more, 60, "the one that is left answers")
        assert (few[False], many[False]) == (0, 0)
        assert many[True] > 9
        explained = pointsman("explain", "modeldeployment/chat", scene)
        history = explained.partition("Scaling\n")[2]
        assert (
            history.index("1 replica because")
            < history.index("before:")
            < history.index("3 replicas because")
        )
        assert f"(MetricsBlind)\n      Prometheus at {prometheus.url}" in history
