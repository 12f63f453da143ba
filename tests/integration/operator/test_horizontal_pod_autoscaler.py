"""An autoscaler of Kubernetes itself scales a ModelDeployment: it is followed, and never reverted.

Without metrics it keeps the number within its bounds, which is all that is needed here.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.operator.deployments import API, KIND, own, wait_for_replicas, wait_until
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR_USER

pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(300)]

AUTOSCALER = ("autoscaling/v2", "HorizontalPodAutoscaler")
# It learns of new kinds every 30 s only: that is within what `wait_for_replicas` waits.


def autoscaler(lowest: int, highest: int) -> dict[str, Any]:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "chat"},
        "spec": {
            "scaleTargetRef": {"apiVersion": API, "kind": KIND, "name": "chat"},
            "minReplicas": lowest,
            "maxReplicas": highest,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }


def test_it_is_followed_and_never_reverted(admin: Admin, namespace: str, control_plane: ControlPlane) -> None:
    since = control_plane.audit.mark()
    admin.create(own("chat"), namespace)
    wait_until(admin, "chat", namespace, Ready=("True", "ReplicasReady"))
    admin.create(autoscaler(3, 5), namespace)
    wait_for_replicas(admin, namespace, 3)
    admin.patch(*AUTOSCALER, "chat", {"spec": {"minReplicas": 1, "maxReplicas": 2}}, namespace)
    wait_for_replicas(admin, namespace, 2)
    # The status of before says that all is complete, too.
    admin.wait_for(API, KIND, "chat", namespace, until=lambda one: one["status"]["replicas"] == 2)
    found = wait_until(admin, "chat", namespace, Progressing=("True", "Complete"))
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (2, 2)
    writes = control_plane.audit.requests(since, user=OPERATOR_USER, writes_only=True)
    specs = [one for one in writes if one.resource in ("modeldeployments", "modeldeployments/scale")]
    assert specs == []
