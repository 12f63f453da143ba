"""Who of the operator's replicas leads."""

from __future__ import annotations

from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import SYSTEM

LEASE = ("coordination.k8s.io/v1", "Lease", "pointsman-operator")


def holder(admin: Admin) -> str:
    """The replica that has the lease; "" where nobody has it."""
    found = admin.find(*LEASE, SYSTEM)
    return str((found or {}).get("spec", {}).get("holderIdentity", ""))
