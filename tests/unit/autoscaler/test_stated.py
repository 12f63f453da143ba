"""What a deployment says of its scaling arrives in the decisions' numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from pointsman.catalog import shipped_catalog
from pointsman_autoscaler.settings import Minimum, ScalingSettings
from pointsman_autoscaler.stated import flavours_of, settings_of
from pointsman_autoscaler.view import Startup
from tests.support.builders import fleet
from tests.support.placements import EVERYTHING, own, placed

POOLS = [
    {
        "name": "base",
        "accelerator": "H100-SXM",
        "acceleratorsPerReplica": 2,
        "minReplicas": 1,
        "maxReplicas": 4,
    },
    {
        "name": "spot",
        "accelerator": "L40S",
        "acceleratorsPerReplica": 4,
        "capacity": "spot",
        "maxReplicas": 40,
    },
]


def test_everything_that_scaling_says_is_a_setting() -> None:
    stated = settings_of(
        own(
            scaling={
                "minReplicas": 0,
                "maxReplicas": 9,
                "objectives": {"ttft": {"p95": "800ms"}, "itl": {"p99": "60ms"}, "attainment": "0.995"},
                "budget": {"perHour": "40"},
                "idle": {"after": "30m"},
                "scaleDown": {"after": "2m"},
                "schedule": [
                    {"name": "office", "start": "0 7 * * 1-5", "end": "0 19 * * 1-5", "minReplicas": 4}
                ],
            }
        )
    )
    assert [(bound.name, bound.seconds) for bound in stated.bounds] == [("ttft p95", 0.8), ("itl p99", 0.06)]
    assert replace(stated, bounds=()) == ScalingSettings(
        bounds=(),
        attainment=0.995,
        minimum=0,
        maximum=9,
        budget_per_hour=40.0,
        idle_after_seconds=1800.0,
        schedule=(Minimum("office", "0 7 * * 1-5", "0 19 * * 1-5", "Etc/UTC", 4),),
        hold_seconds=120.0,
    )


def test_without_scaling_the_bounds_are_those_of_the_placement() -> None:
    assert [bound.name for bound in settings_of(own()).bounds] == ["ttft p95", "itl p95"]


def test_a_pool_is_a_flavour_with_todays_price_and_within_its_quota() -> None:
    deployment = own(scaling={"maxReplicas": 20}, hardware={"pools": POOLS})
    found = placed(deployment)
    today = fleet(
        accelerators=[
            {"name": "H100-SXM", "pricePerHour": {"onDemand": "5"}, "quota": 6},
            {"name": "L40S", "pricePerHour": {"onDemand": "2", "spot": "0.5"}},
        ]
    )
    measured = {"spot": Startup(30.0, 40.0)}
    base, spot = flavours_of(deployment, found, today, shipped_catalog(), measured)
    assert (base.name, base.price_per_hour, base.minimum, base.maximum) == ("base", 10.0, 1, 3)
    assert (spot.name, spot.price_per_hour, spot.minimum, spot.maximum) == ("spot", 2.0, 0, 20)
    assert (base.is_spot, spot.is_spot, base.domain) == (False, True, "")
    assert spot.startup == Startup(30.0, 40.0)
    assert base.law is not None
    assert spot.law is not None
    assert base.law.fixed < spot.law.fixed
    assert base.cache_tokens > 0


def test_a_device_that_left_the_price_list_keeps_the_price_that_it_was_placed_with() -> None:
    found = placed(own())
    pool = replace(found.pools[0], accelerator="gone", price_per_hour=Decimal("3.5"))
    [flavour] = flavours_of(own(), replace(found, pools=(pool,)), EVERYTHING, shipped_catalog())
    assert flavour.price_per_hour == 3.5
    assert flavour.law is None
    unpriced = replace(found, pools=(replace(pool, price_per_hour=None, accelerators_per_replica=4),))
    [flavour] = flavours_of(own(), unpriced, EVERYTHING, shipped_catalog())
    assert flavour.price_per_hour == pytest.approx(4.0)


def test_nothing_is_cheap_because_its_price_is_unknown() -> None:
    found = placed(own(hardware={"pools": POOLS}))
    base, spot = found.pools
    priced = fleet(accelerators=[{"name": "L40S", "pricePerHour": {"onDemand": "2"}}])
    unknown = replace(
        found,
        pools=(
            replace(base, accelerator="gone", price_per_hour=None),
            replace(spot, price_per_hour=None),
        ),
    )
    dear, on_demand = flavours_of(own(), unknown, priced, shipped_catalog())
    assert on_demand.price_per_hour == pytest.approx(8.0)
    assert dear.price_per_hour == pytest.approx(4.0)
