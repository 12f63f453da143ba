"""What stands in a coordination.k8s.io/v1 Lease, and what may be written over it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pointsman.api.meta import ObjectKey
from pointsman.kube.objects import LEASE, KubeObject, resource_version_of

_RELEASED_SECONDS = 1  # the shortest that a Lease may say; what client-go writes too


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A lease as it was read. Its times are of another's clock, and only compared for equality."""

    key: ObjectKey
    holder: str = ""
    renewed: str = ""
    duration_seconds: int = 0
    transitions: int = 0
    acquired: str = ""
    resource_version: str = ""

    @classmethod
    def read(cls, lease: KubeObject, key: ObjectKey) -> "LeaseRecord":
        spec: Mapping[str, Any] = lease.get("spec") or {}
        return cls(
            key=key,
            holder=str(spec.get("holderIdentity") or ""),
            renewed=str(spec.get("renewTime") or ""),
            duration_seconds=int(spec.get("leaseDurationSeconds") or 0),
            transitions=int(spec.get("leaseTransitions") or 0),
            acquired=str(spec.get("acquireTime") or ""),
            resource_version=resource_version_of(lease),
        )

    @property
    def is_new(self) -> bool:
        """Nobody has written it yet."""
        return not self.resource_version

    def taken(self, identity: str, duration_seconds: int, now: datetime) -> dict[str, Any]:
        """The lease as `identity` writes it to take it, or to renew it. `now` is for people to read."""
        is_renewal = self.holder == identity
        return self._object(
            {
                "holderIdentity": identity,
                "leaseDurationSeconds": duration_seconds,
                "acquireTime": self.acquired if is_renewal and self.acquired else _text(now),
                "renewTime": _text(now),
                "leaseTransitions": self.transitions + (not is_renewal and not self.is_new),
            }
        )

    def released(self, now: datetime) -> dict[str, Any]:
        """The lease as its holder leaves it, for the next one to take at once."""
        return self._object(
            {
                "holderIdentity": "",
                "leaseDurationSeconds": _RELEASED_SECONDS,
                "acquireTime": _text(now),
                "renewTime": _text(now),
                "leaseTransitions": self.transitions,
            }
        )

    def _object(self, spec: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {
                "name": self.key.name,
                "namespace": self.key.namespace,
                "resourceVersion": self.resource_version or None,
            },
            "spec": spec,
        }


def _text(now: datetime) -> str:
    """Kubernetes' MicroTime."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
