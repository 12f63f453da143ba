"""Who of the operator's replicas leads."""

from __future__ import annotations

from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import SYSTEM, OperatorProcess
from tests.support.polling import eventually

LEASE = ("coordination.k8s.io/v1", "Lease", "pointsman-operator")


def holder(admin: Admin) -> str:
    """The replica that has the lease; "" where nobody has it."""
    found = admin.find(*LEASE, SYSTEM)
    return str((found or {}).get("spec", {}).get("holderIdentity", ""))


def resume_until_lost(former: OperatorProcess) -> None:
    """Let one go on that stood still, and wait until it says that another leads meanwhile."""
    # Of one with the same name its log may say so already.
    written = former.log.stat().st_size
    former.resume()
    eventually(lambda: b"leadership_lost" in former.log.read_bytes()[written:], 60, "it knows that it lost")
