"""A forecast: a mean and quantiles, with values between them as a normal distribution would have."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
# Beyond these nobody can tell from some days of data how likely something is.
_RAREST = 1e-4
# Quantiles that are the same are this share of the mean apart, so that each has its place.
_NARROWEST = 1e-6
# A limit is found to half a per cent of the width.
_HALVINGS = 8
_ROOT, _PEAK = math.sqrt(2), 1 / math.sqrt(2 * math.pi)


@lru_cache(maxsize=512)
def normal_score(quantile: float) -> float:
    """Standard deviations from the mean of a normal distribution to its quantile."""
    return _NORMAL.inv_cdf(min(max(quantile, _RAREST), 1 - _RAREST))


@dataclass(frozen=True)
class Forecast:
    """Requests a second. `quantiles` rise with their keys, which lie in (0, 1)."""

    mean: float
    quantiles: Mapping[float, float]
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much each expert was listened to."""
    horizon_seconds: float = 0.0

    def quantile(self, share: float) -> float:
        """The load that is not exceeded with this probability."""
        scores, values = self._curve
        score = normal_score(share)
        index = min(max(bisect_left(scores, score), 1), len(scores) - 1)
        return max(0.0, _line(score, scores, values, index))

    def probability_below(self, requests_per_second: float) -> float:
        """How likely the load is at most this."""
        scores, values = self._curve
        if requests_per_second < 0:
            return 0.0
        index = min(max(bisect_left(values, requests_per_second), 1), len(values) - 1)
        score = _line(requests_per_second, values, scores, index)
        probability = 0.5 * math.erfc(-score / math.sqrt(2))
        return min(max(probability, 0.0), 1.0)

    def mean_share_above(self, low: float, high: float) -> float:
        """The share of time above a limit that may lie anywhere between these, on the mean."""
        if high <= low:
            return 1 - self.probability_below(low)
        tail = self._tail
        return (tail.excess(low) - tail.excess(high)) / (high - low)

    def limit(self, share: float, width: float) -> float:
        """The least limit, at least the median, that is not exceeded so often on the mean over those up to
        `width` above it. Without a width that is the quantile."""
        high = self.quantile(share)
        low = min(max(self.quantile(0.5), high - width), high)
        if width <= 0:
            return high
        tail = self._tail
        allowed = (1 - share) * width
        if tail.excess(low) - tail.excess(low + width) <= allowed:
            return low
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if tail.excess(middle) - tail.excess(middle + width) > allowed:
                low = middle
            else:
                high = middle
        return high

    def raised_to(self, least_mean: float) -> "Forecast":
        """The same spread about a mean of at least `least_mean`."""
        if least_mean <= self.mean:
            return self
        shift = least_mean - self.mean
        moved = {share: value + shift for share, value in self.quantiles.items()}
        return Forecast(least_mean, moved, self.weights, self.horizon_seconds)

    def times(self, share: float) -> "Forecast":
        """A part of it."""
        parts = {each: value * share for each, value in self.quantiles.items()}
        return Forecast(self.mean * share, parts, self.weights, self.horizon_seconds)

    @cached_property
    def _tail(self) -> "_Tail":
        return _Tail(*self._curve)

    @cached_property
    def _curve(self) -> tuple[list[float], list[float]]:
        """Scores and values, both strictly rising."""
        shares = sorted(self.quantiles)
        scores = [normal_score(share) for share in shares]
        values = [self.quantiles[share] for share in shares]
        least = max(self.mean * _NARROWEST, 1e-12)
        if len(scores) < 2:
            return [-1.0, 0.0, 1.0], [self.mean - least, self.mean, self.mean + least]
        for index in range(1, len(values)):
            step = least * (scores[index] - scores[index - 1])
            if values[index] < (narrowest := values[index - 1] + step):
                values[index] = narrowest
        return scores, values


def _line(at: float, along: list[float], across: list[float], index: int) -> float:
    """The value at `at` of the straight line through the points before and at `index`."""
    left, right = along[index - 1], along[index]
    share = (at - left) / (right - left)
    return across[index - 1] + share * (across[index] - across[index - 1])


class _Tail:
    """How far a quantity is above a limit, on the mean, nothing where it is below: of a curve's pieces."""

    def __init__(self, scores: list[float], values: list[float]) -> None:
        self._scores, self._values = scores, values
        self._last = last = len(scores) - 1
        self._above = [_above(score) for score in scores]
        self._slopes = [
            (values[place] - values[place - 1]) / (scores[place] - scores[place - 1])
            for place in range(1, last + 1)
        ]
        """Of the pieces that end at each place but the first."""
        beyond, density = self._above[last]
        self._excess = [0.0] * last + [self._slopes[-1] * (density - scores[last] * beyond)]
        for place in range(last, 0, -1):
            before = place - 1
            self._excess[before] = self._within(place, scores[before], values[before], *self._above[before])

    def excess(self, limit: float) -> float:
        index = bisect_left(self._values, limit)
        place = min(index or 1, self._last)
        slope = self._slopes[place - 1]
        score = self._scores[place] + (limit - self._values[place]) / slope
        beyond, density = _above(score)
        if index > self._last:
            return max(0.0, slope * (density - score * beyond))
        return self._within(place, score, limit, beyond, density)

    def _within(self, place: int, score: float, limit: float, beyond: float, density: float) -> float:
        """Of a limit on the piece that ends at `place`."""
        beyond_end, density_end = self._above[place]
        piece = self._slopes[place - 1] * (density - density_end - score * (beyond - beyond_end))
        return self._excess[place] + (self._values[place] - limit) * beyond_end + piece


def _above(score: float) -> tuple[float, float]:
    """Of the normal distribution: how likely more than this score is, and its density there."""
    return 0.5 * math.erfc(score / _ROOT), math.exp(-score * score / 2) * _PEAK
