"""What a load test of one replica would have told the person who sets a peer's target. Pure."""

from dataclasses import dataclass
from functools import lru_cache

from pointsman.placement.capacity import Capacity, capacity
from pointsman.placement.demand import Bound, Demand, Traffic
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.view import Flavour


@dataclass(frozen=True, slots=True)
class Profile:
    """The most that one replica does within the bounds: what it runs at once, and what it serves.

    Without a law nothing was measured: `concurrency` is what the replica can run, and the rate is None.
    """

    concurrency: float
    requests_per_second: float | None
    fits: bool
    """False: it misses a bound even by itself."""


def profile_of(flavour: Flavour, bounds: tuple[Bound, ...], traffic: Traffic) -> Profile:
    """For requests like `traffic`, from the law that the flavour was placed with."""
    if flavour.law is None:
        return Profile(max(1.0, float(flavour.slots)), None, True)
    most = _capacity(flavour.law, flavour.stages, flavour.slots, flavour.cache_tokens, bounds, traffic)
    return Profile(max(most.requests, 1e-3), most.latency.requests_per_second, most.within)


@lru_cache(maxsize=512)
def _capacity(
    law: StepTime, stages: int, slots: int, cache_tokens: int, bounds: tuple[Bound, ...], traffic: Traffic
) -> Capacity:
    # A cache of unknown size does not limit: every slot then has room.
    held = cache_tokens or slots * max(1, traffic.total_tokens)
    return capacity(law, stages, slots, held, Demand(bounds, traffic, stated=True))
