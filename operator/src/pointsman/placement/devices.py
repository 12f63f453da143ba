"""Accelerators as placement sees them: the catalogue's, slices of them, and the fleet's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from pointsman.api import FleetAccelerator, FleetSettings
from pointsman.catalog import Accelerator, Catalog
from pointsman.placement.identity import Identity
from pointsman.placement.slices import slice_named

MEBIBYTE = 2**20
GIBIBYTE = 2**30

# A slice shows less than its name says: 16.0 GiB were seen for 18gb. A node's own label comes first.
_GIBIBYTES_PER_NAMED = 0.89
# The link of an accelerator that the catalogue does not know: a PCIe bus of the fourth generation.
_UNKNOWN_LINK_GIGABYTES_PER_SECOND = 32.0
_UNKNOWN_LINKED = 2


@dataclass(frozen=True, slots=True)
class Device:
    """One kind of accelerator; rates per second, of its data sheet."""

    name: str
    vendor: str
    """"" where it is not known: then nothing is refused for it."""
    resource: str
    memory_bytes: int
    memory_bandwidth: float
    """Bytes."""
    bf16: float
    """Operations; 0: has no bf16, and computes in fp16."""
    fp16: float
    fp8: float
    fp4: float
    int8: float
    architecture: str
    """A compute capability ("9.0") or a name ("gfx942"); "" where it is not known."""
    link_bandwidth: float
    """Bytes, to its neighbours, one way."""
    link: str
    linked: int
    per_node: int
    is_slice: bool

    @property
    def capability(self) -> float | None:
        """NVIDIA's compute capability as a number, None for others."""
        return float(self.architecture) if self.architecture[:1].isdigit() else None


@dataclass(frozen=True, slots=True)
class Price:
    """What one device costs for an hour, and how that is known."""

    per_hour: Decimal
    basis: str
    """"" for the platform's own price, else the date of the list."""
    larger: tuple[tuple[int, Decimal], ...] = ()
    """The same for a device of a node that has so many, fewest first."""

    def of(self, devices: int, nodes: int) -> Decimal:
        """Of so many devices, evenly on so many nodes: each costs what it does on a node that has enough."""
        together = devices // nodes
        sizes = ((1, self.per_hour), *self.larger)
        each = next((price for count, price in sizes if count >= together), sizes[-1][1])
        return each * devices


def device_named(name: str, fleet: FleetSettings, catalog: Catalog) -> Device | None:
    """The accelerator of this name, or None where neither catalogue nor fleet settings know its facts."""
    setting = setting_of(name, fleet)
    known = catalog.accelerators.get(name)
    resource = setting.resource if setting is not None and setting.resource is not None else None
    if setting is not None and setting.facts is not None:
        facts = setting.facts
        return _stated(
            name,
            resource or "nvidia.com/gpu",
            int(facts.memory.decimal),
            facts.memory_bandwidth_gigabytes_per_second * 1e9,
            facts.dense_teraflops * 1e12,
        )
    if known is not None:
        return _known(Identity(known), resource or known.resource)
    part = slice_named(name, catalog)
    if part is None:
        return None
    whole = _known(Identity(part.whole), part.whole.resource)
    return _slice(name, whole, part.profile, part.memory_gigabytes, part.compute_share)


def setting_of(name: str, fleet: FleetSettings) -> FleetAccelerator | None:
    return next((setting for setting in fleet.accelerators if setting.name == name), None)


def price_of(name: str, fleet: FleetSettings, catalog: Catalog, *, spot: bool = False) -> Price | None:
    """The platform's own price, else the catalogue's list price, if the fleet counts in its currency; of a
    slice that has none of its own its share of the whole device's.
    """
    setting = setting_of(name, fleet)
    own = setting.price_per_hour if setting is not None else None
    if own is not None:
        amount = own.spot if spot else own.on_demand
        if amount is not None:
            return Price(amount.decimal, "")
    part = slice_named(name, catalog)
    if part is not None:
        whole = price_of(part.whole.name, fleet, catalog, spot=spot)
        return None if whole is None else Price(part.price(whole.per_hour), whole.basis)
    known = catalog.accelerators.get(name)
    if spot or known is None or known.price is None or known.price.currency != fleet.currency:
        return None
    larger = tuple((count, price.decimal) for count, price in sorted(known.price.larger.items()))
    return Price(known.price.per_hour.decimal, f"list of {known.price.as_of.isoformat()}", larger)


