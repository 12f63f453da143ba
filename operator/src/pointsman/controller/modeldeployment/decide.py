"""The decision on one ModelDeployment: everything that should exist, and what is to be said of it.

Pure, total and deterministic: the same snapshot gives the same plan, and planning on what a plan
made changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pointsman.api import ModelDeployment
from pointsman.api.findings import Finding
from pointsman.api.located import Located
from pointsman.api.support import unsupported
from pointsman.api.verdicts import Verdict
from pointsman.controller.modeldeployment import adapters, engine_metrics, verdicts
from pointsman.controller.modeldeployment.frozen import Frozen, Refusal, frozen, surging_pools
from pointsman.controller.modeldeployment.holding import held as held_replicas
from pointsman.controller.modeldeployment.holding import noted
from pointsman.controller.modeldeployment.observed import observe
from pointsman.controller.modeldeployment.pinning import to_ask
from pointsman.controller.modeldeployment.pod_trouble import pod_trouble
from pointsman.controller.modeldeployment.pools import split
from pointsman.controller.modeldeployment.snapshot import Snapshot
from pointsman.controller.modeldeployment.status import hosted_status, own_status
from pointsman.controller.plan import Announcement, Doomed, Plan
from pointsman.kube.objects import (
    DEPLOYMENT,
    LEADER_WORKER_SET,
    KubeObject,
    is_being_deleted,
    key_of,
    kind_of,
    labels_of,
    uid_of,
)
from pointsman.workloads import naming, refusals
from pointsman.workloads.render import render
from pointsman.workloads.rendering import Rendering

_ASK_AGAIN_SECONDS = 900.0
"""What a name of the hub is, where nobody could say it: nothing waits for it."""
_WORKLOADS = frozenset({DEPLOYMENT, LEADER_WORKER_SET})


def decide(snapshot: Snapshot) -> Plan:
    """What follows from the snapshot."""
    deployment = snapshot.deployment
    if deployment.metadata.deletion_timestamp:
        # Children go with their owner; a status would outlive nobody.
        return Plan()
    if deployment.spec.hosted is not None:
        return _hosted(snapshot)
    return _own(snapshot)


def _hosted(snapshot: Snapshot) -> Plan:
    """Nothing runs here; what ran before the model was hosted goes."""
    said = verdicts.hosted()
    children = (*snapshot.workloads, *snapshot.others, *snapshot.revisions)
    return Plan(
        delete=_doomed(children, keep=()),
        status=_status(snapshot.deployment, hosted_status(snapshot.deployment, said, snapshot.now)),
        announcements=_announced(snapshot.deployment, said),
    )


def _own(snapshot: Snapshot) -> Plan:
    as_it_ran = {} if snapshot.replicas_written else held_replicas(snapshot.deployment, snapshot.workloads)
    deployment = _wanting(snapshot.deployment, as_it_ran)
    held = frozen(snapshot, _findings(snapshot))
    if isinstance(held, Refusal):
        return _without_rendering(snapshot, held)
    rendering = held.rendering
    pools = [pool.name for pool in rendering.pools]
    replicas = as_it_ran if set(as_it_ran) == set(pools) else split(deployment, pools)
    surging = surging_pools(snapshot.workloads, rendering, snapshot)
    one_by_one = any(pool.on_accelerator and pool.name not in surging for pool in rendering.pools)
    objects = _with_notes(
        render(deployment, rendering, replicas, snapshot.platform.with_spare(surging).surroundings),
        replicas if as_it_ran else {},
    )
    seen = observe(snapshot.workloads, snapshot.pods, rendering.revisions, deployment.spec.replicas)
    shown, metrics = engine_metrics.seen(deployment, rendering, snapshot.reports)
    listed = deployment.status.adapters
    if held.refusal is None:
        # Else what the spec lists is not what runs.
        listed = adapters.seen(deployment, rendering, snapshot.pods, snapshot.reports.adapters)
    said = verdicts.own(
        deployment,
        rendering,
        held.refusal,
        seen,
        pod_trouble(snapshot.pods, _resources(rendering), one_by_one=one_by_one, settled=seen.settled),
        snapshot.contests,
        snapshot.obstacle,
        shown,
        one_by_one=one_by_one,
        holds=bool(as_it_ran),
        adapters=adapters.trouble(listed),
    )
    children = (*snapshot.workloads, *snapshot.others, *snapshot.revisions)
    return Plan(
        # The rendering is kept before anything is made from it: whoever comes next goes on from there.
        apply=(*held.unwritten, *(one for one in objects if _is_served(one, snapshot))),
        delete=_doomed(children, keep=(*held.history, *objects)),
        status=_status(
            deployment,
            own_status(
                deployment, rendering, replicas, seen, snapshot.pods, said, snapshot.now, metrics, listed
            ),
        ),
        announcements=(*_announced(deployment, said), *_not_pinned(snapshot, held)),
        again_after_seconds=None if to_ask(deployment, rendering) is None else _ASK_AGAIN_SECONDS,
    )


def _not_pinned(snapshot: Snapshot, held: Frozen) -> Iterable[Announcement]:
    """Said when a rendering is made without the hub's word: later nobody can tell why."""
    if held.unwritten and snapshot.pin is not None and snapshot.pin.problem:
        said = f"{snapshot.pin.name} was not looked up: {snapshot.pin.problem}"
        yield Announcement("RevisionNotResolved", said, is_warning=True)


