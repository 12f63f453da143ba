"""Which rendering holds now: the frozen one while it is good, a new one when the spec asks for it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pointsman.api import ModelDeployment
from pointsman.api.findings import Finding
from pointsman.controller.modeldeployment.pinning import (
    Question,
    WeightsRevision,
    chosen,
    movable,
    to_ask,
    with_later,
)
from pointsman.controller.modeldeployment.pod_trouble import lacks
from pointsman.controller.modeldeployment.snapshot import Platform, Snapshot
from pointsman.errors import PointsmanError
from pointsman.kube.objects import LEADER_WORKER_SET, KubeObject, controller_of, labels_of, uid_of
from pointsman.placement import NotPlaced, Pool, place
from pointsman.workloads import freeze, naming
from pointsman.workloads.adapters import with_adapters
from pointsman.workloads.rendering import PoolRendering, Rendering
from pointsman.workloads.revision import (
    Renewal,
    controller_revision,
    frozen_rendering,
    renewal,
    revision_name,
)

_KEPT = 5
"""Renderings that are kept: enough to see in `kubectl get controllerrevisions` what went before."""

_AT_HAND = 256
"""Renderings that are held as they were read, some 40 KB each: those looked at within a moment, as a pod of
theirs starts."""


class _Revision:
    """A ControllerRevision by its uid: its data never changes, and reading it is most of a look's work."""

    def __init__(self, obj: KubeObject) -> None:
        self.obj = obj
        self._uid = uid_of(obj)

    def __hash__(self) -> int:
        return hash(self._uid)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Revision) and self._uid == other._uid