@lru_cache(maxsize=1024)
def as_seen(device: Device, memory_bytes: int | None, per_node: int | None, resource: str | None) -> Device:
    """The device as nodes show it."""
    return replace(
        device,
        memory_bytes=memory_bytes or device.memory_bytes,
        per_node=per_node or device.per_node,
        resource=resource or device.resource,
    )


@lru_cache(maxsize=1024)
def _known(identity: Identity[Accelerator], resource: str) -> Device:
    accelerator = identity.record
    bf16 = (accelerator.bf16_teraflops or 0) * 1e12
    return Device(
        name=accelerator.name,
        vendor=accelerator.vendor,
        resource=resource,
        memory_bytes=accelerator.memory_mebibytes * MEBIBYTE,
        memory_bandwidth=accelerator.memory_gigabytes_per_second * 1e9,
        bf16=bf16,
        fp16=(accelerator.fp16_teraflops or 0) * 1e12 or bf16,
        fp8=(accelerator.fp8_teraflops or 0) * 1e12,
        fp4=(accelerator.fp4_teraflops or 0) * 1e12,
        int8=(accelerator.int8_teraops or 0) * 1e12,
        architecture=accelerator.compute_capability or "",
        link_bandwidth=accelerator.link_gigabytes_per_second * 1e9,
        link=accelerator.link,
        linked=accelerator.linked,
        per_node=accelerator.per_node,
        is_slice=False,
    )


@lru_cache(maxsize=1024)
def _slice(name: str, whole: Device, profile: str, named_gigabytes: int, compute_share: float) -> Device:
    """A slice has its share of compute and memory, its share of the bandwidth, and no link to others."""
    memory = int(named_gigabytes * _GIBIBYTES_PER_NAMED * GIBIBYTE)
    return Device(
        name=name,
        vendor=whole.vendor,
        resource=f"nvidia.com/mig-{profile}",
        memory_bytes=memory,
        memory_bandwidth=whole.memory_bandwidth * min(1.0, memory / whole.memory_bytes),
        bf16=whole.bf16 * compute_share,
        fp16=whole.fp16 * compute_share,
        fp8=whole.fp8 * compute_share,
        fp4=whole.fp4 * compute_share,
        int8=whole.int8 * compute_share,
        architecture=whole.architecture,
        link_bandwidth=whole.link_bandwidth,
        link="pcie",
        linked=1,
        per_node=whole.per_node,
        is_slice=True,
    )


@lru_cache(maxsize=1024)
def _stated(
    name: str, resource: str, memory_bytes: int, memory_bandwidth: float, bf16_operations: float
) -> Device:
    return Device(
        name=name,
        vendor="",
        resource=resource,
        memory_bytes=memory_bytes,
        memory_bandwidth=memory_bandwidth,
        bf16=bf16_operations,
        fp16=bf16_operations,
        fp8=bf16_operations,
        fp4=bf16_operations,
        int8=bf16_operations,
        architecture="",
        link_bandwidth=_UNKNOWN_LINK_GIGABYTES_PER_SECOND * 1e9,
        link="pcie",
        linked=_UNKNOWN_LINKED,
        per_node=8,
        is_slice=False,
    )


def known_names(fleet: FleetSettings, catalog: Catalog) -> Mapping[str, None]:
    """Every accelerator that could be named, in a stable order."""
    return dict.fromkeys([*(setting.name for setting in fleet.accelerators), *sorted(catalog.accelerators)])
