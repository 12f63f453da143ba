"""Deployments that want the same accelerators plan with what others leave, and with no more."""

from __future__ import annotations

import pytest

from pointsman.api import ObjectKey
from pointsman.placement import Pool
from pointsman_autoscaler.loop.quotas import Quotas
from pointsman_autoscaler.loop.shares import Shares
from pointsman_autoscaler.view import Flavour, View
from tests.support.builders import fleet, key
from tests.support.placements import own, placed

A, B, C = key("a"), key("b"), key("c")


@pytest.mark.parametrize(
    ("held", "want"),
    [
        ({}, {A: 6, B: 6, C: 6}),
        ({A: 2}, {A: 6, B: 4, C: 4}),
        ({A: 2, B: 3}, {A: 3, B: 4, C: 1}),
        ({A: 2, B: 4}, {A: 2, B: 4, C: 0}),
        ({A: 4, B: 4, C: 2}, {A: 4, B: 2, C: 0}),
        ({A: 9, C: 1}, {A: 6, B: 0, C: 0}),
    ],
)
def test_what_is_left(held: dict[ObjectKey, int], want: dict[ObjectKey, int]) -> None:
    """Together never more than there is; above that who comes first by name keeps what it has."""
    for order in (list(held), list(reversed(held))):
        quotas = Quotas({"L4": 6})
        for one in order:
            quotas.hold(one, {"L4": 1, "T4": 5})
            quotas.hold(one, {"L4": held[one]})
        assert {one: quotas.left(one, "L4") for one in want} == want
        assert quotas.left(A, "T4") is None


def pools() -> tuple[Pool, ...]:
    """Two accelerators for a replica of one, four of the same for a replica of the other."""
    stated = [
        {"name": "small", "accelerator": "L40S", "acceleratorsPerReplica": 2, "maxReplicas": 9},
        {"name": "large", "accelerator": "L40S", "acceleratorsPerReplica": 4, "maxReplicas": 9},
    ]
    return placed(own(hardware={"pools": stated})).pools


def most(shares: Shares, one: ObjectKey) -> dict[str, int]:
    flavours = {name: Flavour(name, 1.0, minimum=1, maximum=9) for name in ("small", "large")}
    seen = shares.shared(one, View(0.0, flavours, (), (), {}))
    assert all(flavour.minimum <= flavour.maximum for flavour in seen.flavours.values())
    return {name: flavour.maximum for name, flavour in seen.flavours.items()}


def test_what_was_decided_is_taken_off_before_it_is_there() -> None:
    shares = Shares(fleet(accelerators=[{"name": "L40S", "quota": 16}]))
    for one in (A, B):
        shares.settle(one, pools(), {"small": 1, "large": 0})
    assert most(shares, A) == most(shares, B) == {"small": 7, "large": 3}
    shares.claim(A, {"small": 2, "large": 2})
    assert most(shares, B) == {"small": 2, "large": 0}, "4 are left, of which it has 2"
    assert most(shares, A) == {"small": 3, "large": 2}, "its own pools share, too"
    shares.settle(A, pools(), {"small": 2, "large": 2})
    assert most(shares, B) == {"small": 2, "large": 0}, "what is there now was counted before"
    shares.claim(A, {"small": 1, "large": 0})
    assert most(shares, B) == {"small": 2, "large": 0}, "replicas that end still hold them"
    shares.settle(A, pools(), {"small": 1, "large": 0})
    assert most(shares, B) == {"small": 7, "large": 3}
    shares.settle(A, (), {})
    assert most(shares, B) == {"small": 8, "large": 3}


def test_pools_of_one_that_grow_together_stay_within_what_is_left() -> None:
    shares = Shares(fleet(accelerators=[{"name": "L40S", "quota": 16}]))
    shares.settle(A, pools(), {"small": 1, "large": 1})
    wanted = {"small": 4, "large": 3}
    assert shares.claim(A, wanted) == {"small": 4, "large": 2}
    # What is there stays, and the same again is the same.
    shares.settle(A, pools(), {"small": 4, "large": 2})
    assert most(shares, A) == {"small": 4, "large": 2}
    assert shares.claim(A, wanted) == {"small": 4, "large": 2}
    assert shares.claim(A, {"small": 1, "large": 3}) == {"small": 1, "large": 3}


def test_what_is_only_advised_is_held_from_nobody() -> None:
    shares = Shares(fleet(accelerators=[{"name": "L40S", "quota": 16}]))
    for one in (A, B):
        shares.settle(one, pools(), {"small": 1, "large": 0})
    assert shares.claim(A, {"small": 9, "large": 0}, is_done=False) == {"small": 7, "large": 0}
    assert most(shares, B) == {"small": 7, "large": 3}


def test_without_quotas_nothing_is_counted() -> None:
    shares = Shares(fleet())
    assert shares.are_none
    shares.settle(A, pools(), {"small": 99})
    assert most(shares, B) == {"small": 9, "large": 9}
