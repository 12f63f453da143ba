"""The pod template of a pool: containers, volumes, nodes, and what the platform lays over it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pointsman.api import ModelDeployment
from pointsman.api.podoverlay import PodOverlay, ResourceRequirements
from pointsman.catalog import LaunchCondition
from pointsman.workloads import adapters, containers, files, naming
from pointsman.workloads.engine import ChosenEngine, drain_seconds, own
from pointsman.workloads.launching import Start
from pointsman.workloads.resources import engine_resources, memory_quantity
from pointsman.workloads.scheduling import Nodes, affinity, distinct, held_to, spread, toleration_document
from pointsman.workloads.surroundings import Images, Surroundings
from pointsman.workloads.weights import Supply

USER: Final = 1000
"""Whom every container runs as; our own image and the engines' need no entry for it."""

OVERLAY_MOUNT: Final = "/mnt"
"""Volumes of the overlay are mounted below it, by their names."""

# From the end of the drain to the last container's end, beside the engine's own stop: requests in both
# directions, and the agent after the engine.
_GRACE_SECONDS = 15
_KUEUE = "kueue.x-k8s.io/"
_SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
_DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"


@dataclass(frozen=True)
class PodPlan:
    """What tells the pods of one pool from those of another."""

    pool: str
    nodes: Nodes
    resource: str
    """The extended resource of its devices, "" for none."""
    devices: int
    """Of one pod."""
    memory_bytes: int
    """What the engine needs in main memory."""
    startup_seconds: int
    spans_nodes: bool


@dataclass(frozen=True)
class PodParts:
    """What all pods of a deployment are made from."""

    deployment: ModelDeployment
    chosen: ChosenEngine
    supply: Supply
    texts: Mapping[str, str]
    """Files of the ConfigMap."""
    images: Images
    surroundings: Surroundings
    live_adapters: bool = False
    """Whether the agent loads adapters while the pod runs."""

    @property
    def overlay(self) -> PodOverlay:
        return self.deployment.spec.template or PodOverlay()


def template(parts: PodParts, plan: PodPlan, start: Start) -> dict[str, Any]:
    """A PodTemplateSpec; every value of it is frozen with the rendering."""
    works = LaunchCondition.WORKER in start.conditions
    volumes = _volumes(parts)
    return {
        "metadata": {
            "labels": {
                **pod_labels(parts.overlay),
                **naming.object_labels(parts.deployment, parts.chosen.facts.name.value),
                naming.POOL: plan.pool,
                naming.ROLE: naming.WORKER if works else naming.LEADER,
                **({naming.ADAPTERS: "live"} if parts.live_adapters else {}),
            },
            "annotations": _annotations(parts, plan, volumes),
        },
        "spec": _spec(parts, plan, start, volumes, works=works),
    }


def pod_labels(overlay: PodOverlay) -> dict[str, str]:
    """Kueue's queue stays on the workload: on a Deployment's pods it would be counted twice."""
    return {key: value for key, value in overlay.labels.items() if not key.startswith(_KUEUE)}


def workload_labels(overlay: PodOverlay) -> dict[str, str]:
    return {key: value for key, value in overlay.labels.items() if key.startswith(_KUEUE)}


