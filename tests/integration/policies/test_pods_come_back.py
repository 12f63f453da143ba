"""An exception ends, and then the node of an old violator's pods is lost: they come back all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.policies.saying import API, deployment, refusal, wait_ready, withdraw
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.installation import OperatorProcess
from tests.support.policies import policy_for
from tests.support.polling import eventually

Json = dict[str, Any]

_LASTS = timedelta(seconds=5)


def test_pods_of_an_exception_that_ended_are_made_again(
    admin: Admin, namespace: str, operator: OperatorProcess
) -> None:
    until = (datetime.now(UTC) + _LASTS).replace(microsecond=0)
    admin.create(_policy(namespace, until))
    wait_ready(admin, namespace)
    with pytest.raises(ApiError, match="POD-1"):
        admin.create(_pod("other"), namespace)
    made = admin.create(_replica_set(), namespace)
    first = eventually(lambda: _pods(admin, namespace), 60, "the controller makes the pod")
    eventually(lambda: datetime.now(UTC) > until, 60, "the exception ended")
    eventually(lambda: _ended(admin, namespace) == 1, 60, "the operator has dropped it")
    assert "MODEL-1" in refusal(admin, deployment("old"), namespace)

    # What the controller of nodes does with the pods of one that is lost.
    admin.delete("v1", "Pod", first[0], namespace, grace_seconds=0)

    eventually(lambda: set(_pods(admin, namespace)) - set(first), 60, "the controller makes another")
    admin.delete("apps/v1", "ReplicaSet", made["metadata"]["name"], namespace)
    withdraw(admin, namespace)


def _policy(namespace: str, until: datetime) -> Json:
    rules = [
        {"id": id_, "kinds": [kind], "expression": "has(object.metadata.annotations)", "message": "refused"}
        for id_, kind in (("MODEL-1", "ModelDeployment"), ("POD-1", "Pod"))
    ]
    exception = {
        "id": "EXC-1",
        "rules": [one["id"] for one in rules],
        "match": {"names": ["old"]},
        "until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "a migration",
        "approvedBy": "security",
    }
    return policy_for(namespace, rules=rules, exceptions=[exception])


def _pod(name: str) -> Json:
    labels = {"pointsman.dev/deployment": name, "app": name}
    container = {"name": "engine", "image": "example.com/engine"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container]},
    }


def _replica_set() -> Json:
    pod = _pod("old")
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "old"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "old"}},
            "template": {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]},
        },
    }


def _pods(admin: Admin, namespace: str) -> list[str]:
    return [one["metadata"]["name"] for one in admin.list("v1", "Pod", namespace)]


def _ended(admin: Admin, policy: str) -> int:
    status = admin.get(API, "GuardrailPolicy", policy).get("status") or {}
    return int((status.get("exceptions") or {}).get("expired", 0))
