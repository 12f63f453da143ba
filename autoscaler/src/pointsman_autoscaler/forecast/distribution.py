"""A forecast: a mean and quantiles, with values between them as a normal distribution would have."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
# Beyond these nobody can tell from some days of data how likely something is.
_RAREST = 1e-4
# Quantiles that are the same are this share of the mean apart, so that each has its place.
_NARROWEST = 1e-6
# Scores beyond this weigh nothing.
_FURTHEST = 6.0
_ROOT, _PEAK = math.sqrt(2), 1 / math.sqrt(2 * math.pi)


@lru_cache(maxsize=512)
def normal_score(quantile: float) -> float:
    """Standard deviations from the mean of a normal distribution to its quantile."""
    return _NORMAL.inv_cdf(min(max(quantile, _RAREST), 1 - _RAREST))


@dataclass(frozen=True, slots=True)
class Forecast:
    """Requests a second. `quantiles` rise with their keys, which lie in (0, 1)."""

    mean: float
    quantiles: Mapping[float, float]
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much each expert was listened to."""
    horizon_seconds: float = 0.0

    def quantile(self, share: float) -> float:
        """The load that is not exceeded with this probability."""
        scores, values = self._curve()
        score = normal_score(share)
        index = min(max(bisect_left(scores, score), 1), len(scores) - 1)
        return max(0.0, _line(score, scores, values, index))

    def probability_below(self, requests_per_second: float) -> float:
        """How likely the load is at most this."""
        scores, values = self._curve()
        if requests_per_second < 0:
            return 0.0
        index = min(max(bisect_left(values, requests_per_second), 1), len(values) - 1)
        score = _line(requests_per_second, values, scores, index)
        probability = 0.5 * math.erfc(-score / math.sqrt(2))
        return min(max(probability, 0.0), 1.0)

    def mean_share_above(self, low: float, high: float) -> float:
        """The share of time above a limit that may lie anywhere between these: the mean over all such limits."""
        if high <= low:
            return 1 - self.probability_below(low)
        scores, values = self._curve()
        return (_excess(low, scores, values) - _excess(high, scores, values)) / (high - low)

    def raised_to(self, least_mean: float) -> "Forecast":
        """The same spread about a mean of at least `least_mean`."""
        if least_mean <= self.mean:
            return self
        shift = least_mean - self.mean
        moved = {share: value + shift for share, value in self.quantiles.items()}
        return Forecast(least_mean, moved, self.weights, self.horizon_seconds)

    def _curve(self) -> tuple[list[float], list[float]]:
        """Scores and values, both strictly rising."""
        scores = [normal_score(share) for share in sorted(self.quantiles)]
        values = [self.quantiles[share] for share in sorted(self.quantiles)]
        least = max(self.mean * _NARROWEST, 1e-12)
        if len(scores) < 2:
            return [-1.0, 0.0, 1.0], [self.mean - least, self.mean, self.mean + least]
        for index in range(1, len(values)):
            step = least * (scores[index] - scores[index - 1])
            values[index] = max(values[index], values[index - 1] + step)
        return scores, values


def _line(at: float, along: list[float], across: list[float], index: int) -> float:
    """The value at `at` of the straight line through the points before and at `index`."""
    left, right = along[index - 1], along[index]
    share = (at - left) / (right - left)
    return across[index - 1] + share * (across[index] - across[index - 1])


def _excess(limit: float, scores: list[float], values: list[float]) -> float:
    """How far above the limit, on the mean: nothing where it is below. Of the curve's straight pieces."""
    total = 0.0
    last = len(scores) - 2
    for index in range(last + 1):
        if index < last and values[index + 1] <= limit:
            continue
        left, base = scores[index], values[index]
        slope = (values[index + 1] - base) / (scores[index + 1] - left)
        begin = left if index else -_FURTHEST
        if base + slope * (begin - left) < limit:
            begin = left + (limit - base) / slope
        end = scores[index + 1] if index < last else max(begin, _FURTHEST)
        share, moment = _up_to(end)
        share_before, moment_before = _up_to(begin)
        total += (base - slope * left - limit) * (share - share_before) - slope * (moment - moment_before)
    return max(0.0, total)


def _up_to(score: float) -> tuple[float, float]:
    """Of the normal distribution: how likely less than this score is, and its density there."""
    return 0.5 * math.erfc(-score / _ROOT), math.exp(-score * score / 2) * _PEAK
