"""Kubernetes' own migrator of storage versions writes every object anew: old violators hold it up nowhere."""

from __future__ import annotations

from typing import Any

from tests.integration.policies.saying import API, deployment, refusal, wait_ready, withdraw
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OperatorProcess
from tests.support.policies import LICENSED, policy_for

Json = dict[str, Any]

_STORAGE = "storagemigration.k8s.io/v1beta1"
_MIGRATOR = "system:serviceaccount:kube-system:storage-version-migrator-controller"
# The controller manager looks for new kinds every 30 s, and asks again with ever longer waits.
_MIGRATED_SECONDS = 180.0


def test_an_old_violator_is_migrated(
    control_plane: ControlPlane, admin: Admin, namespace: str, operator: OperatorProcess
) -> None:
    old = admin.create(deployment("old"), namespace)
    admin.create(policy_for(namespace, rules=[LICENSED]))
    wait_ready(admin, namespace)
    assert "LIC-1" in refusal(admin, deployment("new"), namespace)
    # What the operator says of it is said: two who write at once are a conflict, which is tried again.
    admin.wait_for(API, "ModelDeployment", "old", namespace, until=_is_seen)

    resource = {"group": "pointsman.dev", "resource": "modeldeployments"}
    admin.create(
        {
            "apiVersion": _STORAGE,
            "kind": "StorageVersionMigration",
            "metadata": {"name": namespace},
            "spec": {"resource": resource},
        }
    )
    admin.wait_for(
        _STORAGE,
        "StorageVersionMigration",
        namespace,
        until=lambda found: (found.get("status") or {}).get("resourceVersion"),
        within_seconds=_MIGRATED_SECONDS,
    )
    # The migrator goes on once it has heard of something later, which may else be a minute.
    admin.create(deployment("later", license="mit"), namespace)

    done = admin.wait_for(
        _STORAGE,
        "StorageVersionMigration",
        namespace,
        until=lambda found: {"Succeeded", "Failed"} & set(_true(found)),
        within_seconds=_MIGRATED_SECONDS,
    )
    assert "Succeeded" in _true(done), done["status"]
    asked = control_plane.audit.requests(user=_MIGRATOR, writes_only=True)
    codes = [one.code for one in asked if (one.namespace, one.name) == (namespace, "old")]
    assert codes[-1:] == [200]
    assert set(codes) <= {200, 409}
    now = admin.get(API, "ModelDeployment", "old", namespace)
    assert now["spec"] == old["spec"]
    admin.delete(_STORAGE, "StorageVersionMigration", namespace)
    withdraw(admin, namespace)


def _is_seen(found: Json) -> bool:
    return bool((found.get("status") or {}).get("observedGeneration"))


def _true(found: Json) -> list[str]:
    said = (found.get("status") or {}).get("conditions") or ()
    return [one["type"] for one in said if one["status"] == "True"]
