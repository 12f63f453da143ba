"""Slices of an accelerator (MIG), by their names: `A100-80-SXM-MIG-3g.40gb`."""

import re
from dataclasses import dataclass
from decimal import Decimal

from pointsman.catalog import Accelerator, Catalog

_NAME = re.compile(r"^(?P<whole>.+)-MIG-(?P<profile>[1-9]g\.[0-9]{1,3}gb)$")
_PROFILE = re.compile(r"^(?P<compute>[1-9])g\.(?P<memory>[0-9]{1,3})gb$")
# Of an hour's price; finer than any price list.
_PRICE_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Slice:
    """One profile of an accelerator; shares are of the whole device."""

    whole: Accelerator
    profile: str

    @property
    def memory_gigabytes(self) -> int:
        """As the profile is called, which is more than it shows."""
        return _memory(self.profile)

    @property
    def compute_share(self) -> float:
        """Large devices are cut into seven parts of compute, others into four: as many as the largest has."""
        return _compute(self.profile) / max(_compute(profile) for profile in self.whole.slices)

    @property
    def share(self) -> float:
        """What it takes from others: of compute or of memory, whichever is more."""
        largest = max(_memory(profile) for profile in self.whole.slices)
        return max(self.compute_share, self.memory_gigabytes / largest)

    def price(self, whole: Decimal) -> Decimal:
        return (whole * Decimal(self.share)).quantize(_PRICE_STEP)


def slice_named(name: str, catalog: Catalog) -> Slice | None:
    """The slice of this name, or None where it is none that the catalogue knows."""
    match = _NAME.match(name)
    whole = catalog.accelerators.get(match["whole"]) if match else None
    if match is None or whole is None or match["profile"] not in whole.slices:
        return None
    return Slice(whole, match["profile"])


def _compute(profile: str) -> int:
    match = _PROFILE.match(profile)
    return int(match["compute"]) if match else 1


def _memory(profile: str) -> int:
    match = _PROFILE.match(profile)
    return int(match["memory"]) if match else 1
