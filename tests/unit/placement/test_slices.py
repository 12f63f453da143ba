"""What a slice of a device has, and what it costs."""

from decimal import Decimal

import pytest

from pointsman.catalog import shipped_catalog
from pointsman.placement.devices import price_of
from tests.support.builders import fleet
from tests.support.placements import device

SHARES = {
    "a seventh of compute": ("A100-80-SXM-MIG-1g.10gb", "A100-80-SXM", 1 / 7),
    "three sevenths": ("H100-SXM-MIG-3g.40gb", "H100-SXM", 3 / 7),
    "all of it": ("H100-SXM-MIG-7g.80gb", "H100-SXM", 1.0),
    "a device of four parts": ("A30-MIG-2g.12gb", "A30", 1 / 2),
    "all four parts": ("RTX-PRO-6000-MIG-4g.96gb", "RTX-PRO-6000", 1.0),
}


@pytest.mark.parametrize(("name", "whole", "want"), SHARES.values(), ids=SHARES.keys())
def test_it_computes_with_its_share(name: str, whole: str, want: float) -> None:
    assert device(name).bf16 == pytest.approx(device(whole).bf16 * want)


PRICES = {
    "by its compute": ("H100-SXM-MIG-1g.10gb", "0.9829"),
    "by its memory, where that is more": ("H100-SXM-MIG-1g.20gb", "1.7200"),
    "half of it": ("H100-SXM-MIG-3g.40gb", "3.4400"),
}


@pytest.mark.parametrize(("name", "want"), PRICES.values(), ids=PRICES.keys())
def test_it_costs_what_it_takes_from_others(name: str, want: str) -> None:
    found = price_of(name, fleet(), shipped_catalog())
    assert found is not None
    assert found.per_hour == Decimal(want)
    assert found.basis.startswith("list of")


def test_its_own_price_comes_first_and_that_of_the_whole_device_next() -> None:
    name = "H100-SXM-MIG-3g.40gb"
    whole = {"name": "H100-SXM", "pricePerHour": {"onDemand": "4"}}
    own = {"name": name, "pricePerHour": {"onDemand": "1"}}
    for listed, want in (([whole], "2"), ([whole, own], "1")):
        found = price_of(name, fleet(accelerators=listed), shipped_catalog())
        assert found is not None
        assert (found.per_hour, found.basis) == (Decimal(want), "")
