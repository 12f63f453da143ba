"""Who of the operator's replicas leads."""

from __future__ import annotations

from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import SYSTEM


def holder(admin: Admin) -> str:
    """The replica that has the lease; "" where nobody has it."""
    found = admin.find("coordination.k8s.io/v1", "Lease", "pointsman-operator", SYSTEM)
    return str((found or {}).get("spec", {}).get("holderIdentity", ""))
