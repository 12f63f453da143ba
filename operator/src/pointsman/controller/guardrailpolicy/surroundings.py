"""What is beside an object for rules in the background, out of what the operator follows anyway."""

from collections.abc import Iterator
from typing import Protocol

from pointsman.api import ObjectKey
from pointsman.controller.children import Children
from pointsman.kube.objects import (
    MODEL_DEPLOYMENT,
    MODEL_ROUTE,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    Kind,
    KubeObject,
)
from pointsman.policy.background import Beside, named_deployments


class Deployments(Protocol):
    """Every ModelDeployment, by key."""

    def __iter__(self) -> Iterator[ObjectKey]: ...

    def get(self, key: ObjectKey) -> KubeObject | None: ...


class Surroundings:
    def __init__(self, deployments: Deployments, children: Children) -> None:
        self._deployments = deployments
        self._children = children

    def of(self, kind: Kind, key: ObjectKey, live: KubeObject) -> Beside:
        """What is beside an object, or in a namespace, now."""
        if kind == MODEL_DEPLOYMENT:
            return Beside(
                network_policies=self._children.of(key, (NETWORK_POLICY,)),
                disruption_budgets=self._children.of(key, (POD_DISRUPTION_BUDGET,)),
            )
        if kind == MODEL_ROUTE:
            keys: Iterator[ObjectKey] = iter(named_deployments(live))
        else:
            keys = (one for one in self._deployments if one.namespace == key.name)
        found = (self._deployments.get(one) for one in keys)
        return Beside(deployments=tuple(one for one in found if one is not None))
