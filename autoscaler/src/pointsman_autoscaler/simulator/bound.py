"""What nobody can go below who knows the future and serves each window: an interval at a time. Pure.

One flavour: what is needed is cut into layers, the k-th replica each. A layer is paid while it is needed;
over a gap it is either kept or started again, whichever costs less, which is the best that can be done.
Several flavours: the dearer of two programmes, one with starts whose replicas need not be whole, and one of
whole replicas that start for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, hstack, identity, vstack

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A flavour for the one who knows all: `share` of the load of each interval that one replica serves."""

    price_per_hour: float
    startup_seconds: float
    maximum: float
    share: Floats


def needed(share: Floats) -> Counts:
    """Whole replicas for each interval, of which one serves that share of its load (infinite: no load)."""
    with np.errstate(divide="ignore"):
        return np.ceil(np.where(np.isinf(share), 0.0, 1.0 / share) - 1e-9).astype(np.int64)


def one_flavour(
    needs: Counts, interval_seconds: float, price_per_hour: float, startup_seconds: float
) -> float:
    """Dollars for the needs of successive intervals. A start is paid for `startup_seconds` before it serves;
    the first replicas too.
    """
    seconds = 0.0
    for layer in range(1, int(needs.max(initial=0)) + 1):
        busy = np.flatnonzero(needs >= layer)
        gaps = (np.diff(busy) - 1) * interval_seconds
        seconds += len(busy) * interval_seconds + startup_seconds
        seconds += float(np.minimum(gaps, startup_seconds)[gaps > 0].sum())
    return seconds / _HOUR * price_per_hour


def several_flavours(offers: Sequence[Offer], interval_seconds: float) -> float:
    """Dollars below which no whole replicas of these flavours serve all of the load of each interval.

    Raises ValueError where not even all of them do.
    """
    return max(_in_parts(offers, interval_seconds), _without_starts(offers, interval_seconds))


def _without_starts(offers: Sequence[Offer], interval_seconds: float) -> float:
    """Whole replicas, each interval by itself."""
    prices = np.array([offer.price_per_hour for offer in offers])
    bounds = Bounds(np.zeros(len(offers)), np.array([offer.maximum for offer in offers]))
    dollars_per_hour = 0.0
    for share in np.array([offer.share for offer in offers]).T:
        if np.isinf(share).all():
            continue
        served = LinearConstraint(share, lb=1.0 - 1e-9)
        found = milp(prices, constraints=served, bounds=bounds, integrality=np.ones(len(offers)))
        dollars_per_hour += found.fun
    return dollars_per_hour * interval_seconds / _HOUR


def _in_parts(offers: Sequence[Offer], interval_seconds: float) -> float:
    """A linear programme over all intervals."""
    intervals, flavours = len(offers[0].share), len(offers)
    hours = interval_seconds / _HOUR
    # Unknowns: x[f, t] replicas, then u[f, t] starts.
    costs = np.concatenate(
        [np.full(intervals, offer.price_per_hour * hours) for offer in offers]
        + [np.full(intervals, offer.price_per_hour * offer.startup_seconds / _HOUR) for offer in offers]
    )
    finite = [np.where(np.isinf(offer.share), 0.0, offer.share) for offer in offers]
    served = hstack(
        [csr_array(np.diag(share)) for share in finite] + [csr_array((intervals, intervals))] * flavours
    )
    has_load = ~np.all([np.isinf(offer.share) for offer in offers], axis=0)
    step = identity(intervals, format="csr") - csr_array(np.eye(intervals, k=-1))
    rows = []
    for place in range(flavours):
        blocks = [csr_array((intervals, intervals))] * (2 * flavours)
        blocks[place] = csr_array(step)
        blocks[flavours + place] = -identity(intervals, format="csr")
        rows.append(hstack(blocks))
    limits = vstack([-served, *rows])
    right = np.concatenate([-has_load.astype(float), np.zeros(intervals * flavours)])
    ranges: list[tuple[float, float | None]] = [
        (0.0, offer.maximum) for offer in offers for _ in range(intervals)
    ]
    ranges += [(0.0, None)] * (intervals * flavours)
    found = linprog(costs, A_ub=limits, b_ub=right, bounds=ranges, method="highs")
    if not found.success:
        raise ValueError("all replicas of all flavours together do not serve the load")
    return float(found.fun)


def without_dearest(
    needs: Counts, share: float, interval_seconds: float, price_per_hour: float, startup_seconds: float
) -> float:
    """Dollars below which nobody stays who may miss that share of the intervals: all of them, less what the
    dearest ones could save at most, which is their replicas for their time and one start of each.
    """
    count = int(np.floor(share * np.count_nonzero(needs)))
    dearest = np.sort(needs)[::-1][:count]
    saved = float(dearest.sum()) * (interval_seconds + startup_seconds) / _HOUR * price_per_hour
    return max(0.0, one_flavour(needs, interval_seconds, price_per_hour, startup_seconds) - saved)
