"""A pod's status from its containers', as a kubelet computes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.support.cluster.process_node.container_state import ContainerState, Json


@dataclass(frozen=True)
class Ended:
    """Why a whole pod was ended by its node."""

    reason: str
    message: str
    disrupted: bool = False


@dataclass(frozen=True)
class PodPicture:
    """What a status is made of. `conditions` are the pod's present ones, of others too."""

    spec: Json
    generation: int
    conditions: Sequence[Json]
    init: Sequence[ContainerState]
    main: Sequence[ContainerState]
    address: str
    host_address: str
    start_time: str
    now: str
    ended: Ended | None = None
    extra: Json = field(default_factory=dict)


def is_sidecar(container: Mapping[str, object]) -> bool:
    """A native sidecar: an init container that is restarted always."""
    return container.get("restartPolicy") == "Always"


def status(picture: PodPicture) -> Json:
    """The whole status that the node writes."""
    phase = "Failed" if picture.ended else pod_phase(picture)
    found: Json = {
        "phase": phase,
        "observedGeneration": picture.generation,
        "hostIP": picture.host_address,
        "hostIPs": [{"ip": picture.host_address}],
        "startTime": picture.start_time,
        "initContainerStatuses": [_init_status(container, picture.spec) for container in picture.init],
        "containerStatuses": [container.as_json() for container in picture.main],
        "conditions": conditions(picture, phase),
    }
    if picture.address:
        found |= {"podIP": picture.address, "podIPs": [{"ip": picture.address}]}
    if picture.ended:
        found |= {"reason": picture.ended.reason, "message": picture.ended.message}
    return found


def _init_status(container: ContainerState, spec: Json) -> Json:
    """One that is to end is ready when it has ended well; only a sidecar is ready while it runs."""
    if any(is_sidecar(one) for one in spec["initContainers"] if one["name"] == container.name):
        return container.as_json()
    return {**container.as_json(), "ready": container.exit_code == 0}


def pod_phase(picture: PodPicture) -> str:
    """Pending, Running, Succeeded or Failed."""
    policy = picture.spec.get("restartPolicy", "Always")
    specs = {container["name"]: container for container in picture.spec.get("initContainers", ())}
    for container in picture.init:
        if is_sidecar(specs[container.name]):
            if not container.started and not _all_began(picture.main):
                return "Pending"
        elif container.exit_code != 0:
            return "Failed" if container.exit_code is not None and policy == "Never" else "Pending"
    if not _all_began(picture.main):
        return "Pending"
    if any(container.is_running for container in picture.main):
        return "Running"
    codes = [container.exit_code for container in picture.main]
    if policy == "Always" or any(code is None for code in codes):
        return "Running"
    if all(code == 0 for code in codes):
        return "Succeeded"
    return "Running" if policy == "OnFailure" else "Failed"


def _all_began(containers: Sequence[ContainerState]) -> bool:
    """Whether each has run once at least."""
    return all("waiting" not in one.state or one.last_state for one in containers)


def conditions(picture: PodPicture, phase: str) -> list[Json]:
    """The conditions of a kubelet; a transition's time is kept while its status is the same."""
    specs = {container["name"]: container for container in picture.spec.get("initContainers", ())}
    sidecars = [container for container in picture.init if is_sidecar(specs[container.name])]
    incomplete = [
        container.name
        for container in picture.init
        if not (container.started if container in sidecars else container.exit_code == 0)
    ]
    unready = [container.name for container in (*sidecars, *picture.main) if not container.ready]
    done = phase in ("Succeeded", "Failed")
    wanted = [
        _condition("PodReadyToStartContainers", bool(picture.address) and not done),
        _named("Initialized", "ContainersNotInitialized", "incomplete status", incomplete, phase)
        if not _all_began(picture.main)
        else _condition("Initialized", True),
        _named("ContainersReady", "ContainersNotReady", "unready status", unready, phase),
    ]
    wanted.append(_ready(picture, wanted[-1]))
    if picture.ended and picture.ended.disrupted:
        disruption = {"reason": "TerminationByKubelet", "message": picture.ended.message}
        wanted.append({**_condition("DisruptionTarget", True), **disruption})
    present = {condition["type"]: condition for condition in picture.conditions}
    return [_timed(condition, present.get(condition["type"]), picture) for condition in wanted]


def _ready(picture: PodPicture, containers_ready: Json) -> Json:
    gates = [gate["conditionType"] for gate in picture.spec.get("readinessGates", ())]
    met = {condition["type"] for condition in picture.conditions if condition["status"] == "True"}
    closed = [gate for gate in gates if gate not in met]
    if containers_ready["status"] == "True" and closed:
        message = f'the status of pod readiness gate "{closed[0]}" is not "True", but False'
        return {**_condition("Ready", False), "reason": "ReadinessGatesNotReady", "message": message}
    return {**containers_ready, "type": "Ready"}


def _condition(kind: str, met: bool) -> Json:
    return {"type": kind, "status": "True" if met else "False"}


def _named(kind: str, reason: str, words: str, names: Sequence[str], phase: str) -> Json:
    if phase == "Succeeded":
        return {**_condition(kind, kind == "Initialized"), "reason": "PodCompleted"}
    if phase == "Failed" and kind != "Initialized":
        return {**_condition(kind, False), "reason": "PodFailed"}
    if not names:
        return _condition(kind, True)
    message = f"containers with {words}: [{' '.join(names)}]"
    return {**_condition(kind, False), "reason": reason, "message": message}


def _timed(wanted: Json, present: Json | None, picture: PodPicture) -> Json:
    same = present is not None and present["status"] == wanted["status"]
    time = present.get("lastTransitionTime", picture.now) if same and present else picture.now
    return {"reason": None, "message": None, **wanted, "lastTransitionTime": time}
