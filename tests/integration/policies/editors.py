"""Somebody with Kubernetes' role `edit` in a namespace in which a policy is enforced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pointsman.policy.native.validating import validating
from tests.support.cluster.admin import Admin
from tests.support.cluster.control_plane import ControlPlane
from tests.support.policies import compiled

_RBAC = "rbac.authorization.k8s.io"


@contextmanager
def editor_under(control_plane: ControlPlane, namespace: str, **policy: Any) -> Iterator[Admin]:
    """Of a policy for this namespace alone; what is enforced takes the API server a moment."""
    label = {"kubernetes.io/metadata.name": namespace}
    spec = {"mode": "enforce", "appliesTo": {"namespaceSelector": {"matchLabels": label}}, **policy}
    admin, user = control_plane.admin, f"{namespace}-editor"
    natives = validating(compiled(spec, name=namespace), datetime.now(UTC))
    for manifest in natives:
        admin.apply(manifest)
    let_edit(admin, namespace, "editor", {"apiGroup": _RBAC, "kind": "User", "name": user})
    with Admin(control_plane.access(user)) as editor:
        yield editor
    for manifest in natives:
        admin.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


def let_edit(admin: Admin, namespace: str, name: str, subject: Mapping[str, str]) -> None:
    """Gives the role, by a binding of this name."""
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "edit"}
    binding = {"apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": name}}
    admin.create({**binding, "roleRef": role, "subjects": [subject]}, namespace)