@lru_cache(maxsize=_AT_HAND)
def _read(revision: _Revision) -> Rendering:
    """The rendering that it keeps. Raises PointsmanError."""
    rendering = frozen_rendering(revision.obj)
    revision.obj = {}  # it stays as a key of what is remembered, where its uid is enough
    return rendering


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no rendering could be made, or read: one word for programs, one line for people."""

    concern: str
    """The condition that says it: Placed or Progressing."""
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """`rendering` is what the children are made from. `unwritten` is the object to keep it, none where it
    is there already; `history` are those that stay, the current one among them. `refusal` says why the
    spec as it stands now is not what runs.
    """

    rendering: Rendering
    unwritten: tuple[KubeObject, ...] = ()
    history: tuple[KubeObject, ...] = ()
    refusal: Refusal | None = None


def frozen(snapshot: Snapshot, findings: Sequence[Finding]) -> Frozen | Refusal:
    """The rendering that holds for a deployment of our own; a Refusal alone where there is none.

    `findings` are what is wrong with the spec.
    """
    deployment = snapshot.deployment
    kept = sorted(snapshot.revisions, key=_number)
    try:
        current = _read(_Revision(kept[-1])) if kept else None
    except PointsmanError as error:
        # What runs goes on as it is: nothing may move because it cannot be read.
        return Refusal("Progressing", "RevisionUnreadable", str(error))
    made = _renewed(snapshot, current, findings)
    if isinstance(made, Rendering):
        made = _without_groups(snapshot.platform, made) or made
    if isinstance(made, Refusal):
        return made if current is None else _kept(deployment, current, kept, made)
    if current is not None and (made is current or revision_name(deployment, made) == _name(kept[-1])):
        return _kept(deployment, current, kept, None)
    written = controller_revision(deployment, made, _number(kept[-1]) + 1 if kept else 1)
    former = [one for one in kept if _is_ours(one, deployment) and _name(one) != _name(written)]
    return Frozen(made, (written,), (*former[-(_KEPT - 1) :], written))


def _without_own_pods(snapshot: Snapshot) -> Platform:
    """The platform as it is once what runs has made room: else a changed spec would move to other devices."""
    platform = snapshot.platform
    return replace(platform, inventory=platform.inventory.without(snapshot.pods))


def _kept(
    deployment: ModelDeployment,
    current: Rendering,
    kept: Sequence[KubeObject],
    refusal: Refusal | None,
) -> Frozen:
    """The newest rendering holds. What it is kept in is immutable and written again only to be adopted."""
    newest = kept[-1]
    former = [one for one in kept[:-1] if _is_ours(one, deployment)]
    unwritten: tuple[KubeObject, ...] = ()
    if not _is_ours(newest, deployment):
        adopted = controller_revision(deployment, current, _number(newest))
        unwritten = ({**adopted, "data": newest.get("data")},)
    return Frozen(current, unwritten, (*former[-(_KEPT - 1) :], newest), refusal)


def _is_ours(revision: KubeObject, deployment: ModelDeployment) -> bool:
    return controller_of(revision) == deployment.metadata.uid


def _name(revision: KubeObject) -> str:
    return str(revision["metadata"]["name"])


def to_pin(snapshot: Snapshot) -> Question | None:
    """The name of weights to look up; None where there is nothing to look up."""
    deployment = snapshot.deployment
    if movable(deployment) is None:
        return None
    kept = sorted(snapshot.revisions, key=_number)
    try:
        current = _read(_Revision(kept[-1])) if kept else None
    except PointsmanError:
        return None
    name = to_ask(deployment, current)
    if name is None:
        return None
    return Question(name, is_urgent=_why(deployment, current, snapshot.platform) is not None)


def _why(deployment: ModelDeployment, current: Rendering | None, platform: Platform) -> Renewal | None:
    feasible = current is None or _is_feasible(current, platform)
    return renewal(deployment, current, feasible=feasible)


def _renewed(
    snapshot: Snapshot, current: Rendering | None, findings: Sequence[Finding]
) -> Rendering | Refusal:
    """The current rendering while it is good, a new one where the spec asks for it and can have it."""
    errors = [finding for finding in findings if finding.is_error]
    if errors:
        first = errors[0]
        message = f"{first.path}: {first.what}; {first.todo}" if first.todo else f"{first.path}: {first.what}"
        return Refusal("Progressing", "InvalidSpec", message)
    deployment, pin = snapshot.deployment, snapshot.pin
    why = _why(deployment, current, snapshot.platform)
    if current is not None and why is None:
        return with_adapters(with_later(current, movable(deployment), pin), deployment)
    assert deployment.spec.model is not None
    weights = chosen(deployment.spec.model, movable(deployment), current, pin)
    return _made(deployment, _without_own_pods(snapshot), weights)


def _made(deployment: ModelDeployment, platform: Platform, weights: WeightsRevision) -> Rendering | Refusal:
    placed = place(deployment, platform.fleet, platform.catalog, platform.inventory)
    if isinstance(placed, NotPlaced):
        return Refusal("Placed", "DoesNotFit", str(placed))
    try:
        return freeze(
            deployment,
            placed,
            platform.catalog,
            platform.images,
            fleet=platform.fleet,
            surroundings=platform.surroundings,
            weights_revision=weights.revision,
            weights_name=weights.name,
        )
    except PointsmanError as error:
        return Refusal("Progressing", "NotRendered", str(error))


def _without_groups(platform: Platform, made: Rendering) -> Refusal | None:
    """Why a rendering cannot be brought about here that has several nodes to a replica."""
    if platform.surroundings.leader_worker_sets or not any(pool.nodes > 1 for pool in made.pools):
        return None
    return Refusal(
        "Placed",
        "LeaderWorkerSetMissing",
        "spec.hardware.nodes: several nodes of one replica are a LeaderWorkerSet, and this cluster has no"
        f" {LEADER_WORKER_SET.resource}; install https://github.com/kubernetes-sigs/lws, or write 1",
    )


def _is_feasible(current: Rendering, platform: Platform) -> bool:
    """Whether the accelerators of a frozen placement are still of the fleet, as far as its settings say.

    Nodes alone do not count: those of an empty node group come back when a pod asks for them.
    """
    if not platform.fleet.accelerators:
        return True
    known = {accelerator.name for accelerator in platform.fleet.accelerators}
    return all(not pool.accelerator or pool.accelerator in known for pool in current.placement.pools)


def surging_pools(
    workloads: Sequence[KubeObject], rendering: Rendering, snapshot: Snapshot
) -> frozenset[str]:
    """Pools that may surge: decided when a rollout begins, by what is free then, and kept while it lasts, or
    until somebody else takes what was free.
    """
    by_pool = {labels_of(one).get(naming.POOL, ""): one for one in workloads}
    surging = set()
    for pool in rendering.pools:
        live = by_pool.get(pool.name)
        if live is not None and labels_of(live).get(naming.REVISION) == pool.revision:
            if _surges(live) and not _is_outrun(pool, rendering, snapshot):
                surging.add(pool.name)
        elif _has_spare(pool.name, rendering, snapshot):
            surging.add(pool.name)
    return frozenset(surging)


def _surges(live: KubeObject) -> bool:
    spec = live.get("spec", {})
    steps = spec.get("strategy", {}).get("rollingUpdate") or spec.get("rolloutStrategy", {}).get(
        "rollingUpdateConfiguration", {}
    )
    return bool(steps.get("maxSurge") == 1)


def _is_outrun(pool: PoolRendering, rendering: Rendering, snapshot: Snapshot) -> bool:
    """Whether the one replica more of a rollout finds no accelerator while former ones hold theirs: it would
    wait for ever.
    """
    placed = _placed(pool.name, rendering)
    ours = [pod for pod in snapshot.pods if labels_of(pod).get(naming.POOL) == pool.name]
    now = [pod for pod in ours if labels_of(pod).get(naming.REVISION) == pool.revision]
    return placed is not None and len(now) < len(ours) and any(lacks(pod, placed.resource) for pod in now)


def _placed(pool: str, rendering: Rendering) -> Pool | None:
    return next((one for one in rendering.placement.pools if one.name == pool), None)


def _has_spare(pool: str, rendering: Rendering, snapshot: Snapshot) -> bool:
    placed = _placed(pool, rendering)
    if placed is None or not placed.accelerator:
        return False
    entry = snapshot.platform.inventory.accelerators.get(placed.accelerator)
    nodes = rendering.placement.nodes
    return entry is not None and entry.has_room(1, placed.accelerators_per_replica, nodes)


def _number(revision: KubeObject) -> int:
    return int(revision.get("revision") or 0)
