"""What the next interval brings, from what the last ones brought, as Dynamo's planner predicts it. Pure.

ai-dynamo 1.6.1, dynamo/planner/core/load/predictors.py: constant, and Kalman's filter of a linear trend.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

PredictorName = Literal["constant", "kalman"]

# How little is known of level and trend before anything was seen (variance).
_UNKNOWN = 1000.0


class Predictor(Protocol):
    def observe(self, value: float) -> None:
        """One interval's value; zeros before the first traffic, and what is not finite, tell nothing."""
        ...

    def next(self) -> float: ...


@dataclass
class Constant:
    """The last value again."""

    _last: float = 0.0

    def observe(self, value: float) -> None:
        self._last = value if math.isfinite(value) else 0.0

    def next(self) -> float:
        return self._last


@dataclass
class Kalman:
    """Level and trend, each with noise; the last value until `least_points` were seen."""

    level_noise: float = 1.0
    trend_noise: float = 0.1
    observation_noise: float = 10.0
    least_points: int = 5
    _last: float = 0.0
    _seen: int = 0
    _level: float = 0.0
    _trend: float = 0.0
    _variance: tuple[float, float, float] = (_UNKNOWN, 0.0, _UNKNOWN)
    """Of the level, of both, of the trend."""
    _ahead: bool = False
    """Whether the state is that of the next interval already."""

    def observe(self, value: float) -> None:
        value = value if math.isfinite(value) else 0.0
        if value == 0 and not self._seen:
            return
        self._last, self._seen = value, self._seen + 1
        if self._seen == 1:
            self._level = value
            return
        if not self._ahead:
            self._step()
        self._ahead = False
        level, both, trend = self._variance
        gain, gain_trend = level / (level + self.observation_noise), both / (level + self.observation_noise)
        surprise = value - self._level
        self._level += gain * surprise
        self._trend += gain_trend * surprise
        self._variance = ((1 - gain) * level, (1 - gain) * both, trend - gain_trend * both)

    def next(self) -> float:
        if self._seen < self.least_points:
            return self._last
        if not self._ahead:
            self._step()
            self._ahead = True
        return max(0.0, self._level)

    def _step(self) -> None:
        level, both, trend = self._variance
        self._level += self._trend
        self._variance = (level + 2 * both + trend + self.level_noise, both + trend, trend + self.trend_noise)


def predictor(name: PredictorName) -> Predictor:
    return Kalman() if name == "kalman" else Constant()
