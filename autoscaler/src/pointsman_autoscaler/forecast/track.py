"""One horizon: what the experts said for it, how wrong they were, and what then came."""

import math
from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pointsman_autoscaler.forecast.distribution import normal_score
from pointsman_autoscaler.forecast.experts import PRIOR, Levels, features, guesses
from pointsman_autoscaler.forecast.regression import Regression
from pointsman_autoscaler.forecast.season import Season

# Shares at which a forecast is stated; the upper end matters, the lower says how sure it is of less.
SHARES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995)

# A day of minutes: what is rare at noon is as rare at night once divided by its scale.
_RESIDUALS = 1440
# What is foreseen is the mean of so many minutes from when a replica would be ready: bounds are promised for
# windows of five minutes, and what is above the mean for one of them is made up for by the others.
WINDOW_MINUTES = 5
_LEAST_MINUTES = 3
# Before outcomes: as many of a normal distribution, half as wide again as the scale says.
_IMAGINED, _IMAGINED_WIDTH = 60, 1.5
_QUANTILES_EVERY = 5
# Further off, load made a step that nothing foretold: nobody keeps replicas for the next, and a step counts
# in each minute until it is seen. So many scales are a quarter of a large load.
_LARGEST_RESIDUAL = 4.0
# For the same reason nothing is learned from it but that load went up or down.
_LARGEST_RATIO = 1.5
# Loads differ by so much beyond the noise of counting, from one start-up time to the next (the median
# step between ten-minute bins of ServeGen).
_RELATIVE_NOISE = 0.05
# Losses halve after three hours of minutes.
_FORGETTING = 0.5 ** (1 / 180)
# An expert whose loss is a tenth above the best's is listened to a factor e less, given evidence.
_SHARPNESS = 10.0
_EVIDENCE = 30.0
_TAIL = 0.9
_TAIL_STEP = 0.05


@dataclass(slots=True)
class _Record:
    """How one expert did: discounted loss and weight of evidence, and its own 0.9 quantile in scales."""

    loss: float = 0.0
    evidence: float = 0.0
    tail: float = normal_score(_TAIL)


@dataclass(frozen=True, slots=True)
class _Said:
    due_minute: int
    by_expert: Mapping[str, float]
    together: float
    features: tuple[float, ...]
    last: float


class Track:
    """Experts and residuals of one horizon of `minutes`."""

    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        self._waiting: deque[_Said] = deque(maxlen=minutes + WINDOW_MINUTES)
        self._came: deque[tuple[int, float]] = deque(maxlen=WINDOW_MINUTES)
        # The middle of the window.
        self._ahead_seconds = (minutes + WINDOW_MINUTES // 2) * 60
        self._records = {name: _Record() for name in PRIOR}
        self._regression = Regression(4)
        self._residuals = array(
            "d",
            [_IMAGINED_WIDTH * normal_score((number + 0.5) / _IMAGINED) for number in range(_IMAGINED)],
        )
        self._next = 0
        self._scored = 0
        self._scores: tuple[float, ...] | None = None
        self._weights: dict[str, float] | None = None

    def settle(self, minute: int, outcome: float | None, noise: float) -> None:
        """Compares what was said for this minute with what came. Gaps and zeros tell nothing."""
        if outcome:
            self._came.append((minute, outcome))
        while self._waiting and self._waiting[0].due_minute <= minute:
            said = self._waiting.popleft()
            came = [rate for at, rate in self._came if at > said.due_minute - WINDOW_MINUTES]
            if said.due_minute == minute and len(came) >= _LEAST_MINUTES and said.together > 0:
                self._score(said, sum(came) / len(came), noise)

    def say(self, minute: int, levels: Levels, now_seconds: float, season: Season) -> None:
        """Notes what the experts say now, to be compared when the horizon has passed."""
        if levels.last <= 0:
            return
        seen = features(levels, now_seconds, self._ahead_seconds, season)
        by_expert, together = self._guess(levels, now_seconds, season, seen)
        self._waiting.append(
            _Said(minute + self.minutes + WINDOW_MINUTES - 1, by_expert, together, seen, levels.last)
        )

    def mean(self, levels: Levels, now_seconds: float, season: Season) -> float:
        seen = features(levels, now_seconds, self._ahead_seconds, season)
        return self._guess(levels, now_seconds, season, seen)[1]

    def quantiles(self, mean: float, noise: float) -> dict[float, float]:
        scale = scale_of(mean, noise)
        if self._scores is None:
            values = np.quantile(np.frombuffer(self._residuals), SHARES)
            self._scores = tuple(float(value) for value in values)
        return {
            share: max(0.0, mean + score * scale) for share, score in zip(SHARES, self._scores, strict=True)
        }

    def weights(self) -> dict[str, float]:
        """Of experts, by their recent loss; they sum to one."""
        if self._weights is None:
            known = [record for record in self._records.values() if record.evidence > 0]
            best = min((record.loss / record.evidence for record in known), default=0.0)
            raw = {
                name: PRIOR[name] * math.exp(-_penalty(record, best))
                for name, record in self._records.items()
            }
            total = sum(raw.values())
            self._weights = {name: weight / total for name, weight in raw.items()}
        return self._weights

    def _guess(
        self, levels: Levels, now_seconds: float, season: Season, seen: tuple[float, ...]
    ) -> tuple[dict[str, float], float]:
        said = guesses(levels, now_seconds, self._ahead_seconds, season, self._regression.predict(seen))
        weights = self.weights()
        total = sum(weights[name] for name in said)
        return said, sum(weights[name] * value for name, value in said.items()) / total

    def _score(self, said: _Said, outcome: float, noise: float) -> None:
        for name, value in said.by_expert.items():
            record = self._records[name]
            scale = scale_of(value, noise)
            error = (outcome - value) / max(scale, 1e-9)
            loss = (_pinball(error, 0.5) + _pinball(error - record.tail, _TAIL)) * scale / outcome
            record.tail += _TAIL_STEP * (_TAIL if error > record.tail else _TAIL - 1)
            record.loss = record.loss * _FORGETTING + loss
            record.evidence = record.evidence * _FORGETTING + 1.0
        self._weights = None
        if said.last > 0:
            ratio = min(max(outcome / said.last, 1 / _LARGEST_RATIO), _LARGEST_RATIO)
            self._regression.learn(said.features, math.log(ratio))
        residual = (outcome - said.together) / max(scale_of(said.together, noise), 1e-9)
        residual = min(max(residual, -_LARGEST_RESIDUAL), _LARGEST_RESIDUAL)
        if len(self._residuals) < _RESIDUALS:
            self._residuals.append(residual)
        else:
            self._residuals[self._next] = residual
            self._next = (self._next + 1) % _RESIDUALS
        self._scored += 1
        if self._scored % _QUANTILES_EVERY == 0:
            self._scores = None


def scale_of(requests_per_second: float, noise: float) -> float:
    """What errors are measured in: the noise of counting, and a share of the load. `noise` is a minute's."""
    counting = noise * requests_per_second / WINDOW_MINUTES
    return math.sqrt((_RELATIVE_NOISE * requests_per_second) ** 2 + counting)


def _penalty(record: _Record, best: float) -> float:
    if record.evidence <= 0 or best <= 0:
        return 0.0
    worse = record.loss / record.evidence / best - 1
    return _SHARPNESS * worse * min(1.0, record.evidence / _EVIDENCE)


def _pinball(error: float, share: float) -> float:
    return share * error if error >= 0 else (share - 1) * error
