"""All ways in which a deployment could run on a fleet: each accelerator that it may use, each spread."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pointsman.api import EngineName, FleetSettings
from pointsman.api.hardware import Hardware, Parallelism
from pointsman.catalog import Catalog
from pointsman.placement.devices import Device, Price, as_seen, device_named, price_of, setting_of
from pointsman.placement.identity import Identity
from pointsman.placement.inventory import Inventory, InventoryEntry
from pointsman.placement.options import Asked, Miss, Option, assess
from pointsman.placement.precision import precision_on
from pointsman.placement.spread import (
    ONE_DEVICE,
    USUAL_GROUPS,
    Refusal,
    Spread,
    device_refusal,
    tensor_refusal,
)

_RULE_BROKEN = 1e6
_ABSENT = 1e7


@dataclass(frozen=True, slots=True)
class Offer:
    """One accelerator of the fleet, as its nodes show it."""

    device: Device
    price: Price | None
    """On demand, of one device for an hour."""
    most: int | None
    """How many devices of this kind a replica could have; None where nothing bounds it."""
    entry: InventoryEntry | None
    """What its nodes show; None: nothing is known of nodes."""
    left: int | None
    """Devices within the quota that nobody uses; None: no quota."""
    may_come: bool
    """Whether the quota is above what nodes have, so that more of them may come."""

    def has_room(self, spread: Spread, replicas: int) -> bool:
        """Whether so many replicas could start now, or on nodes that may come."""
        if self.left is not None and spread.devices * replicas > self.left:
            return False
        if self.may_come or self.entry is None:
            return True
        return self.entry.has_room(replicas, spread.devices, spread.nodes)


class Fleet:
    """What there is: the platform's settings, the catalogue and the nodes, looked up once."""

    def __init__(self, settings: FleetSettings, catalog: Catalog, inventory: Inventory) -> None:
        self.settings = settings
        self.catalog = catalog
        self.inventory = inventory
        stated = tuple(setting.name for setting in settings.accelerators)
        self.names: tuple[str, ...] = stated or tuple(sorted(inventory.accelerators))
        """The accelerators of the fleet: those of the settings, else those of the nodes."""
        offers = {name: self._offer(name) for name in self.names}
        self.offers: Mapping[str, Offer] = {
            name: offer for name, offer in offers.items() if offer is not None
        }
        """Those of them whose facts are known."""

    def device(self, name: str) -> Device | None:
        """Any accelerator, whether or not the fleet has it, as nodes show it or the catalogue knows it."""
        offer = self.offers.get(name)
        return device_named(name, self.settings, self.catalog) if offer is None else offer.device

    def has_room(self, name: str, spread: Spread, replicas: int) -> bool:
        offer = self.offers.get(name)
        return offer is None or offer.has_room(spread, replicas)

    def _offer(self, name: str) -> Offer | None:
        device = device_named(name, self.settings, self.catalog)
        if device is None:
            return None
        setting, entry = setting_of(name, self.settings), self.inventory.accelerators.get(name)
        quota = setting.quota if setting is not None else None
        price = price_of(name, self.settings, self.catalog)
        if entry is None:
            return Offer(device, price, most=quota, entry=None, left=quota, may_come=quota is not None)
        return Offer(
            as_seen(device, entry.memory_bytes, entry.per_node, entry.resource),
            price,
            most=entry.total if quota is None else quota,
            entry=entry,
            left=_left(quota, entry),
            may_come=quota is not None and quota > entry.total,
        )


def _left(quota: int | None, entry: InventoryEntry) -> int | None:
    if quota is None:
        return None
    within = max(0, quota - (entry.total - entry.free - entry.others))
    # Devices of nodes that are closed count as used, which a quota for all of them makes up for.
    return max(entry.free, within) if quota >= entry.total else within


def fleet_of(settings: FleetSettings, catalog: Catalog, inventory: Inventory) -> Fleet:
    """The fleet; the same settings and nodes that have not changed give the same fleet, which is kept."""
    entries = tuple(sorted(inventory.accelerators.items()))
    return _fleet(Identity(settings), Identity(catalog), entries)


@lru_cache(maxsize=16)
def _fleet(
    settings: Identity[FleetSettings],
    catalog: Identity[Catalog],
    entries: tuple[tuple[str, InventoryEntry], ...],
) -> Fleet:
    return Fleet(settings.record, catalog.record, Inventory(dict(entries)))


def allowed(hardware: Hardware, fleet: Fleet) -> tuple[str, ...]:
    """The accelerators that the deployment may use, in the fleet's order."""
    if not hardware.accelerators:
        return fleet.names
    return tuple(name for name in fleet.names if name in hardware.accelerators)


def spreads(hardware: Hardware, device: Device, engine: EngineName) -> Iterator[Spread]:
    """The spreads to try: what the deployment says, else groups of the usual sizes."""
    parallelism = hardware.parallelism or Parallelism()
    nodes = hardware.nodes
    if engine == EngineName.LLAMA_CPP and parallelism.tensor is None:
        # It shares out layers, not heads.
        for devices in (parallelism.pipeline,) if parallelism.pipeline else USUAL_GROUPS:
            if devices == 1 or (devices <= device.per_node and not device.is_slice):
                yield Spread(1, devices, nodes)
        return
    for tensor in (parallelism.tensor,) if parallelism.tensor else USUAL_GROUPS:
        pipeline = parallelism.pipeline or nodes
        if parallelism.tensor is None and (
            tensor > device.linked
            or tensor * pipeline > device.per_node * nodes
            or (tensor > 1 and engine in ONE_DEVICE)
        ):
            break
        yield Spread(tensor, pipeline, nodes)


def options(hardware: Hardware, asked: Asked, fleet: Fleet, names: Iterable[str]) -> list[Option | Miss]:
    """Every accelerator and spread, judged, in a stable order."""
    found: list[Option | Miss] = []
    for name in names:
        offer = fleet.offers.get(name)
        if offer is None:
            continue
        device = offer.device
        precision = precision_on(device, asked.shape, asked.engine)
        for spread in spreads(hardware, device, asked.engine):
            refusal = rule_refusal(asked, device, spread, fleet)
            found.append(
                assess(asked, device, precision, spread, offer.price)
                if refusal is None
                else Miss(device, spread, refusal.what, _excess(refusal), refusal.todo)
            )
    return found


def _excess(refusal: Refusal) -> float:
    return _ABSENT if refusal.field == "" else _RULE_BROKEN


def rule_refusal(asked: Asked, device: Device, spread: Spread, fleet: Fleet) -> Refusal | None:
    """The first rule that this spread breaks, whatever the memory."""
    images = () if asked.own_image else fleet.catalog.engines[asked.engine].images
    if images and device.vendor and not any(image.vendor in (device.vendor, "any") for image in images):
        return Refusal(f"{asked.engine} has no image for {device.vendor}", "name another accelerator", "")
    offer = fleet.offers.get(device.name)
    most = None if offer is None else offer.most
    broken = tensor_refusal(asked.shape, spread.tensor, asked.engine) or device_refusal(
        spread, device, asked.engine
    )
    if broken is not None:
        return broken
    if most is not None and spread.devices > most:
        there = f"the fleet has {most}" if most else "the fleet has none"
        return Refusal(f"{spread.devices} × {device.name} are asked for and {there}", "add nodes", "")
    return None
