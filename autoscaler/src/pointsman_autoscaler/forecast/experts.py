"""Guesses of the load some minutes ahead, each from one idea of how load goes on.

Seasons alone are worse than persistence on recorded production traffic (daily seasonal-naive 40 % against
11 % on ServeGen m-large), so each expert but `schedule` starts from the load of now.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pointsman_autoscaler.forecast.season import Season

LAST: Final = "last"
EWMA: Final = "ewma"
TREND: Final = "trend"
AUTOREGRESSION: Final = "autoregression"
SEASONAL: Final = "seasonal"
SCHEDULE: Final = "schedule"

# Before any is scored: persistence, and a little of what smooths and follows.
PRIOR: Mapping[str, float] = {
    LAST: 0.5,
    EWMA: 0.2,
    TREND: 0.1,
    AUTOREGRESSION: 0.1,
    SEASONAL: 0.05,
    SCHEDULE: 0.05,
}

# Shares of a minute's load in the smoothed levels: means over about 4 and 20 minutes.
_FAST, _SLOW = 0.4, 0.1
# Holt's weights of level and trend, and how much of a trend goes on after another minute (Gardner and
# McKenzie found 0.8 to 0.98 in most series).
_LEVEL, _TREND, _DAMPING = 0.4, 0.08, 0.9
# Nobody expects more than threefold, or less than a third, from the shape of former days.
_LARGEST_RATIO = 3.0


@dataclass(frozen=True, slots=True)
class Levels:
    """Where the load stands; requests a second, `trend` per minute."""

    last: float
    fast: float
    slow: float
    level: float
    trend: float

    @staticmethod
    def starting(requests_per_second: float) -> "Levels":
        return Levels(requests_per_second, requests_per_second, requests_per_second, requests_per_second, 0.0)

    def after(self, requests_per_second: float) -> "Levels":
        """A minute later."""
        expected = self.level + _DAMPING * self.trend
        level = expected + _LEVEL * (requests_per_second - expected)
        trend = _DAMPING * self.trend + _TREND * (requests_per_second - expected)
        return Levels(
            last=requests_per_second,
            fast=self.fast + _FAST * (requests_per_second - self.fast),
            slow=self.slow + _SLOW * (requests_per_second - self.slow),
            level=level,
            trend=trend,
        )


def features(levels: Levels, now_seconds: float, ahead_seconds: float, season: Season) -> tuple[float, ...]:
    """What the autoregression sees: logarithms of ratios, 0 where nothing is known."""
    return (
        _log_ratio(levels.fast, levels.last),
        _log_ratio(levels.slow, levels.last),
        _log_ratio(season.day(now_seconds + ahead_seconds), season.day(now_seconds)),
        _log_ratio(season.week(now_seconds + ahead_seconds), season.week(now_seconds)),
    )


def guesses(
    levels: Levels, now_seconds: float, ahead_seconds: float, season: Season, autoregressed: float
) -> dict[str, float]:
    """What each expert says; one that knows too little is absent. `autoregressed` is a log ratio to now."""
    minutes = max(1, round(ahead_seconds / 60))
    carried = _DAMPING * (1 - _DAMPING**minutes) / (1 - _DAMPING)
    said = {
        LAST: levels.last,
        EWMA: levels.fast,
        TREND: max(0.0, levels.level + levels.trend * carried),
        AUTOREGRESSION: levels.last * math.exp(autoregressed),
    }
    then, now = season.day(now_seconds + ahead_seconds), season.day(now_seconds)
    if then and now:
        said[SEASONAL] = levels.fast * min(max(then / now, 1 / _LARGEST_RATIO), _LARGEST_RATIO)
    usual = season.usual(now_seconds + ahead_seconds)
    if usual is not None:
        said[SCHEDULE] = usual
    return said


def _log_ratio(numerator: float | None, denominator: float | None) -> float:
    if not numerator or not denominator:
        return 0.0
    return math.log(min(max(numerator / denominator, 1 / _LARGEST_RATIO), _LARGEST_RATIO))
