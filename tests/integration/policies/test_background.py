"""Rules in the background, by the operator on a real API server: what is beside an object decides."""

from __future__ import annotations

from typing import Any

from pointsman.policy.packs import shipped_library
from tests.integration.policies.saying import deployment
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import OperatorProcess
from tests.support.policies import policy_for
from tests.support.polling import eventually

Json = dict[str, Any]

_API = "pointsman.dev/v1alpha1"


def test_what_is_beside_an_object_is_found_and_mended(
    admin: Admin, namespace: str, operator: OperatorProcess
) -> None:
    packs = [_alone("reliability", "REL-10"), _alone("cost", "COST-02-SUM", maxNamespaceAccelerators=3)]
    admin.create(policy_for(namespace, packs=packs))
    route = {
        "apiVersion": _API,
        "kind": "ModelRoute",
        "metadata": {"name": "public"},
        "spec": {"models": [namespace], "rules": [{"targets": [{"deployment": "chat"}]}]},
    }
    admin.create(route, namespace)
    lost = {("ModelRoute", namespace, "public", "REL-10")}
    eventually(lambda: _found(admin, namespace) == lost, 60, "the route that is lost is listed")

    admin.create(deployment("chat", replicas=2), namespace)
    eventually(lambda: _found(admin, namespace) == set(), 60, "it has its deployment")

    admin.create(deployment("code", replicas=2), namespace)
    beyond = {("Namespace", "", namespace, "COST-02-SUM")}
    eventually(lambda: _found(admin, namespace) == beyond, 60, "the namespace takes too many")
    admin.delete(_API, "ModelDeployment", "code", namespace)
    eventually(lambda: _found(admin, namespace) == set(), 60, "it takes fewer")
    admin.delete(_API, "GuardrailPolicy", namespace)


def _alone(pack: str, rule: str, **parameters: Any) -> Json:
    others = [name for name in shipped_library().packs[pack].rules if name != rule]
    return {"name": pack, "exclude": others, "parameters": parameters}


def _found(admin: Admin, policy: str) -> set[tuple[str, ...]] | None:
    """None before everything was looked at."""
    violations = (admin.get(_API, "GuardrailPolicy", policy).get("status") or {}).get("violations")
    if violations is None:
        return None
    return {
        (one["kind"], one.get("namespace", ""), one["name"], one["rule"])
        for one in violations.get("objects", ())
    }
