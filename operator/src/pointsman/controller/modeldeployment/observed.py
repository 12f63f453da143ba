"""What the children say of the deployment: how many replicas there are, and of which revision. Pure."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from pointsman.kube.objects import KubeObject, generation_of, is_being_deleted, is_ready, labels_of
from pointsman.workloads import naming

# A name drawn anew at each attempt: what is said of the same trouble must be the same.
_POD_NAME = re.compile(r'^pods "[^"]*" (is )?')


@dataclass(frozen=True, slots=True)
class Replicas:
    """Counted over leaders: a replica that spans nodes is one."""

    there: int
    """Replicas that exist, ready or not, of any revision."""
    ready: int
    ready_of_revision: int
    """Those of the rendering that holds now."""
    leaving: bool
    """Whether one is ending and still holds what it ran on."""
    have_weights: bool
    """Whether a pod of this rendering has its weights: its engine was started at least once."""
    settled: bool
    """Whether every workload has taken its latest spec and runs just that, all of it ready."""
    stuck: bool
    """Whether a rollout has gone past its deadline without progress."""
    refused: str
    """Why pods are not even made, such as a quota; "" where they are."""


def observe(
    workloads: Sequence[KubeObject], pods: Sequence[KubeObject], revisions: Set[str], wanted: int
) -> Replicas:
    """Replicas of a deployment, of which `wanted` should run the rendering whose pods have these labels."""
    leaders = [pod for pod in pods if labels_of(pod).get(naming.ROLE) == naming.LEADER]
    staying = [pod for pod in leaders if not is_being_deleted(pod) and not _has_ended(pod)]
    current = [pod for pod in staying if labels_of(pod).get(naming.REVISION) in revisions]
    ready = [pod for pod in staying if is_ready(pod)]
    ready_now = [pod for pod in current if is_ready(pod)]
    return Replicas(
        there=len(staying),
        ready=len(ready),
        ready_of_revision=len(ready_now),
        leaving=any(is_being_deleted(pod) and not _has_ended(pod) for pod in leaders),
        have_weights=any(_was_started(pod) for pod in current),
        settled=(all(_has_taken_spec(one) for one in workloads) and len(staying) == len(ready_now) == wanted),
        stuck=any(_is_stuck(one) for one in workloads),
        refused=next((why for one in workloads if (why := _why_refused(one))), ""),
    )


def ready_in_pool(pods: Sequence[KubeObject], pool: str) -> int:
    """Replicas of a pool that can answer."""
    return sum(
        is_ready(pod)
        and not is_being_deleted(pod)
        and labels_of(pod).get(naming.ROLE) == naming.LEADER
        and labels_of(pod).get(naming.POOL) == pool
        for pod in pods
    )


def said_by_workload(workload: KubeObject) -> tuple[bool, bool, str]:
    """All that is read of a workload's status."""
    return _has_taken_spec(workload), _is_stuck(workload), _why_refused(workload)


def _has_taken_spec(workload: KubeObject) -> bool:
    """Whether it runs nothing older. One that was never changed has nothing older to run: to wait for its
    controller's word, after its pods are ready, would be one more status written for each model.
    """
    generation = generation_of(workload)
    return generation <= 1 or int(workload.get("status", {}).get("observedGeneration") or 0) >= generation


def _is_stuck(workload: KubeObject) -> bool:
    return any(
        condition.get("type") == "Progressing"
        and condition.get("status") == "False"
        and condition.get("reason") == "ProgressDeadlineExceeded"
        for condition in workload.get("status", {}).get("conditions", ())
    )


def _why_refused(workload: KubeObject) -> str:
    for condition in workload.get("status", {}).get("conditions", ()):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return _POD_NAME.sub("", str(condition.get("message", "")))
    return ""


def _has_ended(pod: KubeObject) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _was_started(pod: KubeObject) -> bool:
    """Whether a container beside the sidecars has run: what fetches weights comes before it."""
    return any(
        "running" in container.get("state", {})
        or "terminated" in container.get("state", {})
        or "terminated" in container.get("lastState", {})
        for container in pod.get("status", {}).get("containerStatuses", ())
    )
