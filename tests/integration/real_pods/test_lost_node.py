"""A node is lost: it is named, and what it ran comes back, also what a rule would not admit any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.operator.deployments import API, conditions, message, wait_until
from tests.integration.policies.saying import refusal, wait_ready, withdraw
from tests.integration.real_pods.conftest import START_SECONDS
from tests.integration.real_pods.test_trouble import COMPLETE, READY, SEEN_SECONDS, gpu_model, pods
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OperatorProcess
from tests.support.cluster.process_node import NodeSettings, RunningNode
from tests.support.policies import policy_for
from tests.support.polling import eventually

Json = dict[str, Any]

_SOON = timedelta(seconds=2)
_LONG = timedelta(days=1)


@pytest.fixture
def excepted(admin: Admin, namespace: str, operator: OperatorProcess) -> Iterator[str]:
    """A policy that no model and no pod keeps, with an exception for the model `chat`, which lasts."""
    rules = [
        {"id": id_, "kinds": [kind], "expression": "object.metadata.name == 'kept'", "message": "refused"}
        for id_, kind in (("MODEL-1", "ModelDeployment"), ("POD-1", "Pod"))
    ]
    exceptions = [_exception(datetime.now(UTC) + _LONG)]
    admin.create(policy_for(namespace, rules=rules, exceptions=exceptions))
    wait_ready(admin, namespace)
    yield namespace
    withdraw(admin, namespace)


def test_pods_of_a_lost_node_come_back_though_their_exception_ended(
    admin: Admin, namespace: str, control_plane: ControlPlane, settings: NodeSettings, excepted: str
) -> None:
    with RunningNode(control_plane, settings) as node:
        admin.create(gpu_model("chat"), namespace)
        wait_until(admin, "chat", namespace, START_SECONDS, Ready=READY)
        [first] = pods(admin, namespace)
        ends = {"exceptions": [_exception(datetime.now(UTC) + _SOON)]}
        admin.patch(API, "GuardrailPolicy", excepted, {"spec": ends})
        eventually(lambda: _ended(admin, excepted) == 1, 60, "the exception ended")
        eventually(lambda: "MODEL-1" in refusal(admin, gpu_model("chat"), namespace), 60, "it counts no more")
        assert "POD-1" in _pod_refusal(admin, "other", namespace)

        node.vanish()

        found = wait_until(admin, "chat", namespace, SEEN_SECONDS, Progressing=("False", "NodeLost"))
        assert conditions(found)["Available"] == ("False", "NoReplicaReady")
        assert "node-a" in message(found, "Progressing")
        with RunningNode(
            control_plane, replace(settings, name="node-b", pod_network=NodeSettings().pod_network)
        ):
            wait_until(admin, "chat", namespace, START_SECONDS, Progressing=COMPLETE, Ready=READY)
            second = next(one for one in pods(admin, namespace) if _uid(one) != _uid(first))
            assert second["spec"]["nodeName"] == "node-b"
    admin.delete("v1", "Node", "node-a")


def _exception(until: datetime) -> Json:
    return {
        "id": "EXC-1",
        "rules": ["MODEL-1", "POD-1"],
        "match": {"names": ["chat"]},
        "until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "a migration",
        "approvedBy": "security",
    }


def _ended(admin: Admin, policy: str) -> int:
    status = admin.get(API, "GuardrailPolicy", policy).get("status") or {}
    return int((status.get("exceptions") or {}).get("expired", 0))


def _uid(pod: Json) -> str:
    return str(pod["metadata"]["uid"])


def _pod_refusal(admin: Admin, deployment: str, namespace: str) -> str:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": deployment, "labels": {"pointsman.dev/deployment": deployment}},
        "spec": {"containers": [{"name": "engine", "image": "example.com/engine"}]},
    }
    with pytest.raises(ApiError) as refused:
        admin.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod, parameters={"dryRun": "All"})
    return str(refused.value)
