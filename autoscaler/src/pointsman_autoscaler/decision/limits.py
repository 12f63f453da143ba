"""The limits that hold whatever the load is: of each pool, of all together, of money."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_autoscaler.decision.decision import Reason
from pointsman_autoscaler.decision.observation import Observation, Pool

# A learned busy hour: load at this time on at least half of the known days.
_USUALLY_BUSY = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """`lows` and `highs` by pool, and their sum's; they never contradict each other. `least` says whose the
    least total is."""

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    total_low: int
    total_high: int
    budget: float | None
    least: Reason
    is_idle: bool


def limits_of(observation: Observation, pools: Sequence[Pool]) -> Limits:
    """Where settings contradict each other, the largest number of replicas wins over the least, and the least
    over the budget."""
    settings = observation.settings
    total_high = max(0, settings.maximum)
    highs = tuple(max(0, min(pool.flavour.maximum, total_high)) for pool in pools)
    wanted = tuple(min(max(0, pool.flavour.minimum), high) for pool, high in zip(pools, highs, strict=True))
    lows = _reduced(pools, wanted, total_high)
    is_idle = _is_idle(observation)
    least, reason = (0, Reason.IDLE) if is_idle else (max(0, settings.minimum), Reason.MINIMUM)
    if is_idle and _is_usually_busy(observation):
        least, reason = max(1, settings.minimum), Reason.PREWARMED
    if observation.scheduled is not None and observation.scheduled[1] > least:
        least, reason = observation.scheduled[1], Reason.SCHEDULE
    total_low = max(sum(lows), min(least, total_high, sum(highs)))
    budget = settings.budget_per_hour
    if budget is not None:
        budget = max(budget, _price_of_least(pools, lows, highs, total_low))
    return Limits(lows, highs, total_low, max(total_high, total_low), budget, reason, is_idle)


def clipped(pools: Sequence[Pool], replicas: Sequence[int], limits: Limits) -> tuple[int, ...]:
    """The nearest replicas within the limits of numbers: more of the cheapest, fewer of the dearest."""
    within = [
        min(max(count, low), high)
        for count, low, high in zip(replicas, limits.lows, limits.highs, strict=True)
    ]
    cheapest_first = sorted(
        range(len(pools)), key=lambda at: (pools[at].flavour.price_per_hour, pools[at].name)
    )
    for at in cheapest_first:
        missing = limits.total_low - sum(within)
        within[at] += max(0, min(missing, limits.highs[at] - within[at]))
    for at in reversed(cheapest_first):
        surplus = sum(within) - limits.total_high
        within[at] -= max(0, min(surplus, within[at] - limits.lows[at]))
    return tuple(within)


def _is_idle(observation: Observation) -> bool:
    after, load = observation.settings.idle_after_seconds, observation.load
    return (
        after is not None and load is not None and load.idle_seconds >= after and load.backlog_requests <= 0
    )


def _is_usually_busy(observation: Observation) -> bool:
    load = observation.load
    return load is not None and load.busy_share is not None and load.busy_share >= _USUALLY_BUSY


def _reduced(pools: Sequence[Pool], lows: tuple[int, ...], total_high: int) -> tuple[int, ...]:
    """Minima of pools that fit the largest total: the dearest give way."""
    if sum(lows) <= total_high:
        return lows
    left = list(lows)
    dearest_first = sorted(
        range(len(pools)), key=lambda at: (-pools[at].flavour.price_per_hour, pools[at].name)
    )
    for at in dearest_first:
        left[at] -= min(left[at], max(0, sum(left) - total_high))
    return tuple(left)


def _price_of_least(
    pools: Sequence[Pool], lows: tuple[int, ...], highs: tuple[int, ...], total_low: int
) -> float:
    """What the fewest allowed replicas cost an hour."""
    missing = total_low - sum(lows)
    price = math.fsum(pool.flavour.price_per_hour * low for pool, low in zip(pools, lows, strict=True))
    for at in sorted(range(len(pools)), key=lambda at: pools[at].flavour.price_per_hour):
        more = min(missing, highs[at] - lows[at])
        price += more * pools[at].flavour.price_per_hour
        missing -= more
    return price
