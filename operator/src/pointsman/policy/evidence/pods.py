"""Pods in a record: as what they were made from, since the pods themselves come and go.

Pods that a controller made of one template, and of which a policy says the same, are one entry, however many
there are. A pod that nobody's controller made is one by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.errors import PointsmanError
from pointsman.json_text import dumped
from pointsman.policy.evidence.canonical import digest
from pointsman.policy.evidence.judged import Judged, Object

KIND = PolicyKind.POD.value
_OF_A_TEMPLATE = "@"
"""Between a deployment and a template in a name. No pod has a name with it."""
_BY_HAND = "/"
"""Between a deployment and a pod of its label that no controller made."""
_SHOWN_DIGITS = 12

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
_EACH_ENV = frozenset({"LWS_LEADER_ADDRESS", "LWS_WORKER_INDEX"})
_TOKEN = "kube-api-access-"
"""The volume that the API server adds to each, with digits of its own."""
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


@dataclass(frozen=True)
class PodLooked:
    """What one policy says of pods that are the same to it. `uid` is that of one by itself."""

    name: str
    seen: Object
    found: tuple[Judged, ...]
    by: str
    """The kind of the controller that made them."""
    uid: str = ""


def deployment_in(name: str) -> str:
    """The deployment in the name of an entry about pods."""
    return name.replace(_BY_HAND, _OF_A_TEMPLATE).partition(_OF_A_TEMPLATE)[0]


def pod_in(name: str) -> str:
    """The pod in the name of an entry about one by itself, else ""."""
    return name.partition(_BY_HAND)[2]


def controller_of(pod: Mapping[str, Any]) -> str:
    """The kind of what made it, "" where nothing of the cluster did."""
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return next((str(one.get("kind", "")) for one in owners if one.get("controller")), "")


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


@dataclass(frozen=True)
class JudgedPod:
    """One pod, and what one policy says of it."""

    name: str
    uid: str
    by: str
    template: str
    found: tuple[Judged, ...]

    def says(self) -> tuple[Any, ...]:
        return tuple(
            (one.verdict.rule.id, one.applies, one.verdict.outcome.value, one.verdict.message, _excepted(one))
            for one in self.found
        )


def _excepted(one: Judged) -> str:
    return one.verdict.exemption.id if one.verdict.exemption is not None else ""


def gathered(namespace: str, deployment: str, pods: Iterable[JudgedPod]) -> Sequence[PodLooked]:
    """The pods of one deployment as entries have them. Where pods of one template are not the same to the
    policy, what is said of them is in the name too.
    """
    alone: list[PodLooked] = []
    templates: dict[str, dict[tuple[Any, ...], JudgedPod]] = {}
    for pod in pods:
        if pod.by:
            templates.setdefault(pod.template, {}).setdefault(pod.says(), pod)
        else:
            alone.append(_looked(namespace, f"{deployment}{_BY_HAND}{pod.name}", pod, pod.uid))
    for template, ways in templates.items():
        for says, pod in ways.items():
            name = f"{deployment}{_OF_A_TEMPLATE}{template[:_SHOWN_DIGITS]}"
            if len(ways) > 1:
                name += f"-{digest([list(one) for one in says])[:_SHOWN_DIGITS]}"
            alone.append(_looked(namespace, name, pod))
    return sorted(alone, key=lambda one: one.name)


def _looked(namespace: str, name: str, pod: JudgedPod, uid: str = "") -> PodLooked:
    return PodLooked(name, Object(KIND, namespace, name, pod.template), pod.found, pod.by, uid)
