"""One replica under load: its latencies and its rate while a number of requests runs. Pure.

What runs is a `Service`: placement's stage with the learned law, a measured curve, or single passes. Around
it lie the replica's limits: requests wait for one of its slots (a queue with so many servers, by Allen and
Cunneen with Sakasegawa's probability of waiting), and those that run fit into its cache with their variation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from pointsman.placement.capacity import largest
from pointsman.placement.demand import Bound
from pointsman.placement.stage import log_tail

# How near the search comes: noise of the answer must not look like a change of the load.
_CLOSE_ENOUGH = 1.002
_AT_BOUND = 0.999
# A queue for slots that never ends has no numbers: the mean number that runs stays below this share.
FULLEST = 0.98
# No more than this share of the saturation is a load to plan for: the law's own error is some 4 %, and so
# near to it queues take longer to settle than loads stay the same.
BUSIEST = 0.94
# Larger variation says more of the pauses than of the queue: no more is taken from the time between arrivals.
# Conversations of 2023 have 1.2 (squared), an hour of code completions 170, nearly all of it pauses.
BURSTIEST = 16.0
_MEDIAN = 0.5
# Less than one running request, or than so much of what fits, is no load: bounds that are missed there are
# missed at any.
_LEAST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Arriving:
    """How requests come to the model, and how their answers differ (squared coefficients of variation)."""

    requests_per_second: float
    variation: float
    answers: float

    def at(self, requests_per_second: float) -> float:
        """The variation at one replica that gets so many of them at random.

        A share p of a stream keeps 1 + p·(variation - 1) of it. A regular stream is taken as a random one:
        what spreads it over the replicas does not keep it regular.
        """
        if self.variation <= 1.0:
            return 1.0
        share = min(1.0, requests_per_second / self.requests_per_second) if self.requests_per_second else 1.0
        return 1.0 + share * (min(self.variation, BURSTIEST) - 1.0)


class Point(NamedTuple):
    """At one mean number of running requests."""

    arrivals: float
    """The squared variation of the time between those that this replica gets."""
    seconds: float
    """In the replica, without waiting for a slot."""
    tails: Sequence[float]
    """Seconds, of each of the service's bounds."""


class Service(Protocol):
    """What requests meet once they run, as far as `bounds` bound it."""

    bounds: tuple[Bound, ...]

    def rate(self, requests: float) -> float:
        """Requests a second that are served while a mean of `requests` runs; it rises with them."""
        ...

    def point(self, requests: float, arriving: Arriving) -> Point:
        """Latencies of those that run then."""
        ...


class Station:
    """A replica for one workload. `factors` multiply what is predicted of each of `bounds`, as they are
    whenever it is asked.
    """

    def __init__(
        self,
        service: Service,
        slots: float,
        cache_limit: float,
        arriving: Arriving,
        bounds: tuple[Bound, ...],
        factors: Sequence[float],
    ) -> None:
        self._service = service
        self._slots = max(slots, 1.0)
        self._rarer_by = math.sqrt(2 * (self._slots + 1)) - 1
        self._arriving = arriving
        self._factors = factors
        # Of each of the service's bounds: its factor, whether waiting counts, what is rare (0: the mean is
        # bounded), and its seconds.
        self._kinds = [
            (
                bounds.index(bound),
                bound.metric == "ttft",
                1 - bound.quantile if bound.quantile > _MEDIAN else 0.0,
                bound.seconds,
            )
            for bound in service.bounds
        ]
        by_slots = self._slots * FULLEST
        self.limit = "cache" if cache_limit < by_slots else "slots"
        self.most = min(by_slots, cache_limit)
        self.saturation = service.rate(self.most)

    @cached_property
    def planned(self) -> float:
        """The most that run in a load to plan for."""
        return self._running(BUSIEST * self.saturation)

    @property
    def least(self) -> float:
        return min(1.0, self.planned * _LEAST_SHARE)

    @property
    def turn(self) -> float:
        return 0.0

    def tails(self, requests: float) -> tuple[tuple[Bound, float], ...]:
        """Each bound with what is expected of it, in seconds."""
        return tuple(zip(self._service.bounds, self._latencies(requests), strict=True))

    def excess(self, requests: float) -> float:
        """The worst latency, in multiples of its bound."""
        worst = 0.0
        for latency, (_, _, _, seconds) in zip(self._latencies(requests), self._kinds, strict=True):
            times = latency / seconds
            if times > worst:
                worst = times
        return worst

    def tails_at(self, requests_per_second: float) -> tuple[tuple[Bound, float], ...]:
        """Each bound at a load; at and beyond saturation, at the most that is planned for."""
        return self.tails(self._running(min(requests_per_second, BUSIEST * self.saturation)))

    def excess_at(self, requests_per_second: float) -> float:
        """The worst latency at a load; infinite where the replica cannot work it off."""
        if requests_per_second <= 0:
            return self.excess(0.0)
        if requests_per_second >= self.saturation:
            return math.inf
        return self.excess(self._running(requests_per_second))

    def most_within(self) -> float | None:
        """The most requests that run within the bounds; None where `least` is too many."""
        return largest(self, self.planned, self.least, _CLOSE_ENOUGH, _AT_BOUND)

    def rate(self, requests: float) -> float:
        return self._service.rate(requests)

    def _latencies(self, requests: float) -> list[float]:
        """Of each of the service's bounds, in seconds, as they are corrected now."""
        point, factors = self._service.point(requests, self._arriving), self._factors
        busy = requests / self._slots
        if busy > FULLEST:
            busy = FULLEST
        # How likely a request waits for a slot, and how long those wait that do.
        waits = busy**self._rarer_by
        varied = (point.arrivals + self._arriving.answers) / 2
        mean = point.seconds * varied / (self._slots * (1 - busy))
        found = []
        for seconds, (place, is_first, rare, _) in zip(point.tails, self._kinds, strict=True):
            if is_first and waits:
                seconds += mean * (log_tail(waits, rare) if rare else waits)
            found.append(seconds * factors[place])
        return found

    def _running(self, requests_per_second: float) -> float:
        """The number of running requests at a load below saturation (false position)."""
        low, high = 0.0, self.most
        below, above = -requests_per_second, self.saturation - requests_per_second
        while high - low > 1e-4 * high:
            middle = low + (high - low) * below / (below - above)
            middle = min(max(middle, low + (high - low) / 50), high - (high - low) / 50)
            off = self._service.rate(middle) - requests_per_second
            if abs(off) < 1e-4 * requests_per_second:
                return middle
            if off < 0:
                low, below, above = middle, off, above / 2
            else:
                high, above, below = middle, off, below / 2
        return high
