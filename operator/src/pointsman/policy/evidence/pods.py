"""Pods in a record: as what they were made from, since the pods themselves come and go."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.errors import PointsmanError
from pointsman.json_text import dumped
from pointsman.policy.evidence.canonical import digest

KIND = PolicyKind.POD.value
OF_A_TEMPLATE = "@"
"""Between a deployment and a template in a name. No pod has a name with it."""
BY_HAND = "/"
"""Between a deployment and a pod of its label that no controller made."""

_EACH_POD = frozenset({"nodeName", "hostname", "subdomain"})
_LABELS = ("leaderworkerset.sigs.k8s.io/", "batch.kubernetes.io/", "statefulset.kubernetes.io/")
"""Begins of labels that number the pods of one template, or their owner."""
_EACH_LABEL = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "pod-template-hash",
    }
)
_REVISIONS = (
    "leaderworkerset.sigs.k8s.io/template-revision-hash",
    "pod-template-hash",
    "controller-revision-hash",
)
"""Labels by which controllers know the pods of one template, the first that is there."""
_EACH_ENV = frozenset({"LWS_LEADER_ADDRESS", "LWS_WORKER_INDEX"})
_TOKEN = "kube-api-access-"
"""The volume that the API server adds to each, with digits of its own."""
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def deployment_in(name: str) -> str:
    """The deployment in the name of an entry about pods."""
    return name.replace(BY_HAND, OF_A_TEMPLATE).partition(OF_A_TEMPLATE)[0]


def pod_in(name: str) -> str:
    """The pod in the name of an entry about one by itself, else ""."""
    return name.partition(BY_HAND)[2]


def controller_of(pod: Mapping[str, Any]) -> str:
    """The kind of what made it, "" where nothing of the cluster did."""
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return next((str(one.get("kind", "")) for one in owners if one.get("controller")), "")


def revision_of(pod: Mapping[str, Any]) -> str:
    """Which template its controller made it of, as that says itself; "" where it does not."""
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return next((str(labels[name]) for name in _REVISIONS if labels.get(name)), "")


def template_digest(pod: Mapping[str, Any]) -> str:
    """Of what a pod says but for what differs in those of one template, and for its annotations: networks
    and devices note there what they gave each pod.
    """
    labels = (pod.get("metadata") or {}).get("labels") or {}
    kept = {
        key: value for key, value in labels.items() if key not in _EACH_LABEL and not key.startswith(_LABELS)
    }
    said = {"by": controller_of(pod), "labels": kept, "spec": _spec(pod.get("spec") or {})}
    try:
        return digest(said)
    except PointsmanError:
        return sha256(dumped(said, is_sorted=True)).hexdigest()


def _spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in spec.items() if name not in _EACH_POD}
    if "volumes" in said:
        said["volumes"] = [_named(one) for one in said["volumes"]]
    for name in _CONTAINERS:
        if name in said:
            said[name] = [_container(one) for one in said[name]]
    return said


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    said = dict(container)
    if "env" in said:
        said["env"] = [one for one in said["env"] if one.get("name") not in _EACH_ENV]
    if "volumeMounts" in said:
        said["volumeMounts"] = [_named(one) for one in said["volumeMounts"]]
    return said


def _named(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**one, "name": _TOKEN} if str(one.get("name", "")).startswith(_TOKEN) else one