def _spec(
    parts: PodParts, plan: PodPlan, start: Start, volumes: Sequence[Mapping[str, Any]], *, works: bool
) -> dict[str, Any]:
    deployment, chosen, overlay = parts.deployment, parts.chosen, parts.overlay
    asked = engine_resources(plan.resource, plan.devices, plan.memory_bytes)
    engine = containers.engine(
        deployment,
        chosen,
        start,
        plan.startup_seconds,
        _overlaid(asked, overlay.resources),
        _mounts(parts),
        parts.surroundings.proxy,
    )
    replicas = {**naming.pool_selector(deployment, plan.pool), naming.ROLE: naming.LEADER}
    stated = [toleration_document(one) for one in overlay.tolerations]
    spec: dict[str, Any] = {
        "initContainers": _before(parts, works=works),
        "containers": [engine],
        "volumes": list(volumes),
        "affinity": affinity(held_to(plan.nodes, overlay.node_selector), overlay.affinity),
        "automountServiceAccountToken": False,
        # A Service of the namespace that is called like an engine would set its variables.
        "enableServiceLinks": False,
        "imagePullSecrets": [{"name": secret.name} for secret in overlay.image_pull_secrets],
        "nodeSelector": {**overlay.node_selector, **plan.nodes.selector},
        "priorityClassName": overlay.priority_class_name,
        "runtimeClassName": overlay.runtime_class_name,
        "securityContext": {
            "fsGroup": USER,
            # The store of weights may hold a terabyte: it is not walked at every start.
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsGroup": USER,
            "runAsNonRoot": True,
            "runAsUser": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": overlay.service_account_name,
        "terminationGracePeriodSeconds": (
            drain_seconds(deployment) + chosen.facts.shutdown.stop_seconds + _GRACE_SECONDS
        ),
        "tolerations": distinct([*plan.nodes.tolerations, *stated]),
        "topologySpreadConstraints": [] if works else spread(replicas, group=plan.spans_nodes),
    }
    return {key: value for key, value in spec.items() if value not in (None, [], {})}


def _before(parts: PodParts, *, works: bool) -> list[dict[str, Any]]:
    """What starts before the engine: the download, then the agent, which stays."""
    model, _ = own(parts.deployment)
    found: list[dict[str, Any]] = []
    secret = model.credentials.secret_ref if model.credentials is not None else None
    proxy = parts.surroundings.proxy
    if parts.supply.downloads:
        found.append(containers.weights(parts.supply, parts.images.agent, secret, proxy))
    if not works:
        agent = containers.agent(parts.deployment, parts.chosen, parts.images.agent)
        found.append(containers.loading(agent, model.source, secret, proxy) if parts.live_adapters else agent)
    return found


def _volumes(parts: PodParts) -> list[dict[str, Any]]:
    memory = parts.chosen.facts.launch.shared_memory_mebibytes
    shared = {"medium": "Memory", "sizeLimit": memory_quantity(memory)}
    config_map = naming.base_name(parts.deployment.metadata.name)
    return [
        {"name": "cache", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        *([{"name": "shm", "emptyDir": shared}] if memory else []),
        *parts.supply.volumes,
        *files.volumes(config_map, parts.texts, parts.deployment.served_names[0]),
        *([adapters.volume(parts.deployment)] if parts.live_adapters else []),
        *parts.overlay.volumes,
    ]


def _mounts(parts: PodParts) -> list[dict[str, Any]]:
    memory = parts.chosen.facts.launch.shared_memory_mebibytes
    names = [volume["name"] for volume in parts.overlay.volumes]
    return [
        {"name": "cache", "mountPath": "/cache"},
        {"name": "tmp", "mountPath": "/tmp"},
        *([{"name": "shm", "mountPath": "/dev/shm"}] if memory else []),
        *parts.supply.mounts,
        *files.mounts(parts.texts),
        *({"name": name, "mountPath": f"{OVERLAY_MOUNT}/{name}"} for name in names),
    ]


def _annotations(parts: PodParts, plan: PodPlan, volumes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    scratch = ",".join(volume["name"] for volume in volumes if "emptyDir" in volume)
    # Loading is paid for in minutes of a device: it is not interrupted to save a node. Later it may be, or
    # nodes could never be renewed.
    minutes = -(-plan.startup_seconds // 60)
    return {
        "kubectl.kubernetes.io/default-container": containers.ENGINE,
        _SAFE_TO_EVICT: scratch,
        _DO_NOT_DISRUPT: f"{minutes}m",
        **parts.overlay.annotations,
        **({naming.FILES: files.digest(parts.texts)} if parts.texts else {}),
    }


def _overlaid(ours: Mapping[str, Any], stated: ResourceRequirements | None) -> dict[str, Any]:
    if stated is None:
        return dict(ours)
    merged = {
        "requests": {
            **ours.get("requests", {}),
            **{key: str(value) for key, value in stated.requests.items()},
        },
        "limits": {**ours.get("limits", {}), **{key: str(value) for key, value in stated.limits.items()}},
    }
    return {key: value for key, value in merged.items() if value}
