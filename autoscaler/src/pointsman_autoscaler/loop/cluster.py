"""What the API server tells of deployments that are scaled: specs, placements and pods; and of gateways."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from pointsman.addresses import Address
from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.modeldeployment_status import ScalingState
from pointsman.api.scaling import ScalingMode
from pointsman.catalog import Catalog
from pointsman.errors import PointsmanError
from pointsman.kube.difference import keep_own_fields
from pointsman.kube.gateways import addresses_in
from pointsman.kube.informer import Informer, Listener
from pointsman.kube.objects import (
    CONTROLLER_REVISION,
    MODEL_DEPLOYMENT,
    POD,
    KubeObject,
    key_of,
    label_selector,
    labels_of,
    uid_of,
)
from pointsman.kube.ports import Reader, Selection
from pointsman.kube.store import Store
from pointsman.placement import Placement
from pointsman.workloads import frozen_placement
from pointsman.workloads.naming import DEPLOYMENT
from pointsman_autoscaler.loop.replicas import deployment_of, replica_of
from pointsman_autoscaler.loop.settings import AutoscalerSettings
from pointsman_autoscaler.loop.shares import Shares
from pointsman_autoscaler.signals.watched import Replica, Watched
from pointsman_autoscaler.stated import flavours_of
from pointsman_autoscaler.view import Flavour, View

_log = structlog.get_logger("autoscaler")

_POD_PARTS = ("apiVersion", "kind", "metadata")
_POD_STATUS = ("phase", "podIP", "conditions")


@dataclass(frozen=True, slots=True)
class _Known:
    """Of each deployment, whoever scales it."""

    uid: str
    replicas: int


class Cluster:
    """`hurry` is told of a deployment that should be looked at now: it, or one of its replicas, changed."""

    def __init__(
        self,
        reader: Reader,
        settings: AutoscalerSettings,
        catalog: Catalog,
        hurry: Callable[[ObjectKey], None],
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._hurry = hurry
        self._deployments: dict[ObjectKey, ModelDeployment] = {}
        self._known: dict[ObjectKey, _Known] = {}
        self._replicas: dict[ObjectKey, dict[ObjectKey, Replica]] = {}
        self._revisions = Store()
        self._gateways: dict[ObjectKey, frozenset[Address]] = {}
        self._flavours: dict[ObjectKey, tuple[tuple[str, int], dict[str, Flavour]]] = {}
        self._shares = Shares(settings.fleet)
        self.informers = tuple(self._followed(reader))

    async def complete(self) -> None:
        """Wait until every list is."""
        for informer in self.informers:
            await informer.complete(())

    @property
    def is_complete(self) -> bool:
        return all(informer.synced.is_set() for informer in self.informers)

    @property
    def keys(self) -> Sequence[ObjectKey]:
        """Of the deployments that are scaled by us, or advised."""
        return sorted(self._deployments)

    @property
    def gateways(self) -> frozenset[Address]:
        """Where gateways say their metrics."""
        return frozenset().union(*self._gateways.values())

    def deployment(self, key: ObjectKey) -> ModelDeployment | None:
        return self._deployments.get(key)

    def watched(self, key: ObjectKey) -> Watched | None:
        """None for a deployment that is gone, is scaled by somebody else, or is not placed yet."""
        deployment = self._deployments.get(key)
        flavours = {} if deployment is None else self._flavours_of(key, deployment)
        if deployment is None or not flavours:
            return None
        replicas = tuple(self._replicas.get(key, {}).values())
        return Watched(key, flavours, replicas, asked(deployment, tuple(flavours)))

    def shared(self, key: ObjectKey, view: View) -> View:
        """With flavours as large as others leave them just now."""
        return self._shares.shared(key, view)

    def claim(self, key: ObjectKey, replicas: Mapping[str, int]) -> Mapping[str, int]:
        """It was decided on: nobody else plans with it, though it need not be written yet. Gives what of it
        quotas have room for.
        """
        deployment = self._deployments.get(key)
        return self._shares.claim(key, replicas, is_done=deployment is not None and _acts(deployment))

    def _settle(self, key: ObjectKey) -> None:
        """Say anew what one holds."""
        if self._shares.are_none:
            return
        known = self._known.get(key)
        placement = None if known is None else self._placement(known.uid)
        pools = () if placement is None else placement.pools
        deployment = self._deployments.get(key)
        names = tuple(pool.name for pool in pools)
        told: Mapping[str, int] = {}
        if deployment is not None and names:
            told = asked(deployment, names)
        elif known is not None and len(names) == 1:
            told = {names[0]: known.replicas}
        there = Counter(one.flavour for one in self._replicas.get(key, {}).values())
        self._shares.settle(key, pools, {name: max(told.get(name, 0), there[name]) for name in names})

    def _placement(self, uid: str) -> Placement | None:
        newest = self._newest(uid)
        found: Placement | None = None if newest is None else newest["data"]
        return found

    def _newest(self, uid: str) -> KubeObject | None:
        return max(self._revisions.owned_by(uid), key=lambda one: int(one.get("revision") or 0), default=None)

    def _saw_revision(self, before: KubeObject | None, now: KubeObject | None) -> None:
        found = now or before or {}
        self._settle(ObjectKey(key_of(found).namespace, labels_of(found).get(DEPLOYMENT, "")))

    def _followed(self, reader: Reader) -> Iterator[Informer]:
        labelled = label_selector({}, present=(DEPLOYMENT,))
        for namespace in self._settings.namespaces or ("",):
            yield Informer(
                reader, Selection(MODEL_DEPLOYMENT, namespace), self._saw_deployment, keep=_without_managers
            )
            yield Informer(
                reader,
                Selection(CONTROLLER_REVISION, namespace, labels=labelled),
                self._saw_revision,
                store=self._revisions,
                keep=_placement_alone,
            )
            yield Informer(reader, Selection(POD, namespace, labels=labelled), self._saw_pod, keep=_pod_alone)
        gateways = self._settings.gateways
        if gateways is not None:
            yield Informer(reader, gateways, self._gateway_listener(gateways), keep=_without_managers)

    def _saw_deployment(self, before: KubeObject | None, now: KubeObject | None) -> None:
        key = key_of(now or before or {})
        former = self._deployments.pop(key, None)
        found = None if now is None else scaled(now)
        if now is None:
            self._known.pop(key, None)
        else:
            self._known[key] = _Known(uid_of(now), int((now.get("spec") or {}).get("replicas", 1)))
        if found is not None:
            self._deployments[key] = found
        self._settle(key)
        if found is None:
            self._flavours.pop(key, None)
            return
        if former is None or _asks_for_another(former, found):
            self._hurry(key)

    def _saw_pod(self, before: KubeObject | None, now: KubeObject | None) -> None:
        pod = now or before or {}
        owner, name = deployment_of(pod), key_of(pod)
        if owner is None:
            return
        replicas = self._replicas.setdefault(owner, {})
        former = replicas.pop(name, None)
        found = None if now is None else replica_of(now, former)
        if found is not None:
            replicas[name] = found
        if not replicas:
            del self._replicas[owner]
        self._settle(owner)
        if former is not None and former.is_ready and (found is None or not found.is_ready):
            self._hurry(owner)

    def _gateway_listener(self, selection: Selection) -> Listener:
        def hear(before: KubeObject | None, now: KubeObject | None) -> None:
            if now is not None:
                self._gateways[key_of(now)] = addresses_in(now, selection.kind)
            elif before is not None:
                self._gateways.pop(key_of(before), None)

        return hear

    def _flavours_of(self, key: ObjectKey, deployment: ModelDeployment) -> dict[str, Flavour]:
        """By pool, in the order of the placement; worked out anew when the spec or the placement changes."""
        newest = self._newest(deployment.metadata.uid)
        if newest is None:
            return {}
        basis = (uid_of(newest), deployment.metadata.generation)
        known = self._flavours.get(key)
        if known is not None and known[0] == basis:
            return known[1]
        placement: Placement | None = newest["data"]
        found: tuple[Flavour, ...] = ()
        if placement is not None:
            found = flavours_of(deployment, placement, self._settings.fleet, self._catalog)
        flavours = {flavour.name: flavour for flavour in found}
        self._flavours[key] = (basis, flavours)
        return flavours


def _acts(deployment: ModelDeployment) -> bool:
    """Whether what is decided is done."""
    scaling, said = deployment.spec.scaling, deployment.status.scaling
    is_active = scaling is not None and scaling.mode is ScalingMode.ACTIVE
    return is_active and (said is None or said.state != ScalingState.PINNED)


def _asks_for_another(former: ModelDeployment, now: ModelDeployment) -> bool:
    """Whether somebody changed the spec; a number that follows a decision is our own."""
    said = now.status.scaling
    if said is not None and said.for_replicas == now.spec.replicas:
        former_spec = former.spec.model_copy(update={"replicas": now.spec.replicas})
        return former_spec != now.spec
    return former.spec != now.spec


def scaled(live: KubeObject) -> ModelDeployment | None:
    """The deployment; None where somebody else scales it and the status does not say otherwise, or this
    version cannot read it.
    """
    stated: Mapping[str, Any] = (live.get("spec") or {}).get("scaling") or {}
    said = ((live.get("status") or {}).get("scaling") or {}).get("state", "")
    if (not stated or stated.get("mode") == ScalingMode.OFF) and said in ("", ScalingState.OFF):
        return None
    try:
        return ModelDeployment.model_validate(dict(live), extra="ignore")
    except ValidationError:
        return None


def asked(deployment: ModelDeployment, pools: Sequence[str]) -> Mapping[str, int]:
    """What the pools are told to have: by the operator's word, which follows the number that is asked for."""
    if len(pools) == 1:
        return {pools[0]: deployment.spec.replicas}
    told = {pool.name: pool.replicas for pool in deployment.status.pools}
    said = deployment.status.scaling
    if said is not None and said.state != ScalingState.ADVISING:
        decided = {pool.name: pool.replicas for pool in said.pools}
        # The operator follows a split under these conditions alone.
        if said.for_replicas == deployment.spec.replicas == sum(decided.values()) and set(decided) <= set(
            pools
        ):
            told = decided
    return {name: told.get(name, 0) for name in pools}


def _without_managers(obj: KubeObject) -> KubeObject:
    return keep_own_fields(obj, frozenset())


def _placement_alone(revision: KubeObject) -> KubeObject:
    """Renderings are tens of kilobytes, and there are some of each deployment."""
    kept: dict[str, Any] = {name: revision[name] for name in (*_POD_PARTS, "revision") if name in revision}
    try:
        kept["data"] = frozen_placement(revision)
    except PointsmanError as error:
        _log.warning("placement_unreadable", reason=str(error))
        kept["data"] = None
    return _without_managers(kept)


def _pod_alone(pod: KubeObject) -> KubeObject:
    """Without its spec, whose variables are nobody's business here."""
    kept: dict[str, Any] = {name: pod[name] for name in _POD_PARTS if name in pod}
    status = pod.get("status") or {}
    kept["status"] = {name: status[name] for name in _POD_STATUS if name in status}
    return _without_managers(kept)
