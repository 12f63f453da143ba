"""What the replicas that exist, or are on their way, are good for."""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache

from pointsman_autoscaler.decision.observation import Pool
from pointsman_autoscaler.forecast.distribution import normal_score
from pointsman_autoscaler.view import Flavour, Startup

_P90 = normal_score(0.9)
# A start is late beyond this quantile of its time. Spot capacity is given up sooner.
LATE, LATE_SPOT = 0.95, 0.9
# And stuck at half as long again, spot at a quarter.
STUCK, STUCK_SPOT = 1.5, 1.25
# Starts differ by at least so much: two nodes never take the same time.
_LEAST_SPREAD = 0.1


@lru_cache(maxsize=4096)
def startup_quantile(startup: Startup, share: float) -> float:
    """Seconds that a start does not exceed with this probability, of the lognormal through p50 and p90."""
    if startup.p50_seconds <= 0:
        return startup.p90_seconds
    spread = max(math.log(max(startup.p90_seconds, 1e-3) / startup.p50_seconds) / _P90, _LEAST_SPREAD)
    return startup.p50_seconds * math.exp(normal_score(share) * spread)


def late_after_seconds(flavour: Flavour) -> float:
    """The age at which a replica that was never ready no longer counts."""
    return startup_quantile(flavour.startup, LATE_SPOT if flavour.is_spot else LATE)


def stuck_after_seconds(flavour: Flavour) -> float:
    """The age at which another flavour takes its place; one start in twenty is late without being stuck."""
    return late_after_seconds(flavour) * (STUCK_SPOT if flavour.is_spot else STUCK)


def late(pool: Pool) -> int:
    """Replicas that should be ready by now."""
    return _older(pool, late_after_seconds)


def stuck(pool: Pool) -> int:
    """Replicas that another flavour should take the place of."""
    return _older(pool, stuck_after_seconds)


def _older(pool: Pool, limit_of: Callable[[Flavour], float]) -> int:
    if not pool.pending_seconds:
        return 0
    limit_seconds = limit_of(pool.flavour)
    return sum(age > limit_seconds for age in pool.pending_seconds)


def rate_of_cheapest(offers: Iterable[tuple[float, float]]) -> float:
    """Requests a second of a replica of the flavour that serves most for its price; 0 without any. `offers`
    are of each the price an hour and the requests a second.
    """
    return max(((rate / max(price, 1e-9), rate) for price, rate in offers), default=(0.0, 0.0))[1]
