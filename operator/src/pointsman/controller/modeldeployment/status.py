"""The status of a ModelDeployment as the operator writes it: all but `scaling`, the autoscaler's. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pointsman.api import EngineStatus, ModelDeployment, ModelDeploymentStatus, Money, PlacementStatus
from pointsman.api.deployment_verdicts import model_summary
from pointsman.api.modeldeployment_status import AdapterStatus, MetricStatus, PlacementAlternative, PoolStatus
from pointsman.api.verdicts import Verdict, conditions
from pointsman.controller.modeldeployment.observed import Replicas, ready_in_pool
from pointsman.controller.modeldeployment.pinning import commit_of
from pointsman.kube.objects import KubeObject, label_selector
from pointsman.workloads import naming
from pointsman.workloads.rendering import Rendering

_ALTERNATIVES = 16
"""As many as the API keeps."""


def hosted_status(deployment: ModelDeployment, verdicts: Sequence[Verdict], now: str) -> Mapping[str, Any]:
    """The status of a provider's model."""
    hosted = deployment.spec.hosted
    assert hosted is not None
    return _document(
        ModelDeploymentStatus(
            observed_generation=deployment.metadata.generation,
            model=model_summary(deployment),
            engine=EngineStatus(name=str(hosted.provider)),
            conditions=conditions(
                verdicts, deployment.status.conditions, deployment.metadata.generation, now
            ),
        )
    )


def own_status(
    deployment: ModelDeployment,
    rendering: Rendering | None,
    split: Mapping[str, int],
    replicas: Replicas,
    pods: Sequence[KubeObject],
    verdicts: Sequence[Verdict],
    now: str,
    metrics: tuple[MetricStatus, ...] = (),
    adapters: tuple[AdapterStatus, ...] = (),
) -> Mapping[str, Any]:
    """The status of a model of our own; `split` is how many replicas each pool should have."""
    engine = deployment.spec.engine
    assert engine is not None
    commit = commit_of(rendering) if rendering is not None else None
    return _document(
        ModelDeploymentStatus(
            observed_generation=deployment.metadata.generation,
            replicas=sum(split.values()) if rendering else replicas.there,
            ready_replicas=replicas.ready,
            selector=label_selector(naming.leaders(deployment)),
            model=model_summary(deployment, commit or ""),
            weights_revision=commit,
            engine=EngineStatus(
                name=str(engine.name), version=rendering.version if rendering else "", metrics=metrics
            ),
            adapters=adapters,
            placement=_placement(rendering),
            pools=_pools(rendering, split, pods),
            cost_per_hour=_cost(rendering, split),
            conditions=conditions(
                verdicts, deployment.status.conditions, deployment.metadata.generation, now
            ),
        )
    )


def _placement(rendering: Rendering | None) -> PlacementStatus | None:
    if rendering is None:
        return None
    placed = rendering.placement
    return PlacementStatus(
        accelerator=placed.accelerator or "cpu",
        accelerators_per_replica=placed.accelerators_per_replica,
        tensor=placed.tensor,
        pipeline=placed.pipeline,
        summary=placed.summary,
        reason=placed.reason,
        alternatives=tuple(
            PlacementAlternative(
                accelerator=one.accelerator,
                accelerators_per_replica=one.accelerators_per_replica,
                reason=one.reason,
            )
            for one in placed.alternatives[:_ALTERNATIVES]
        ),
    )


def _pools(
    rendering: Rendering | None, split: Mapping[str, int], pods: Sequence[KubeObject]
) -> tuple[PoolStatus, ...]:
    if rendering is None:
        return ()
    return tuple(
        PoolStatus(
            name=pool.name,
            accelerator=pool.accelerator or "cpu",
            replicas=split.get(pool.name, 0),
            ready=ready_in_pool(pods, pool.name),
            price_per_hour=_money(pool.price_per_hour),
        )
        for pool in rendering.placement.pools
    )


def _cost(rendering: Rendering | None, split: Mapping[str, int]) -> Money | None:
    if rendering is None:
        return None
    total = Decimal(0)
    for pool in rendering.placement.pools:
        if split.get(pool.name, 0):
            if pool.price_per_hour is None:
                return None
            total += pool.price_per_hour * split[pool.name]
    return _money(total)


def _money(amount: Decimal | None) -> Money | None:
    return None if amount is None else Money(format(amount.normalize(), "f"))


def _document(status: ModelDeploymentStatus) -> Mapping[str, Any]:
    return {name: value for name, value in status.to_document().items() if name != "scaling"}
