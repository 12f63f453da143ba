"""From a frozen rendering to Kubernetes objects: same input, same bytes, and pods as they were frozen."""

from collections.abc import Mapping
from typing import Any

from pointsman.api import API_VERSION, ModelDeployment
from pointsman.workloads import adapters, naming, network
from pointsman.workloads.rendering import PoolRendering, Rendering
from pointsman.workloads.surroundings import Surroundings

Object = dict[str, Any]

_LWS = "leaderworkerset.x-k8s.io/v1"
# Enough to look back one step; the rendering itself is in ControllerRevisions.
_KEPT_REPLICA_SETS = 2


def render(
    deployment: ModelDeployment,
    rendering: Rendering,
    replicas: Mapping[str, int],
    surroundings: Surroundings | None = None,
) -> tuple[Object, ...]:
    """Every object of a deployment, what others need first. `replicas` counts by pool, groups where a replica
    spans nodes; a pool that is not named has none.
    """
    around = surroundings or Surroundings()
    nodes = max((pool.nodes for pool in rendering.pools), default=1)
    bare = [
        *_config_maps(rendering),
        *([adapters.config_map(deployment, rendering)] if rendering.adapters else []),
        network.service(deployment),
        network.network_policy(deployment, around, spans_nodes=nodes > 1),
        *([network.disruption_budget(deployment)] if nodes > 1 or sum(replicas.values()) > 1 else []),
        *([network.pod_monitor(deployment)] if around.pod_monitors else []),
        *(
            _workload(deployment, rendering, pool, replicas.get(pool.name, 0), around)
            for pool in rendering.pools
        ),
    ]
    return tuple(_completed(deployment, rendering, one) for one in bare)


def _completed(deployment: ModelDeployment, rendering: Rendering, bare: Object) -> Object:
    """With what all objects have: a name, a namespace, labels and their owner."""
    stated = bare["metadata"]
    metadata: Object = {
        "name": stated.get("name", naming.base_name(deployment.metadata.name)),
        "namespace": deployment.metadata.namespace,
        "labels": {
            **naming.object_labels(deployment, rendering.engine),
            **stated.get("labels", {}),
        },
    }
    if "annotations" in stated:
        metadata["annotations"] = stated["annotations"]
    if deployment.metadata.uid:
        metadata["ownerReferences"] = [owner_reference(deployment)]
    return {**bare, "metadata": metadata}


def owner_reference(deployment: ModelDeployment) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": deployment.kind,
        "name": deployment.metadata.name,
        "uid": deployment.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _config_maps(rendering: Rendering) -> list[Object]:
    if not rendering.files:
        return []
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": dict(rendering.files)}]


def _workload(
    deployment: ModelDeployment,
    rendering: Rendering,
    pool: PoolRendering,
    replicas: int,
    around: Surroundings,
) -> Object:
    group = pool.worker_template is not None
    metadata = {
        "name": naming.workload_name(deployment.metadata.name, pool.name, group=group),
        "labels": {**rendering.workload_labels, naming.POOL: pool.name, naming.REVISION: pool.revision},
    }
    surges = pool.name in around.spare or not pool.on_accelerator
    if group:
        return _group(metadata, pool, replicas, surges)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": _KEPT_REPLICA_SETS,
            "progressDeadlineSeconds": pool.progress_deadline_seconds,
            "selector": {"matchLabels": naming.pool_selector(deployment, pool.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": _steps(surges)},
            "template": _template(pool.template, pool),
        },
    }


def _group(metadata: Object, pool: PoolRendering, replicas: int, surges: bool) -> Object:
    return {
        "apiVersion": _LWS,
        "kind": "LeaderWorkerSet",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            # LeaderReady would wait for ever: a leader is ready only once its workers have joined.
            "startupPolicy": "LeaderCreated",
            "rolloutStrategy": {"type": "RollingUpdate", "rollingUpdateConfiguration": _steps(surges)},
            "leaderWorkerTemplate": {
                "size": pool.nodes,
                # Not on any restart: members that still pull or download would be recreated for ever.
                "restartPolicy": "RecreateGroupAfterStart",
                "leaderTemplate": _template(pool.template, pool),
                "workerTemplate": _template(pool.worker_template or {}, pool),
            },
        },
    }


def _steps(surges: bool) -> Object:
    """With no device to spare a surge would wait for one that never comes free."""
    return {"maxSurge": 1, "maxUnavailable": 0} if surges else {"maxSurge": 0, "maxUnavailable": 1}


def _template(frozen: Mapping[str, Any], pool: PoolRendering) -> Object:
    metadata = frozen["metadata"]
    labels = {**metadata["labels"], naming.REVISION: pool.revision}
    return {"metadata": {**metadata, "labels": labels}, "spec": frozen["spec"]}
