"""What a pod's status says of what keeps it from serving, in lines that do not move by themselves."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from pointsman.controller.modeldeployment.pod_trouble import Concern, Trouble, pod_trouble


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **status: Any) -> dict[str, Any]:
    return {"status": {"containerStatuses": list(containers), "initContainerStatuses": list(init), **status}}


def container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "image": "engines/vllm:v0.33.0", **state}


def waiting(name: str, reason: str, message: str = "") -> dict[str, Any]:
    return container(name, state={"waiting": {"reason": reason, "message": message}})


def crashed(name: str, code: int, said: str = "", reason: str = "Error") -> dict[str, Any]:
    return container(
        name,
        state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 2m40s restarting"}},
        lastState={"terminated": {"exitCode": code, "message": said, "reason": reason}},
    )


def unschedulable(message: str) -> dict[str, Any]:
    return pod(
        conditions=[
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        ]
    )


def leaving(pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}


NOT_READY = {"type": "Ready", "status": "False"}
CONTAINERS_READY = {"type": "ContainersReady", "status": "True"}


def on_a_silent_node(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {**pod(conditions=[NOT_READY, CONTAINERS_READY, *conditions]), "spec": {"nodeName": "a"}}


@dataclass(frozen=True)
class Case:
    pods: list[dict[str, Any]]
    want: Trouble | None
    resources: dict[str, str] = field(default_factory=lambda: {"nvidia.com/gpu": "2 × L40S"})


CASES = {
    "no pods: no trouble": Case([], None),
    "a pod that starts takes its time": Case([pod(waiting("engine", "ContainerCreating"))], None),
    "a pod that runs is no trouble": Case([pod(container("engine", state={"running": {}}))], None),
    "no accelerator is free, whatever else the scheduler counts": Case(
        [unschedulable("0/12 nodes are available: 3 Insufficient cpu, 9 Insufficient nvidia.com/gpu.")],
        Trouble(
            Concern.PLACED,
            "NoAcceleratorFree",
            "no node has 2 × L40S free; free some, add nodes, or name other accelerators in"
            " spec.hardware.accelerators",
        ),
    ),
    "a cluster without nodes": Case(
        [unschedulable("no nodes available to schedule pods")],
        Trouble(Concern.PLACED, "NoNode", "the cluster has no node for pods"),
    ),
    "a claim that is missing is named": Case(
        [
            unschedulable(
                '0/3 nodes are available: persistentvolumeclaim "model-weights" not found. preemption: 0/3 '
                "nodes are available: 3 Preemption is not helpful for scheduling."
            )
        ],
        Trouble(
            Concern.PLACED,
            "VolumeNotFound",
            'there is no PersistentVolumeClaim "model-weights" in this namespace; create it',
        ),
    ),
    "an image that does not pull": Case(
        [pod(waiting("engine", "ImagePullBackOff", "Back-off pulling image"))],
        Trouble(
            Concern.PROGRESSING,
            "ImageNotPulled",
            "the image engines/vllm:v0.33.0 of container engine cannot be pulled",
        ),
    ),
    "an image that holds weights and does not pull": Case(
        [
            {
                **pod(waiting("engine", "ImagePullBackOff", 'Back-off pulling image "models/qwen:1"')),
                "spec": {"volumes": [{"name": "tmp"}, {"image": {"reference": "models/qwen:1"}}]},
            }
        ],
        Trouble(
            Concern.WEIGHTS,
            "ImageNotPulled",
            "the image models/qwen:1, which holds weights, cannot be pulled",
        ),
    ),
    "an engine that ends: its last line is the cause": Case(
        [pod(crashed("engine", 1, "Traceback …\nValueError: no such quantization\n\n"))],
        Trouble(
            Concern.PROGRESSING,
            "EngineFails",
            "container engine ended with exit code 1: ValueError: no such quantization",
        ),
    ),
    "an engine that runs again after it ended has not mended by that": Case(
        [
            pod(
                container(
                    "engine",
                    ready=False,
                    state={"running": {}},
                    lastState={"terminated": {"exitCode": 1, "message": "no such file"}},
                )
            )
        ],
        Trouble(Concern.PROGRESSING, "EngineFails", "container engine ended with exit code 1: no such file"),
    ),
    "an engine that serves has mended": Case(
        [
            pod(
                container(
                    "engine",
                    ready=True,
                    state={"running": {}},
                    lastState={"terminated": {"exitCode": 1, "message": "no such file"}},
                )
            )
        ],
        None,
    ),
    "an engine that needs too much memory": Case(
        [pod(crashed("engine", 137, reason="OOMKilled"))],
        Trouble(Concern.PROGRESSING, "OutOfMemory", "container engine needed more memory than its limit"),
    ),
    "weights that cannot be fetched say why in a word and a line": Case(
        [pod(init=(crashed("weights", 1, "RevisionNotFound: hf://a/b has no revision 92"),))],
        Trouble(Concern.WEIGHTS, "RevisionNotFound", "hf://a/b has no revision 92"),
    ),
    "weights that fail without a word": Case(
        [pod(init=(crashed("weights", 2),))],
        Trouble(Concern.WEIGHTS, "FetchFailed", "the weights could not be fetched (exit code 2)"),
    ),
    "a Secret that is not there": Case(
        [pod(waiting("engine", "CreateContainerConfigError", 'secret "keys" not found'))],
        Trouble(
            Concern.PROGRESSING, "CreateContainerConfigError", 'container engine: secret "keys" not found'
        ),
    ),
    "an evicted pod's containers ended for that": Case(
        [
            pod(
                crashed("engine", 137),
                phase="Failed",
                reason="Evicted",
                message="The node was low on memory.",
            )
        ],
        Trouble(Concern.PROGRESSING, "Evicted", "a pod was evicted: The node was low on memory."),
    ),
    "an engine that ends because its pod is to": Case([leaving(pod(crashed("engine", 143)))], None),
    "a node that is silent": Case(
        [on_a_silent_node()],
        Trouble(Concern.PROGRESSING, "NodeLost", "node a, which has a pod, does not answer"),
    ),
    "a node that is given up": Case(
        [leaving(on_a_silent_node({"type": "DisruptionTarget", "reason": "DeletionByTaintManager"}))],
        Trouble(Concern.PROGRESSING, "NodeLost", "node a, which has a pod, does not answer"),
    ),
    "a gate of somebody else's is closed": Case(
        [pod(conditions=[{**NOT_READY, "reason": "ReadinessGatesNotReady"}, CONTAINERS_READY])], None
    ),
    "an eviction": Case(
        [pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")],
        Trouble(Concern.PROGRESSING, "Evicted", "a pod was evicted: The node was low on resource: memory."),
    ),
    "the earliest step of several is named": Case(
        [pod(crashed("engine", 1)), pod(init=(crashed("weights", 2),))],
        Trouble(Concern.WEIGHTS, "FetchFailed", "the weights could not be fetched (exit code 2)"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_trouble(case: Case) -> None:
    assert pod_trouble(case.pods, case.resources) == case.want
    assert pod_trouble(reversed(case.pods), case.resources) == case.want


def test_the_line_does_not_change_with_the_number_of_nodes() -> None:
    said = {
        pod_trouble([unschedulable(f"0/{n} nodes are available: {n} Insufficient memory.")], {})
        for n in (3, 30)
    }
    assert len(said) == 1


def test_what_became_of_former_pods_is_over_once_all_replicas_serve() -> None:
    evicted = pod(phase="Failed", reason="Evicted", message="The node was low on memory.")
    gone = leaving(on_a_silent_node({"type": "DisruptionTarget", "reason": "DeletionByTaintManager"}))
    assert pod_trouble([evicted, gone], {}) is not None
    assert pod_trouble([evicted, gone], {}, settled=True) is None
    assert pod_trouble([on_a_silent_node()], {}, settled=True) is not None
