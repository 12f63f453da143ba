"""The API server restarts with every rule of every pack in force everywhere: nothing waits for another."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.policy.packs import shipped_library
from tests.integration.policies.saying import (
    ADMISSION,
    API,
    deployment,
    natives_of,
    refusal,
    wait_ready,
    withdraw,
)
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import SYSTEM, Installation, OperatorProcess
from tests.support.polling import eventually

Json = dict[str, Any]

_NAME = "everything"


@pytest.fixture
def everything(admin: Admin, operator: OperatorProcess) -> str:
    """All packs, in the mode that refuses, for every namespace that a policy can be for."""
    spec = {"mode": "enforce", "packs": [{"name": name} for name in shipped_library().packs]}
    admin.create({"apiVersion": API, "kind": "GuardrailPolicy", "metadata": {"name": _NAME}, "spec": spec})
    wait_ready(admin, _NAME)
    return _NAME


def test_the_api_server_comes_back_with_all_packs_on(
    control_plane: ControlPlane,
    installation: Installation,
    namespace: str,
    operator: OperatorProcess,
    everything: str,
) -> None:
    admin = control_plane.admin
    operator.kill()
    lost = f"pointsman-{everything}-modeldeployment-enforce"
    admin.delete(ADMISSION, "ValidatingAdmissionPolicyBinding", lost)

    control_plane.restart_api_server()

    _is_held(admin, namespace)
    # What a cluster starts with is not asked for anything.
    for place in ("kube-system", SYSTEM):
        admin.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "starts"}}, place)
        admin.create(_pod(), place)
        admin.delete("v1", "Pod", "starts", place, grace_seconds=0)
        admin.delete("v1", "ConfigMap", "starts", place)
    with installation.operator():
        admin.wait_for(ADMISSION, "ValidatingAdmissionPolicyBinding", lost, until=bool, within_seconds=90)
        wait_ready(admin, everything)

        control_plane.restart_api_server()

        _is_held(admin, namespace)
        kept = [{"name": "cost", "exclude": ["COST-04"]}]
        admin.patch(API, "GuardrailPolicy", everything, {"spec": {"packs": kept}})
        eventually(lambda: len(natives_of(admin, everything)) < 16, 90, "the operator goes on")
        wait_ready(admin, everything)
        # Rules went because they were to go.
        said = admin.list("v1", "Event", fields=f"involvedObject.name={everything}")
        assert not [one for one in said if one["reason"] == "PutBack"]
        withdraw(admin, everything)


def _is_held(admin: Admin, namespace: str) -> None:
    # An API server that has not read its policies yet refuses too, without a rule.
    eventually(lambda: "[" in refusal(admin, deployment("new"), namespace), 60, "the rules are held")


def _pod() -> Json:
    """One that many rules would refuse."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "starts", "labels": {"pointsman.dev/deployment": "engine"}},
        "spec": {
            "containers": [
                {
                    "name": "engine",
                    "image": "example.com/engine:latest",
                    "securityContext": {"privileged": True},
                }
            ]
        },
    }
