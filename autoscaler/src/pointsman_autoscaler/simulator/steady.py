"""How much load so many replicas of a flavour carry for ever: measured in the simulated engine itself.

What the one who knows the future knows too. A rate is carried when at least half of the 5-minute windows keep
every bound, so that by luck alone as many are better as are worse.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from pointsman.placement.capacity import capacity
from pointsman.placement.demand import Demand, Traffic
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator.run import Shares, simulate
from pointsman_autoscaler.simulator.scenario import Controls, Scenario, SimulatedFlavour
from pointsman_autoscaler.simulator.workloads import Lengths, from_rates, steady
from pointsman_autoscaler.view import View

LEVELS = (1, 2, 4)
"""Numbers of replicas that are measured; between them lines, beyond them the last one's share."""
_WINDOWS = (4, 3, 2)
"""Of each level: many replicas see as many requests in less time."""
_WINDOW_SECONDS = 300.0
# Rates this near to each other differ by luck alone in so few windows.
_CLOSE_ENOUGH = 1.03
_STRIDE = 1.15
_LEAST = 1e-3
# A replica that carries so many requests a second is not measured further: it carries whatever comes.
_MOST = 200.0
_WHATEVER = 1e6
_QUIET = Controls(missing_scrapes=0.0, failing_starts=0.0, history_seconds=60.0)


@dataclass(frozen=True, slots=True)
class Carried:
    """Requests a second that each of LEVELS carries together."""

    requests_per_second: tuple[float, ...]

    def by(self, replicas: float) -> float:
        """What so many replicas carry."""
        if replicas >= LEVELS[-1]:
            return self.requests_per_second[-1] / LEVELS[-1] * replicas
        return float(np.interp(replicas, (0, *LEVELS), (0.0, *self.requests_per_second)))

    @property
    def most_of_one(self) -> float:
        """Of one replica among many, where bursts even out best."""
        return max(rate / level for rate, level in zip(self.requests_per_second, LEVELS, strict=True))

    def replicas_for(self, requests_per_second: float) -> int:
        """The fewest that carry it; 0 for none."""
        if requests_per_second <= 0:
            return 0
        most = max(1, math.ceil(requests_per_second / (self.by(1) or math.inf)))
        if math.isinf(requests_per_second / (self.by(1) or _LEAST)):
            return most
        low, high = 0, max(most, LEVELS[-1]) + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.by(middle) < requests_per_second else (low, middle)
        return high


def carried(
    flavour: SimulatedFlavour,
    lengths: Lengths,
    settings: ScalingSettings,
    seed: int = 0,
    progress: Shares | None = None,
) -> Carried:
    """Of requests of these lengths that come by chance (Poisson). The shorter their answers, the more of them
    a replica carries, and the longer this takes: up to half a minute.
    """
    rates: list[float] = []
    for level, windows in zip(LEVELS, _WINDOWS, strict=True):
        guess = rates[-1] * level / LEVELS[len(rates) - 1] if rates else _expected(flavour, lengths, settings)
        rates.append(_largest(flavour, lengths, settings, level, windows, guess or 1.0, seed))
        if progress is not None:
            progress(len(rates) / len(LEVELS))
    return Carried(tuple(rates))


def _largest(
    flavour: SimulatedFlavour,
    lengths: Lengths,
    settings: ScalingSettings,
    level: int,
    windows: int,
    guess: float,
    seed: int,
) -> float:
    """The largest rate that is carried, from a guess; 0 where not even a request now and then is."""

    def is_carried(rate: float) -> bool:
        random = np.random.default_rng((seed, level))
        load = from_rates(steady(rate, windows * _WINDOW_SECONDS), lengths, 1.0, random)
        apart = replace(settings, minimum=level, maximum=level, idle_after_seconds=None, schedule=())
        own = replace(flavour, flavour=replace(flavour.flavour, minimum=level, maximum=level), spot=None)
        scenario = Scenario("steady", load, (own,), apart, _QUIET, {flavour.flavour.name: level})
        return simulate(scenario, Still(flavour.flavour.name, level), seed).attained_windows >= 0.5

    limit = _MOST * level
    low = high = min(guess, limit)
    if low == limit and is_carried(limit):
        return _WHATEVER * level
    if low < limit and is_carried(low):
        high = low * _STRIDE
        while is_carried(high):
            low, high = high, high * _STRIDE
            if low > limit:
                return _WHATEVER * level
    else:
        low = low / _STRIDE
        while not is_carried(low):
            high, low = low, low / _STRIDE
            if low < _LEAST:
                return 0.0
    while high > low * _CLOSE_ENOUGH:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if is_carried(middle) else (low, middle)
    return low


def _expected(flavour: SimulatedFlavour, lengths: Lengths, settings: ScalingSettings) -> float:
    """Where to begin to look: by placement's estimate."""
    own = flavour.flavour
    mean = Traffic(int(lengths.input_tokens.mean()) or 1, int(lengths.output_tokens.mean()) or 1)
    demand = Demand(settings.bounds, mean, stated=True)
    found = capacity(flavour.truth, own.stages, own.slots, own.cache_tokens, demand)
    return found.latency.requests_per_second


class Still:
    """A policy that changes nothing."""

    name = "still"
    interval_seconds = 3600.0

    def __init__(self, flavour: str, replicas: int) -> None:
        self._answer = {flavour: replicas}

    def decide(self, view: View) -> dict[str, int]:
        return self._answer
