"""The bound is what the best of all plans costs, and no plan costs less."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman_autoscaler.simulator.bound import Offer, needed, one_flavour, several_flavours, without_dearest

INTERVAL, PRICE = 300.0, 12.0
needs_of_some_intervals = st.lists(st.integers(0, 2), min_size=1, max_size=5)
startups = st.sampled_from([0.0, 120.0, 300.0, 700.0, 2000.0])


def cost(plan: tuple[int, ...], startup_seconds: float, price: float) -> float:
    starts = sum(max(0, after - before) for before, after in zip((0, *plan), plan, strict=False))
    return (sum(plan) * INTERVAL + starts * startup_seconds) / 3600 * price


def cheapest_plan(needs: list[int], startup_seconds: float) -> float:
    """Each plan that serves the needs, tried."""
    least = float("inf")
    for plan in product(range(3), repeat=len(needs)):
        if any(have < need for have, need in zip(plan, needs, strict=True)):
            continue
        least = min(least, cost(plan, startup_seconds, PRICE))
    return least


@given(needs_of_some_intervals, startups)
def test_one_flavour_costs_what_the_best_plan_costs(needs: list[int], startup_seconds: float) -> None:
    found = one_flavour(np.array(needs), INTERVAL, PRICE, startup_seconds)
    assert found == pytest.approx(cheapest_plan(needs, startup_seconds))


@given(needs_of_some_intervals, startups, st.sampled_from([0.2, 0.5]))
def test_who_may_miss_some_intervals_stays_above_its_bound(
    needs: list[int], startup_seconds: float, share: float
) -> None:
    may_miss = int(share * sum(need > 0 for need in needs))
    free = [set(which) for which in product(range(len(needs)), repeat=may_miss)]
    plans = [[0 if place in missed else need for place, need in enumerate(needs)] for missed in free]
    least = min(cheapest_plan(plan, startup_seconds) for plan in plans)
    bound = without_dearest(np.array(needs), share, INTERVAL, PRICE, startup_seconds)
    assert bound <= least + 1e-9
    assert bound <= one_flavour(np.array(needs), INTERVAL, PRICE, startup_seconds)


@given(st.lists(st.floats(0.05, 3.0) | st.just(float("inf")), min_size=1, max_size=12), startups)
def test_two_flavours_cost_no_more_than_whole_replicas_of_one_and_a_cheaper_one_never_costs_more(
    shares: list[float], startup_seconds: float
) -> None:
    share = np.array(shares)
    own = Offer(PRICE, startup_seconds, 100.0, share)
    whole = one_flavour(needed(share), INTERVAL, PRICE, startup_seconds)
    alone = several_flavours([own], INTERVAL)
    assert alone <= whole + 1e-6
    cheaper = Offer(PRICE / 3, startup_seconds, 2.0, share * 0.9)
    assert several_flavours([own, cheaper], INTERVAL) <= alone + 1e-6


@given(st.lists(st.floats(0.3, 3.0), min_size=1, max_size=2), startups)
def test_no_plan_of_whole_replicas_of_two_flavours_costs_less(
    shares: list[float], startup_seconds: float
) -> None:
    share, most = np.array(shares), 4
    first = Offer(PRICE, startup_seconds, most, share)
    second = Offer(PRICE / 2, startup_seconds, most, share * 0.4)
    plans = list(product(product(range(most + 1), repeat=len(shares)), repeat=2))
    costs = [
        cost(one, startup_seconds, PRICE) + cost(other, startup_seconds, PRICE / 2)
        for one, other in plans
        if all(a * s + b * s * 0.4 >= 1 - 1e-9 for a, b, s in zip(one, other, share, strict=True))
    ]
    if costs:
        assert several_flavours([first, second], INTERVAL) <= min(costs) + 1e-6


def test_load_that_all_replicas_together_do_not_serve_is_said() -> None:
    with pytest.raises(ValueError, match="do not serve the load"):
        several_flavours([Offer(PRICE, 0.0, 2.0, np.array([0.25]))], INTERVAL)


def test_a_gap_is_kept_where_a_start_would_cost_more() -> None:
    kept = one_flavour(np.array([1, 0, 1]), INTERVAL, PRICE, 600.0)
    ended = one_flavour(np.array([1, 0, 0, 0, 1]), INTERVAL, PRICE, 600.0)
    assert kept == pytest.approx((900 + 600) / 3600 * PRICE)
    assert ended == pytest.approx((600 + 600 + 600) / 3600 * PRICE)
