"""What a recorder asks, answered by what the operator watches."""

from collections.abc import Collection, Iterable

from pointsman.api import ObjectKey
from pointsman.api.fleet import EvidenceSettings
from pointsman.controller.due import Due
from pointsman.controller.recording.recorder import Recorder
from pointsman.kube.objects import NAMESPACE
from pointsman.policy.evidence import pods
from pointsman.records.opening import record_at
from pointsman.records.place import Place

_HEAD_SECONDS = 10.0
"""A status follows the record so much later: one write for all that was recorded of a policy meanwhile."""


class WatchedFleet:
    """See `Fleet`."""

    def __init__(self, due: Due) -> None:
        self._due = due

    def policies(self) -> Iterable[ObjectKey]:
        return tuple(self._due.policies)

    def has(self, kind: str, key: ObjectKey) -> bool:
        """Of namespaces those with deployments count: rules look at no others."""
        if kind == NAMESPACE.kind:
            return any(one.namespace == key.name for one in self._due.deployments)
        if kind == pods.KIND:
            return self._has_pods(
                ObjectKey(key.namespace, pods.deployment_in(key.name)), pods.pod_in(key.name)
            )
        kinds = (self._due.deployments, self._due.routes)
        return any(one.kind.kind == kind and one.get(key) is not None for one in kinds)

    def _has_pods(self, deployment: ObjectKey, pod: str) -> bool:
        """Those of a template may return as long as their deployment is there."""
        is_there = self._due.pods is not None and self._due.pods.has(deployment, pod)
        return is_there or (not pod and self._due.deployments.get(deployment) is not None)

    def heads(self) -> Collection[str]:
        statuses = ((self._due.policies.get(key) or {}).get("status") or {} for key in self._due.policies)
        return {head for one in statuses if (head := (one.get("evidence") or {}).get("head"))}

    def look_again(self, policy: ObjectKey) -> None:
        self._due.in_force.again(policy)
        self._due.record_says(policy, 0.0)

    def changed(self, policy: ObjectKey, *, is_urgent: bool) -> None:
        self._due.record_says(policy, 0.0 if is_urgent else _HEAD_SECONDS)


def place_of(settings: EvidenceSettings) -> Place:
    """Where the fleet settings keep the record. PointsmanError where that needs what is not installed."""
    if settings.object_store is not None:
        return record_at(settings.object_store.url, settings.object_store.credentials_file)
    return record_at(settings.file or "")


def recorder_of(due: Due, settings: EvidenceSettings, writer: str) -> Recorder:
    return Recorder(place_of(settings), writer, WatchedFleet(due))
