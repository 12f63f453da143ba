"""Which accelerators there are, and how many of them nobody uses: read from nodes.

A node says what it has by labels: those of the fleet settings' `nodeSelector`, of its vendor's discovery, or
of its cloud. Slices (MIG) are resources of their own; a device shared by time slicing counts as its parts.
Where the settings' `nodeSelector` names an accelerator's nodes, other nodes with it are not of the fleet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pointsman.api import FleetSettings, Quantity
from pointsman.catalog import Accelerator, Catalog
from pointsman.placement.devices import MEBIBYTE, device_named, setting_of
from pointsman.placement.identity import Identity
from pointsman.placement.taints import tolerated

KubeObject = Mapping[str, Any]

_PRODUCT_LABELS = ("nvidia.com/gpu.product", "amd.com/gpu.product-name", "beta.amd.com/gpu.product-name")
_MEMORY_LABEL = "nvidia.com/gpu.memory"  # mebibytes
_SHARED_BY_LABEL = "nvidia.com/gpu.replicas"
_SLICE_RESOURCE = "nvidia.com/mig-"
_WHOLE_RESOURCES = ("nvidia.com/gpu", "nvidia.com/gpu.shared")
_SLICE_MARK = "-MIG-"
_ENDED = {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class FreeDevices:
    """Those of one node that takes pods."""

    node: str
    resource: str
    count: int


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """Devices of one kind on all nodes together."""

    total: int
    free: int
    """On nodes that take pods, and not asked for by a pod."""
    memory_bytes: int | None = None
    """Of one device, the smallest that a node shows; None where no node says."""
    per_node: int | None = None
    """Devices of the largest node."""
    resource: str | None = None
    """The extended resource, where nodes offer the device under another than its own."""
    on_nodes: tuple[FreeDevices, ...] = ()
    """Where those that are free are, by node; empty where it is not known."""
    others: int = 0
    """Those that pods of somebody else have: not free, and not of our quota."""

    def has_room(self, replicas: int, devices: int, nodes: int) -> bool:
        """For so many replicas with so many devices each, evenly on so many nodes each: what is free here
        and there is no group.
        """
        if not self.on_nodes:
            return self.free >= replicas * devices
        on_one = devices // nodes
        return sum(each.count // on_one for each in self.on_nodes) >= replicas * nodes


@dataclass(frozen=True)
class Inventory:
    """What the nodes have, by the accelerator's name. Empty: nothing is known of nodes."""

    accelerators: Mapping[str, InventoryEntry] = field(default_factory=lambda: MappingProxyType({}))

    def without(self, pods: Iterable[KubeObject]) -> "Inventory":
        """The inventory when these pods are gone: what is placed anew may have its own devices again."""
        used = _used(pods)
        if not used:
            return self
        entries = {name: _given_back(entry, used) for name, entry in self.accelerators.items()}
        return Inventory(MappingProxyType(entries))


def inventory(
    nodes: Iterable[KubeObject],
    fleet: FleetSettings,
    catalog: Catalog,
    pods: Iterable[KubeObject] = (),
    others: Iterable[KubeObject] = (),
) -> Inventory:
    """The inventory of plain Node objects. Without `pods`, which are ours, and `others`, which are not, every
    device of a node that takes pods is free.

    For a deployment that is placed anew, take its own pods out again (`Inventory.without`).
    """
    used, foreign = _used(pods), _used(others)
    found: dict[str, list[_Devices]] = {}
    for node in nodes:
        for devices in _devices_of(node, fleet, catalog, used, foreign):
            found.setdefault(devices.accelerator, []).append(devices)
    return Inventory(
        MappingProxyType({name: _entry(found[name]) for name in sorted(found)}),
    )


@dataclass(frozen=True, slots=True)
class _Devices:
    accelerator: str
    count: int
    free: int
    memory_bytes: int | None
    together: int
    resource: str | None
    on_node: FreeDevices | None
    others: int


def _entry(parts: list[_Devices]) -> InventoryEntry:
    memories = [part.memory_bytes for part in parts if part.memory_bytes is not None]
    return InventoryEntry(
        total=sum(part.count for part in parts),
        free=sum(part.free for part in parts),
        memory_bytes=min(memories, default=None),
        per_node=max(part.together for part in parts),
        resource=next((part.resource for part in parts if part.resource is not None), None),
        on_nodes=tuple(
            sorted((part.on_node for part in parts if part.on_node is not None), key=lambda each: each.node)
        ),
        others=sum(part.others for part in parts),
    )


def _given_back(entry: InventoryEntry, used: Mapping[tuple[str, str], int]) -> InventoryEntry:
    more = {each: used.get((each.node, each.resource), 0) for each in entry.on_nodes}
    if not any(more.values()):
        return entry
    on_nodes = tuple(replace(each, count=each.count + back) if back else each for each, back in more.items())
    return replace(entry, free=entry.free + sum(more.values()), on_nodes=on_nodes)


