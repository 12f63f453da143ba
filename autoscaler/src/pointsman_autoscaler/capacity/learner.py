"""What one replica of a flavour can do, learned from what its pods say. Pure.

Begins with what placement expects; what was seen takes its place as far as it says anything.
"""

import math
from collections.abc import Sequence

from pointsman.placement.demand import Bound
from pointsman_autoscaler.capacity.curve import Measured
from pointsman_autoscaler.capacity.services import PASSES_TOGETHER, Passes, Steps, cache_limit
from pointsman_autoscaler.capacity.station import Arriving, Service, Station
from pointsman_autoscaler.capacity.workload import Capacity, Workload
from pointsman_autoscaler.view import Flavour, Pod

# Inputs this near (1/50: 2 %) are one: a measured mean is no more exact, and each answer is worked out once.
_STEPS_PER_E = 50
# The rate counts only for how bursts spread over replicas.
_RATE_STEPS_PER_E = 10
# Answers that are remembered: the load of now, and what a decision tries beside it.
_REMEMBERED = 16


class Learner:
    """Of one (model, flavour). Not for several threads."""

    def __init__(self, flavour: Flavour, bounds: tuple[Bound, ...]) -> None:
        self._flavour = flavour
        self._bounds = bounds
        self._stations: dict[Workload, Station] = {}
        self._capacities: dict[Workload, Capacity] = {}

    def observe(self, pods: Sequence[Pod], now_seconds: float) -> None:
        """Takes samples that were not there before, of this flavour's pods; others are passed over."""

    def capacity(self, workload: Workload) -> Capacity:
        """The largest load of one replica that keeps the bounds."""
        usual = rounded(workload)
        found = self._capacities.get(usual)
        if found is None:
            found = self._worked_out(usual)
            if len(self._capacities) >= _REMEMBERED:
                self._capacities.clear()
            self._capacities[usual] = found
        return found

    def excess(self, requests_per_second: float, workload: Workload) -> float:
        """The worst latency of one replica at that load, in multiples of its bound; inf past saturation."""
        return self._station(rounded(workload)).excess_at(requests_per_second)

    def waiting_seconds(self, backlog_requests: float, replicas: float, workload: Workload) -> float:
        """Until the last of those that wait is taken in, by so many replicas that do nothing else."""
        if backlog_requests <= 0:
            return 0.0
        if replicas <= 0:
            return math.inf
        return backlog_requests / (replicas * self._station(rounded(workload)).saturation)

    def _worked_out(self, workload: Workload) -> Capacity:
        station = self._station(workload)
        most = station.most_within()
        running = station.least if most is None else most
        tails = station.tails(running)
        if most is None or running < station.most:
            worst = max(tails, key=lambda each: each[1] / each[0].seconds)
            binding = worst[0].name
        else:
            binding = station.limit
        return Capacity(
            requests_per_second=station.rate(running),
            binding=binding,
            predicted=tails,
            confidence=0.0,
            reachable=most is not None,
            saturation_per_second=station.saturation,
        )

    def _station(self, workload: Workload) -> Station:
        found = self._stations.get(workload)
        if found is None:
            if len(self._stations) >= _REMEMBERED:
                self._stations.clear()
            found = self._stations[workload] = self._built(workload)
        return found

    def _built(self, workload: Workload) -> Station:
        flavour, bounds = self._flavour, self._bounds
        arriving = Arriving(workload.requests_per_second, workload.interarrival_cv**2, workload.output_cv**2)
        service: Service
        slots = limit = float(flavour.slots)
        if flavour.law is None:
            service = Measured(workload, bounds)
        elif not workload.output_tokens:
            service = Passes(flavour.law, flavour.stages, workload, bounds)
            slots = limit = PASSES_TOGETHER
        else:
            service = Steps(flavour.law, flavour.stages, workload, bounds)
            limit = cache_limit(workload, flavour.cache_tokens, bounds, slots)
        return Station(service, slots, limit, arriving, {})


def rounded(workload: Workload) -> Workload:
    """The workload as it is worked out: near ones are the same; what is no number is the usual."""
    return Workload(
        _near(workload.requests_per_second, _RATE_STEPS_PER_E),
        _near(workload.input_tokens, _STEPS_PER_E),
        _near(workload.output_tokens, _STEPS_PER_E),
        _tenths(workload.interarrival_cv),
        _tenths(workload.input_cv),
        _tenths(workload.output_cv),
        min(round(workload.prefix_hit, 2), 0.99) if 0 < workload.prefix_hit < math.inf else 0.0,
    )


def _near(value: float, steps: int) -> float:
    if not 0 < value < math.inf:
        return 0.0
    return math.exp(round(math.log(value) * steps) / steps)


def _tenths(variation: float) -> float:
    return round(variation, 1) if 0 <= variation < math.inf else 1.0
