"""What keeps pods from serving, in one stable line each: read from their status, said without counters,
times or names that pass. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pointsman.kube.objects import KubeObject, is_being_deleted

WEIGHTS_CONTAINER = "weights"
ENGINE_CONTAINER = "engine"


class Concern(IntEnum):
    """Which condition a trouble belongs to; of several, the earliest step of a pod's life is named."""

    PLACED = 1
    WEIGHTS = 2
    PROGRESSING = 3


@dataclass(frozen=True, order=True, slots=True)
class Trouble:
    concern: Concern
    reason: str
    message: str


_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_NO_ACCELERATOR = "NoAcceleratorFree"
_MISSING_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" (?:not found|is being deleted)')
_CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


def pod_trouble(
    pods: Iterable[KubeObject],
    resources: Mapping[str, str],
    *,
    one_by_one: bool = False,
    settled: bool = False,
) -> Trouble | None:
    """The first trouble of any of the pods, in a stable order; None if they only take their time.

    `resources` names each extended resource that a pod asks for as people say it ("2 × L40S"). `one_by_one`:
    a rollout has no accelerator to spare, so that a pod waits for that of one which leaves. `settled`: all
    replicas serve, so that what became of pods which are no replica any more is over.
    """
    all_pods = tuple(pods)
    waits_its_turn = one_by_one and any(is_being_deleted(pod) for pod in all_pods)
    found = [
        trouble
        for pod in all_pods
        if not (settled and _is_past(pod))
        for trouble in _troubles(pod, resources)
        if not (waits_its_turn and trouble.reason == _NO_ACCELERATOR)
    ]
    return min(found, default=None)


def lacks(pod: KubeObject, resource: str) -> bool:
    """Whether the scheduler finds no node that has enough of it free."""
    return any(
        f"Insufficient {resource}" in condition.get("message", "")
        for condition in pod.get("status", {}).get("conditions", ())
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False"
    )


def _troubles(pod: KubeObject, resources: Mapping[str, str]) -> Iterable[Trouble]:
    status = pod.get("status", {})
    if _has_lost_its_node(pod):
        node = pod.get("spec", {}).get("nodeName", "")
        yield Trouble(Concern.PROGRESSING, "NodeLost", f"node {node}, which has a pod, does not answer")
    if _is_past(pod) and status.get("reason") == "Evicted":
        yield Trouble(
            Concern.PROGRESSING, "Evicted", f"a pod was evicted: {_line(status.get('message', ''))}"
        )
    if is_being_deleted(pod) or status.get("reason") == "Evicted":
        return  # how its containers end is how they were asked to
    if status.get("phase") == "Failed" and status.get("reason") == "UnexpectedAdmissionError":
        yield Trouble(Concern.PLACED, "UnexpectedAdmissionError", _line(status.get("message", "")))
    for condition in status.get("conditions", ()):
        if (
            condition.get("type") == "PodScheduled"
            and condition.get("status") == "False"
            and condition.get("reason") == "Unschedulable"
        ):
            yield _unschedulable(condition.get("message", ""), resources)
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        yield from _container(container, pod)


def _is_past(pod: KubeObject) -> bool:
    """Whether it is no replica any more, and never will be."""
    return is_being_deleted(pod) or pod.get("status", {}).get("phase") == "Failed"


def _has_lost_its_node(pod: KubeObject) -> bool:
    """Of a pod whose node is silent Kubernetes takes the readiness away, nothing else, and later the pod."""
    conditions: dict[str, Mapping[str, str]] = {
        one["type"]: one for one in pod.get("status", {}).get("conditions", ())
    }
    ready, containers = conditions.get("Ready", {}), conditions.get("ContainersReady", {})
    if is_being_deleted(pod):
        return conditions.get("DisruptionTarget", {}).get("reason") == "DeletionByTaintManager"
    return (
        ready.get("status") == "False"
        and ready.get("reason") != "ReadinessGatesNotReady"
        and containers.get("status") == "True"
    )


