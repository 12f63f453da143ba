"""Which nodes the pods of a pool may run on, and how they spread."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pointsman.api import FleetSettings
from pointsman.api.hardware import Capacity
from pointsman.api.podoverlay import Toleration
from pointsman.catalog import Catalog
from pointsman.placement.devices import setting_of
from pointsman.placement.result import Pool

# Each vendor's node labeller names its products by this label.
_PRODUCT_LABELS: Final = {"nvidia": "nvidia.com/gpu.product", "amd": "amd.com/gpu.product-name"}
# Time slicing adds this to the product.
_SHARED = "-SHARED"
# A slice of a device is named after it; where all devices of a node are cut alike, so is its product.
_SLICE = "-MIG-"

# How clouds and node provisioners mark spot nodes; a node has one of them.
_SPOT_LABELS: Final = {
    "karpenter.sh/capacity-type": "spot",
    "cloud.google.com/gke-spot": "true",
    "eks.amazonaws.com/capacityType": "SPOT",
    "kubernetes.azure.com/scalesetpriority": "spot",
}
_SPOT_TAINTS: Final = ("cloud.google.com/gke-spot", "kubernetes.azure.com/scalesetpriority")

_ZONE = "topology.kubernetes.io/zone"
_HOST = "kubernetes.io/hostname"


@dataclass(frozen=True)
class Nodes:
    """Where pods may go: labels that must match, terms of which one must hold, taints that do not matter."""

    selector: Mapping[str, str] = field(default_factory=dict)
    terms: tuple[Mapping[str, Any], ...] = ()
    tolerations: tuple[Mapping[str, Any], ...] = ()


def nodes_for(pool: Pool, capacity: Capacity | None, fleet: FleetSettings, catalogue: Catalog) -> Nodes:
    """Where a pool's devices are found. `capacity` None: on nodes of any kind."""
    selector: Mapping[str, str] = {}
    terms: list[Mapping[str, Any]] = []
    tolerations: list[Mapping[str, Any]] = []
    if pool.accelerator:
        setting = setting_of(pool.accelerator, fleet)
        tolerations.append({"key": pool.resource, "operator": "Exists"})
        if setting is not None:
            selector = dict(setting.node_selector)
            tolerations += [toleration_document(one) for one in setting.tolerations]
        if not selector:
            terms = _products(pool.accelerator, catalogue)
    if capacity is Capacity.SPOT:
        terms = both(terms, [_term(key, "In", [value]) for key, value in _SPOT_LABELS.items()])
        tolerations += [{"key": key, "operator": "Exists"} for key in _SPOT_TAINTS]
    elif capacity is Capacity.ON_DEMAND:
        elsewhere = [_expression(key, "NotIn", [value]) for key, value in _SPOT_LABELS.items()]
        terms = both(terms, [{"matchExpressions": elsewhere}])
    return Nodes(selector, tuple(terms), tuple(distinct(tolerations)))


def held_to(nodes: Nodes, stated: Mapping[str, str]) -> Nodes:
    """The nodes with what is stated otherwise than their selector has it, where both must hold: a label that
    took the place of the pool's would lead to other devices than those that were placed, counted and allowed.
    """
    against = [
        _expression(key, "In", [value])
        for key, value in sorted(stated.items())
        if nodes.selector.get(key, value) != value
    ]
    return (
        replace(nodes, terms=tuple(both(nodes.terms, [{"matchExpressions": against}]))) if against else nodes
    )


def both(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The node selector terms under which both lists hold: of a list one term must hold, of a term every
    expression. An empty list holds always.
    """
    if not first or not second:
        return [*first, *second]
    return [
        {
            key: [*one.get(key, ()), *other.get(key, ())]
            for key in ("matchExpressions", "matchFields")
            if one.get(key) or other.get(key)
        }
        for one in first
        for other in second
    ]


def affinity(nodes: Nodes, stated: Mapping[str, Any] | None) -> dict[str, Any]:
    """The pod's affinity: the user's own, and of its required terms those that suit the pool as well."""
    found: dict[str, Any] = dict(stated or {})
    if not nodes.terms:
        return found
    node = dict(found.get("nodeAffinity") or {})
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = both(nodes.terms, required.get("nodeSelectorTerms") or [])
    node["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    found["nodeAffinity"] = node
    return found


def spread(labels: Mapping[str, str], *, group: bool) -> list[dict[str, Any]]:
    """Replicas spread over zones and hosts where they can: a rule would keep nodes from being filled."""
    constraints: list[dict[str, Any]] = []
    for key in (_ZONE, _HOST):
        constraint: dict[str, Any] = {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(labels)},
        }
        if not group:
            # Pods of the former revision do not count.
            constraint["matchLabelKeys"] = ["pod-template-hash"]
        constraints.append(constraint)
    return constraints


def distinct(tolerations: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each once, in the order in which they came."""
    found: list[Mapping[str, Any]] = []
    for toleration in tolerations:
        if toleration not in found:
            found.append(toleration)
    return found


def toleration_document(toleration: Toleration) -> dict[str, Any]:
    return toleration.model_dump(mode="json", by_alias=True, exclude_none=True)


def _products(accelerator: str, catalogue: Catalog) -> list[Mapping[str, Any]]:
    """Terms by what nodes say of themselves: the label of the vendor's discovery, or that of a cloud."""
    name, _, profile = accelerator.partition(_SLICE)
    known = catalogue.accelerators.get(name)
    if known is None:
        return []
    terms = [_term(key, "In", values) for key, values in sorted(known.labels.items())]
    label = _PRODUCT_LABELS.get(known.vendor)
    if label is not None and known.products:
        products = [f"{product}{_SLICE}{profile}" for product in known.products] if profile else []
        names = [f"{product}{end}" for product in (*known.products, *products) for end in ("", _SHARED)]
        terms.insert(0, _term(label, "In", names))
    return terms


def _term(key: str, operator: str, values: Sequence[str]) -> Mapping[str, Any]:
    return {"matchExpressions": [_expression(key, operator, values)]}


def _expression(key: str, operator: str, values: Sequence[str]) -> Mapping[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}
