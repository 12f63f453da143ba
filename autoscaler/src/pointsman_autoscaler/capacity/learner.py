"""What one replica of a flavour can do, learned from what its pods say. Pure.

Begins with what placement expects; what was seen takes its place as far as it says anything. Answers are
remembered until what is believed changes.
"""

import math
from collections.abc import Mapping, Sequence

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.capacity.correction import Correction, Seen
from pointsman_autoscaler.capacity.curve import CurveFit, Measured
from pointsman_autoscaler.capacity.law import LawFit
from pointsman_autoscaler.capacity.looks import look_of, usual_look
from pointsman_autoscaler.capacity.rounding import rounded
from pointsman_autoscaler.capacity.services import PASSES_TOGETHER, Passes, Steps, cache_limit
from pointsman_autoscaler.capacity.station import Arriving, Service, Station
from pointsman_autoscaler.capacity.windows import PodWindows, Window
from pointsman_autoscaler.capacity.workload import Capacity, Workload
from pointsman_autoscaler.view import Flavour, Pod

# Stations that are remembered: of the load of now, and of those beside it.
_REMEMBERED = 16
# Answers, which are smaller: loads come and go among some dozens of neighbours for hours.
_ANSWERS = 128
# A step or a factor that moved by less is the same: answers stay.
_SAME = 0.005