def _wanting(deployment: ModelDeployment, as_it_ran: Mapping[str, int]) -> ModelDeployment:
    """The deployment with the number of replicas that is held, where one is."""
    if not as_it_ran:
        return deployment
    spec = deployment.spec.model_copy(update={"replicas": sum(as_it_ran.values())})
    return deployment.model_copy(update={"spec": spec})


def _with_notes(objects: Sequence[KubeObject], held: Mapping[str, int]) -> tuple[KubeObject, ...]:
    """The objects with the number that is held noted at each workload, so that it is known next time."""
    if not held:
        return tuple(objects)
    return tuple(
        noted(one, held[labels_of(one)[naming.POOL]]) if kind_of(one) in _WORKLOADS else one
        for one in objects
    )


def _without_rendering(snapshot: Snapshot, refusal: Refusal) -> Plan:
    """Nothing can be made from the spec and nothing was before, or what was cannot be read: then it stays."""
    deployment = snapshot.deployment
    seen = observe(snapshot.workloads, snapshot.pods, frozenset(), deployment.spec.replicas)
    said = verdicts.own(deployment, None, refusal, seen, None, snapshot.contests, one_by_one=False)
    return Plan(
        status=_status(deployment, own_status(deployment, None, {}, seen, snapshot.pods, said, snapshot.now)),
        announcements=_announced(deployment, said),
    )


def _is_served(wanted: KubeObject, snapshot: Snapshot) -> bool:
    """Whether the API server has the kind: without that of groups, writing one would fail for ever."""
    has_groups = snapshot.platform.surroundings.leader_worker_sets
    return has_groups or kind_of(wanted) != LEADER_WORKER_SET


def _findings(snapshot: Snapshot) -> Sequence[Finding]:
    deployment, platform = snapshot.deployment, snapshot.platform
    return (
        *unsupported(Located(deployment), "cluster"),
        *refusals(deployment, platform.fleet, platform.catalog),
    )


def _resources(rendering: Rendering) -> Mapping[str, str]:
    """Extended resources as people say them: what a pod of the deployment needs of each."""
    return {
        pool.resource: f"{pool.accelerators_per_replica} × {pool.accelerator}"
        for pool in rendering.placement.pools
        if pool.resource
    }


def _doomed(children: Iterable[KubeObject], keep: Iterable[KubeObject]) -> tuple[Doomed, ...]:
    kept = {(kind_of(one), key_of(one)) for one in keep}
    return tuple(
        Doomed(kind_of(child), key_of(child), uid_of(child))
        for child in children
        if (kind_of(child), key_of(child)) not in kept and not is_being_deleted(child)
    )


def _status(deployment: ModelDeployment, status: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "apiVersion": deployment.api_version,
        "kind": deployment.kind,
        "metadata": {"name": deployment.metadata.name, "namespace": deployment.metadata.namespace},
        "status": status,
    }


_CAUSES = frozenset({"Placed", "WeightsAvailable", "Progressing", "MetricsAvailable"})
_PASSING = frozenset({verdicts.FETCHING})


def _announced(deployment: ModelDeployment, said: Sequence[Verdict]) -> tuple[Announcement, ...]:
    """Events for a trouble that came, and for Ready that came: what is only on its way is no event."""
    before = {one.type: (one.status, one.reason) for one in deployment.status.conditions}
    flipped = [one for one in said if before.get(one.type) != (one.status, one.reason)]
    return tuple(
        Announcement.of(one.reason, one.message, is_warning=one.is_bad)
        for one in flipped
        if (one.type in _CAUSES and one.is_bad and one.reason not in _PASSING)
        or (one.type == "Ready" and one.is_good)
    )
