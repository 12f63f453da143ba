"""What was attained against what was promised, in windows of five minutes, and the trim that follows."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from pointsman.placement.demand import Bound
from pointsman_autoscaler.scaler.engines import Interval
from pointsman_autoscaler.view import GatewaySample, Histogram

WINDOW_SECONDS = 300.0
# Fewer answers say nothing of a tail.
_LEAST_ANSWERS = 20.0
# Trim moves at most so far from what the learned capacity says.
_LOWEST, _HIGHEST = 0.8, 1.2
# A window that missed its bounds. At one miss in a hundred windows, that is undone by the ninety-nine others.
_STEP = 0.05


class Attaining:
    """Counts answers within each bound; moves the trim so that windows miss as often as they may."""

    def __init__(self, bounds: Sequence[Bound], attainment: float) -> None:
        self._bounds = tuple(bounds)
        self._attainment = min(max(attainment, 0.5), 0.9999)
        self._within = [0.0] * len(self._bounds)
        self._surely = [0.0] * len(self._bounds)
        self._all = [0.0] * len(self._bounds)
        self._began: float | None = None
        self._gateway: Histogram | None = None
        self._was_starting = False
        self.trim = 1.0
        self.windows = 0
        self.missed = 0

    def observe(
        self,
        now_seconds: float,
        gateway: Sequence[GatewaySample],
        intervals: Sequence[Interval],
        is_starting: bool,
    ) -> None:
        self._was_starting = self._was_starting or is_starting
        if self._began is None or now_seconds < self._began:
            self._begin(now_seconds)
        histogram = next((each.ttft for each in reversed(gateway) if each.ttft is not None), None)
        by_gateway = histogram is not None
        if histogram is not None:
            self._count("ttft", self._gateway, histogram)
            self._gateway = histogram
        for interval in intervals:
            if not by_gateway:
                self._count("ttft", interval.before.ttft, interval.after.ttft)
            self._count("itl", interval.before.itl, interval.after.itl)
        if self._began is not None and now_seconds - self._began >= WINDOW_SECONDS:
            self._close()
            self._begin(now_seconds)

    def _count(self, metric: str, before: Histogram | None, after: Histogram | None) -> None:
        if before is None or after is None or before is after or before.bounds != after.bounds:
            return
        came = after.count - before.count
        if came <= 0:
            return  # nothing came, or the engine began anew
        for place, bound in enumerate(self._bounds):
            if bound.metric == metric:
                self._all[place] += came
                self._within[place] += max(0.0, _below(after, bound.seconds) - _below(before, bound.seconds))
                self._surely[place] += max(
                    0.0, _at_most(after, bound.seconds) - _at_most(before, bound.seconds)
                )

    def _close(self) -> None:
        seen = [total for total in self._all if total >= _LEAST_ANSWERS]
        if not seen:
            return
        self.windows += 1
        if self._holds(self._surely):
            change = -_STEP * (1 - self._attainment) / self._attainment
        elif self._holds(self._within):
            # Engines' buckets are wide: what lies in the one that the bound divides may be beyond it. Then a
            # replica is not believed to do more than was learned of it.
            change = min(_STEP, max(0.0, 1.0 - self.trim))
        else:
            self.missed += 1
            # Until replicas that are asked for are ready, those that are there carry more than was planned.
            change = 0.0 if self._was_starting else _STEP
        self.trim = min(max(self.trim + change, _LOWEST), _HIGHEST)

    def _holds(self, within: Sequence[float]) -> bool:
        return all(
            count >= bound.quantile * total
            for bound, count, total in zip(self._bounds, within, self._all, strict=True)
            if total >= _LEAST_ANSWERS
        )

    def _begin(self, now_seconds: float) -> None:
        self._began = now_seconds
        self._within = [0.0] * len(self._bounds)
        self._surely = [0.0] * len(self._bounds)
        self._all = [0.0] * len(self._bounds)
        self._was_starting = False


def _at_most(histogram: Histogram, seconds: float) -> float:
    """How many were surely at most so long: those up to the last edge that is no longer."""
    place = bisect_right(histogram.bounds, seconds)
    return histogram.counts[place - 1] if place else 0.0


def _below(histogram: Histogram, seconds: float) -> float:
    """How many were at most so long, evenly spread within a bucket."""
    bounds, counts = histogram.bounds, histogram.counts
    place = bisect_left(bounds, seconds)
    if place >= len(bounds):
        return histogram.count
    low, least = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    high = bounds[place]
    if high == float("inf") or high <= low:
        return least
    return least + (counts[place] - least) * (seconds - low) / (high - low)