class Learner:
    """Of one (model, flavour). Not for several threads; its memory grows with the pods alone."""

    def __init__(self, flavour: Flavour, bounds: tuple[Bound, ...]) -> None:
        self._flavour = flavour
        self._bounds = bounds
        self._fit = None if flavour.law is None else LawFit(flavour.law)
        self._curve = CurveFit()
        self._corrections = _corrections(bounds, {})
        self._pods: dict[str, PodWindows] = {}
        self._stations: dict[Workload, Station] = {}
        self._capacities: dict[Workload, Capacity] = {}
        # What answers were worked out with.
        self._law = flavour.law
        self._factors = [1.0] * len(bounds)
        # Until somebody asks, requests are taken to be alike.
        self._usual = Workload(0.0, 0.0, 0.0, 1.0, 0.0, 0.0)

    @property
    def law(self) -> StepTime | None:
        """The step time as it is believed now; None for engines that have none."""
        return None if self._fit is None else self._fit.law

    @property
    def factors(self) -> dict[Bound, float]:
        """What predictions of each bound are multiplied with, from what was seen of it."""
        return dict(zip(self._bounds, self._newest_factors(), strict=True))

    def _newest_factors(self) -> list[float]:
        return [correction.factor for correction in self._corrections]

    def follow(self, bounds: tuple[Bound, ...]) -> None:
        """Other bounds from now on: what a step takes is what it was; corrections are of bounds, and those of
        the same ones stay.
        """
        known = dict(zip(self._bounds, self._corrections, strict=True))
        self._bounds = bounds
        self._corrections = _corrections(bounds, known)
        self._factors = self._newest_factors()
        self._forget_answers()

    def observe(self, pods: Sequence[Pod], now_seconds: float) -> None:
        """Takes samples that were not there before, of this flavour's pods; others are passed over."""
        name = self._flavour.name
        windows: list[Window] = []
        there = set()
        for pod in pods:
            if pod.flavour != name:
                continue
            there.add(pod.name)
            known = self._pods.get(pod.name)
            if known is None:
                known = self._pods[pod.name] = PodWindows(pod.name)
            windows += known.take(pod, now_seconds)
        if len(self._pods) > len(there):
            self._pods = {pod: known for pod, known in self._pods.items() if pod in there}
        if windows:
            windows.sort(key=lambda window: (window.ends_seconds, window.pod))
            self._learn(windows)

    def capacity(self, workload: Workload) -> Capacity:
        """The largest load of one replica that keeps the bounds."""
        usual = self._usual = rounded(workload)
        found = self._capacities.pop(usual, None)
        if found is None:
            found = self._worked_out(usual)
            if len(self._capacities) >= _ANSWERS:
                del self._capacities[next(iter(self._capacities))]
        self._capacities[usual] = found  # the one asked for last is dropped last
        return found

    def confidence(self, workload: Workload) -> float:
        """How much of what `capacity` says was measured: 0 where nothing was, towards 1."""
        if self._fit is None:
            return self._curve.confidence
        usual = rounded(workload)
        station = self._station(usual)
        most = station.most_within()
        running = station.least if most is None else most
        return self._fit.confidence(usual_look(running, usual, self._flavour.stages))

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

    def _learn(self, windows: Sequence[Window]) -> None:
        if self._fit is None:
            self._curve.learn(windows)
            self._forget_answers()
        else:
            looks = [look_of(window, self._flavour, self._usual) for window in windows]
            sound = [look for look in looks if look is not None]
            self._fit.learn(sound)
            if any(self._fit.has_moved(look, _SAME) for look in sound[-1:]):
                self._fit.settle()
                self._forget_answers()
        for window in windows:
            self._compare([correction.add(window) for correction in self._corrections])
        factors = self._newest_factors()
        if any(abs(new / old - 1) > _SAME for new, old in zip(factors, self._factors, strict=True)):
            # Stations look at the factors each time.
            self._factors[:] = factors
            self._capacities.clear()

    def _compare(self, seen: Sequence[Seen | None]) -> None:
        """At the load at which each was seen, which mostly is the same, with what is believed now."""
        expected: dict[tuple[float, ...], dict[Bound, float]] = {}
        for place, each in enumerate(seen):
            if each is None:
                continue
            load = (each.requests, each.pod_seconds, each.prompt_tokens, each.output_tokens)
            tails = expected.get(load)
            if tails is None:
                per_pod = each.requests / each.pod_seconds
                station = self._station(self._seen_workload(each, per_pod))
                tails = expected[load] = dict(station.tails_at(per_pod))
            seconds = tails.get(self._bounds[place])
            if seconds is not None:
                self._corrections[place].compare(each, seconds / self._factors[place])

    def _seen_workload(self, seen: Seen, per_pod: float) -> Workload:
        usual = self._usual
        return rounded(
            Workload(
                max(usual.requests_per_second, per_pod),
                seen.prompt_tokens / seen.requests or usual.input_tokens,
                seen.output_tokens / seen.requests or usual.output_tokens,
                usual.interarrival_cv,
                usual.input_cv,
                usual.output_cv,
                usual.prefix_hit,
            )
        )

    def _forget_answers(self) -> None:
        self._stations.clear()
        self._capacities.clear()
        self._law = self.law

    def _worked_out(self, workload: Workload) -> Capacity:
        station = self._station(workload)
        most = station.most_within()
        running = station.least if most is None else most
        tails = station.tails(running)
        if tails and (most is None or running < station.planned):
            binding = max(tails, key=lambda each: each[1] / each[0].seconds)[0].name
        else:
            binding = station.limit
        return Capacity(
            requests_per_second=station.rate(running),
            binding=binding,
            predicted=tails,
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
        if self._law is None:
            service = Measured(self._curve, slots, workload, bounds)
        elif not workload.output_tokens:
            service = Passes(self._law, flavour.stages, workload, bounds)
            slots = limit = PASSES_TOGETHER
        else:
            service = Steps(self._law, flavour.stages, workload, bounds)
            limit = cache_limit(workload, flavour.cache_tokens, bounds, slots)
        return Station(service, slots, limit, arriving, bounds, self._factors)


def _corrections(bounds: tuple[Bound, ...], known: Mapping[Bound, Correction]) -> tuple[Correction, ...]:
    waits = [bound.seconds for bound in bounds if bound.metric == "ttft"]
    loosest = (max(waits),) if waits else ()
    return tuple(known.get(bound) or Correction(bound, *loosest) for bound in bounds)
