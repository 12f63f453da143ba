"""A model of a cluster with several ModelDeployments, on which transitions are played in memory.

It is what 10,000 transitions are tried on; tests/integration/operator plays such transitions on a real API
server too, with the real operator, and compares.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pointsman.controller.installations import INSTALLATION
from pointsman.placement import Inventory
from pointsman.workloads import Images
from tests.support.crds.schema import schema_of, with_defaults
from tests.support.decided_cluster import Cluster
from tests.support.transitions import DEPLOYMENTS, Json, Transition

_SPEC = schema_of("ModelDeployment")["properties"]["spec"]


class World:
    """`deployments` are those that are there; `orphans` what those left that went without their children."""

    def __init__(self, inventory: Inventory) -> None:
        self.deployments: dict[str, Cluster] = {}
        self.orphans: dict[str, Cluster] = {}
        self._inventory = inventory

    def play(self, transition: Transition) -> None:
        """One transition. What a route is and whether the operator is killed means nothing here."""
        name, value = transition.name, transition.value
        there = self.deployments.get(name)
        match transition.act:
            case "write" if name in DEPLOYMENTS:
                self._write(name, value)
            case "scale" if there is not None and _may_scale(there, value):
                self._change(there, {**there.deployment["spec"], "replicas": value})
            case "delete" if there is not None:
                del self.deployments[name]
            case "orphan" if there is not None:
                there.orphan()
                self.orphans[name] = self.deployments.pop(name)
            case "lose" if there is not None:
                for kind, key in tuple(there.children):
                    if kind.kind == value:
                        del there.children[kind, key]
            case "look":
                self.look()

    def look(self) -> None:
        """The operator sees everything, and pods are what workloads ask for."""
        for cluster in self.deployments.values():
            cluster.settle()
            cluster.run_pods()
            cluster.settle()

    def _write(self, name: str, spec: Json) -> None:
        whole = with_defaults(spec, _SPEC)
        if name in self.orphans:
            self.deployments[name] = self.orphans.pop(name)
        if name in self.deployments:
            self._change(self.deployments[name], whole)
        else:
            made = Cluster(_manifest(name, whole), inventory=self._inventory)
            made.images = Images("pointsman:test")  # as the operator is started by tests
            self.deployments[name] = made

    def _change(self, cluster: Cluster, spec: Json) -> None:
        cluster.change({"spec": spec})


def _may_scale(cluster: Cluster, replicas: int) -> bool:
    """A provider's model has one replica, says the definition of the kind."""
    return "hosted" not in cluster.deployment["spec"] or replicas == 1


def _manifest(name: str, spec: Json) -> Json:
    return {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1},
        "spec": copy.deepcopy(spec),
    }


def end_state(world: World) -> Json:
    """Everything that is there and said of it, but for what is another one each time that it is made."""
    return {
        name: {
            "spec": cluster.deployment["spec"],
            "status": normal(cluster.deployment.get("status", {})),
            "children": {
                f"{child['kind']} {child['metadata']['name']}": stated(child)
                for child in holding(cluster.children.values())
            },
        }
        for name, cluster in sorted(world.deployments.items())
    }


def holding(children: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The children that count: of revisions the newest."""
    by_number = sorted(children, key=lambda one: int(one.get("revision", 0)))
    newest = [one for one in by_number if one["kind"] == "ControllerRevision"][-1:]
    return [one for one in by_number if one["kind"] != "ControllerRevision"] + newest


def stated(child: Mapping[str, Any]) -> Json:
    """What is asked of a child, without what it is called and what it says itself."""
    unnamed = {part: value for part, value in child.items() if part not in _NAMING}
    if child["kind"] == "ControllerRevision":
        # Kept as text, of which the order is that of the spec as an API server, or a test, has it.
        unnamed["data"] = {name: json.loads(text) for name, text in unnamed["data"].items()}
    metadata = {part: value for part, value in child["metadata"].items() if part not in _NAMING}
    found: Json = normal({**unnamed, "metadata": metadata})
    return found


_NAMING = frozenset({"apiVersion", "kind", "name", "namespace", "status", "revision"})

PASSING = frozenset(
    {
        "uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "observedGeneration",
        "lastTransitionTime", "clusterIP", "clusterIPs", "deployment.kubernetes.io/revision",
        # Who made it, which a model of the operator has no name for.
        INSTALLATION,
        # How a rollout goes on hangs on what was free when it began.
        "maxSurge", "maxUnavailable",
    }
)  # fmt: skip
"""What an object has that is not the same when it is made a second time."""


def normal(value: Any) -> Any:
    """An object without what is passing, and without the empty lists that apply leaves where items went."""
    if isinstance(value, Mapping):
        stated = {name: normal(member) for name, member in value.items() if name not in PASSING}
        return {name: one for name, one in stated.items() if one != [] and (name, one) != ("annotations", {})}
    return [normal(item) for item in value] if isinstance(value, list | tuple) else value