def _unschedulable(scheduler_message: str, resources: Mapping[str, str]) -> Trouble:
    """The scheduler's own message counts nodes and changes with each of them; only what it lacks is kept."""
    for resource, said in sorted(resources.items()):
        if f"Insufficient {resource}" in scheduler_message:
            return Trouble(
                Concern.PLACED,
                _NO_ACCELERATOR,
                f"no node has {said} free; free some, add nodes, or name other accelerators in"
                " spec.hardware.accelerators",
            )
    claim = _MISSING_CLAIM.search(scheduler_message)
    if claim is not None:
        message = f'there is no PersistentVolumeClaim "{claim[1]}" in this namespace; create it'
        return Trouble(Concern.PLACED, "VolumeNotFound", message)
    # What the scheduler of Kubernetes 1.36 says, and what it means for the person who reads it.
    causes = (
        ("no nodes available", "NoNode", "the cluster has no node for pods"),
        ("Insufficient memory", "NotEnoughMemory", "no node has enough memory free for a pod"),
        ("Insufficient cpu", "NotEnoughProcessors", "no node has enough processors free for a pod"),
        ("didn't match Pod's node affinity", "NoNodeMatches", "no node has the labels that a pod asks for"),
        (
            "untolerated taint",
            "NoNodeMatches",
            "every node that fits has a taint that a pod does not tolerate",
        ),
        (
            "unbound immediate PersistentVolumeClaims",
            "VolumeNotBound",
            "a volume claim of a pod is not bound",
        ),
        (
            "had volume node affinity conflict",
            "VolumeElsewhere",
            "a volume claim of a pod is bound to other nodes than those that fit; use one that several nodes"
            " mount at once (ReadWriteMany)",
        ),
    )
    for part, reason, message in causes:
        if part in scheduler_message:
            return Trouble(Concern.PLACED, reason, message)
    return Trouble(Concern.PLACED, "Unschedulable", "no node takes a pod; kubectl describe says why for each")


def _container(container: Mapping[str, Any], pod: KubeObject) -> Iterable[Trouble]:
    name = container.get("name", "")
    waiting = container.get("state", {}).get("waiting", {})
    reason = waiting.get("reason", "")
    concern = Concern.WEIGHTS if name == WEIGHTS_CONTAINER else Concern.PROGRESSING
    if reason in _IMAGE_REASONS:
        weights = _volume_image(waiting.get("message", ""), pod)
        if weights:
            message = f"the image {weights}, which holds weights, cannot be pulled"
            yield Trouble(Concern.WEIGHTS, "ImageNotPulled", message)
        else:
            message = f"the image {container.get('image', '')} of container {name} cannot be pulled"
            yield Trouble(concern, "ImageNotPulled", message)
    elif reason in _CONFIG_REASONS:
        yield Trouble(concern, reason, f"container {name}: {_line(waiting.get('message', ''))}")
    elif _fell(container):
        yield _ended(name, concern, container)


def _volume_image(said: str, pod: KubeObject) -> str:
    """The image of a volume that a kubelet's message is about: a container's reason does not tell."""
    images = (one.get("image", {}).get("reference", "") for one in pod.get("spec", {}).get("volumes", ()))
    return next((image for image in images if image and f'"{image}"' in said), "")


def _fell(container: Mapping[str, Any]) -> bool:
    """Whether its last run failed and it has not served since: between two runs it is in trouble too."""
    if container.get("ready"):
        return False
    last = [container.get(state, {}).get("terminated", {}) for state in ("state", "lastState")]
    return any(ended.get("exitCode") for ended in last)


def _ended(name: str, concern: Concern, container: Mapping[str, Any]) -> Trouble:
    last = container.get("state", {}).get("terminated") or container.get("lastState", {}).get(
        "terminated", {}
    )
    said = _last_line(last.get("message", ""))
    if last.get("reason") == "OOMKilled":
        return Trouble(concern, "OutOfMemory", f"container {name} needed more memory than its limit")
    if concern is Concern.WEIGHTS:
        # The fetching program says its reason as one word before the line for people.
        reason, _, message = said.partition(": ")
        if message and reason.isidentifier():
            return Trouble(concern, reason, message)
        return Trouble(
            concern, "FetchFailed", said or f"the weights could not be fetched (exit code {_code(last)})"
        )
    what = f"container {name} ended with exit code {_code(last)}"
    return Trouble(
        concern,
        "EngineFails" if name == ENGINE_CONTAINER else "ContainerFails",
        f"{what}: {said}" if said else what,
    )


def _code(terminated: Mapping[str, Any]) -> str:
    return str(terminated.get("exitCode", "unknown"))


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return _line(lines[-1]) if lines else ""
