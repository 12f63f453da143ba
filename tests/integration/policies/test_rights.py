"""Who may touch what holds the rules: nobody whom a role makes an editor, even of every namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

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
from tests.support.cluster.api_client import MERGE, ApiError
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OperatorProcess
from tests.support.policies import LICENSED, policy_for
from tests.support.polling import eventually

Json = dict[str, Any]
AsUser = Callable[[str], Admin]

_CLEARED: Json = {"metadata": {"managedFields": [{}]}}
_PLURALS = {
    f"{kind}AdmissionPolicy{end}": f"{kind.lower()}admissionpolic{plural}"
    for kind in ("Validating", "Mutating")
    for end, plural in (("", "ies"), ("Binding", "ybindings"))
}
_RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
def policy(admin: Admin, namespace: str, operator: OperatorProcess) -> Iterator[str]:
    """A license must be stated, and defaults are set, in the test's namespace."""
    admin.create(policy_for(namespace, packs=[{"name": "baseline-security"}], rules=[LICENSED]))
    wait_ready(admin, namespace)
    yield namespace
    withdraw(admin, namespace)


@pytest.fixture
def with_role(control_plane: ControlPlane, namespace: str) -> Iterator[AsUser]:
    """A user who has a role in every namespace, as the API server's own controller aggregates it."""
    admin = control_plane.admin
    entered: list[Admin] = []
    bound: list[str] = []

    def as_user(role: str) -> Admin:
        user = f"{namespace}-{role}"
        admin.create(
            {
                "apiVersion": f"{_RBAC}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": user},
                "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
            }
        )
        bound.append(user)
        entered.append(Admin(control_plane.access(user)).__enter__())
        return entered[-1]

    yield as_user
    for one in entered:
        one.close()
    for user in bound:
        admin.delete(f"{_RBAC}/v1", "ClusterRoleBinding", user)


def test_no_role_reaches_the_native_objects(
    admin: Admin, namespace: str, policy: str, with_role: AsUser
) -> None:
    eventually(lambda: _are_checked(admin, policy), 90, "nobody else has anything to write to them")
    natives = natives_of(admin, policy)
    assert {one["kind"] for one in natives} == set(_PLURALS)

    for role in ("edit", "admin", "pointsman-platform"):
        user = with_role(role)
        eventually(partial(_may_create, user, namespace), 60, "the role is in force")
        for native in natives:
            for method, body in (("PATCH", {"spec": None}), ("PATCH", _CLEARED), ("DELETE", None)):
                path = f"/apis/{ADMISSION}/{_PLURALS[native['kind']]}/{native['metadata']['name']}"
                with pytest.raises(ApiError, match=rf"403 Forbidden: .* cannot {method.lower()} resource"):
                    user.request(method, path, body, content_type=MERGE)
        if role != "pointsman-platform":
            with pytest.raises(ApiError, match=r"403 Forbidden: guardrailpolicies.* cannot delete"):
                user.delete(API, "GuardrailPolicy", policy)
        assert "[LIC-1]" in refusal(user, deployment("chat"), namespace)

    versions = [one["metadata"]["resourceVersion"] for one in natives]
    assert [one["metadata"]["resourceVersion"] for one in natives_of(admin, policy)] == versions


def _are_checked(admin: Admin, policy: str) -> bool:
    """Kubernetes' own controller checks the types of what validates, and says so in its status."""
    return all(
        (one.get("status") or {}).get("observedGeneration") == one["metadata"]["generation"]
        for one in natives_of(admin, policy)
        if one["kind"] == "ValidatingAdmissionPolicy"
    )


def _may_create(user: Admin, namespace: str) -> bool:
    return "cannot create" not in refusal(user, deployment("chat", license="mit"), namespace)