def _devices_of(
    node: KubeObject,
    fleet: FleetSettings,
    catalog: Catalog,
    used: Mapping[tuple[str, str], int],
    foreign: Mapping[tuple[str, str], int],
) -> Iterable[_Devices]:
    metadata = node.get("metadata", {})
    labels: Mapping[str, str] = metadata.get("labels") or {}
    status = node.get("status", {})
    amounts: Mapping[str, Any] = status.get("allocatable") or status.get("capacity") or {}
    spec = node.get("spec", {})
    takes_pods = not spec.get("unschedulable") and _is_ready(status)
    for resource in sorted(amounts):
        count = _count(amounts[resource])
        name = _name(resource, labels, fleet, catalog) if count else None
        if name is None:
            continue
        device = device_named(name, fleet, catalog)
        node_name = metadata.get("name", "")
        open_to_us = takes_pods and tolerated(spec.get("taints") or (), name, resource, fleet)
        others = min(count, foreign.get((node_name, resource), 0))
        free = max(0, count - others - used.get((node_name, resource), 0)) if open_to_us else 0
        sharing = _number(labels.get(_SHARED_BY_LABEL), 1)
        memory = _memory(resource, labels)
        yield _Devices(
            accelerator=name,
            count=count,
            free=free,
            memory_bytes=None if memory is None else memory // max(1, sharing),
            together=1 if sharing > 1 else count,
            resource=None if device is None or device.resource == resource else resource,
            on_node=FreeDevices(node_name, resource, free) if open_to_us else None,
            others=others,
        )


def _name(resource: str, labels: Mapping[str, str], fleet: FleetSettings, catalog: Catalog) -> str | None:
    for setting in fleet.accelerators:
        device = device_named(setting.name, fleet, catalog)
        selector = setting.node_selector
        if (
            selector
            and device is not None
            and device.resource == resource
            and all(labels.get(key) == value for key, value in selector.items())
        ):
            return setting.name
    name = _known_name(resource, labels, catalog)
    stated = None if name is None else setting_of(name, fleet)
    # Where the settings say which nodes these are, others are not meant, and pods would not go there.
    return None if stated is not None and stated.node_selector else name


def _known_name(resource: str, labels: Mapping[str, str], catalog: Catalog) -> str | None:
    """By the labels that the catalogue knows."""
    for name, accelerator in catalog.accelerators.items():
        if not _is_of(
            Identity(accelerator), tuple(labels.get(label, "") for label in _PRODUCT_LABELS)
        ) and not any(labels.get(key) in values for key, values in accelerator.labels.items()):
            continue
        if resource.startswith(_SLICE_RESOURCE):
            return f"{name}{_SLICE_MARK}{resource.removeprefix(_SLICE_RESOURCE)}"
        if resource == accelerator.resource or resource in _WHOLE_RESOURCES:
            product = labels.get(_PRODUCT_LABELS[0], "")
            _, mark, profile = product.partition(_SLICE_MARK)
            return f"{name}{_SLICE_MARK}{profile.removesuffix('-SHARED')}" if mark else name
    return None


@lru_cache(maxsize=4096)
def _is_of(identity: Identity[Accelerator], shown: tuple[str, ...]) -> bool:
    """Whether a product label names the accelerator, as it is or as a shared or sliced one."""
    return any(
        _bare(product) == _bare(known) for product in shown if product for known in identity.record.products
    )


def _bare(product: str) -> str:
    """A product without what discovery adds, and without NVIDIA's name, which slices leave out."""
    return product.removeprefix("NVIDIA-").partition(_SLICE_MARK)[0].removesuffix("-SHARED")


def _memory(resource: str, labels: Mapping[str, str]) -> int | None:
    if resource.startswith(_SLICE_RESOURCE):
        label = f"{resource}.memory"
    elif resource in _WHOLE_RESOURCES:
        label = _MEMORY_LABEL
    else:
        return None
    mebibytes = _number(labels.get(label), 0)
    return mebibytes * MEBIBYTE or None


def _is_ready(status: Mapping[str, Any]) -> bool:
    conditions = status.get("conditions") or ()
    return all(item.get("status") == "True" for item in conditions if item.get("type") == "Ready")


def _used(pods: Iterable[KubeObject]) -> Mapping[tuple[str, str], int]:
    """What running pods ask for, by node and resource."""
    used: dict[tuple[str, str], int] = {}
    for pod in pods:
        spec = pod.get("spec", {})
        node = spec.get("nodeName")
        if not node or pod.get("status", {}).get("phase") in _ENDED:
            continue
        for container in spec.get("containers") or ():
            limits = (container.get("resources") or {}).get("limits") or {}
            for resource, amount in limits.items():
                if "/" in resource:
                    used[(node, resource)] = used.get((node, resource), 0) + _count(amount)
    return used


def _count(amount: Any) -> int:
    """A Kubernetes quantity as a whole number; 0 where it is none."""
    try:
        return int(Quantity(str(amount)).decimal)
    except ValueError:
        return 0


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else otherwise
