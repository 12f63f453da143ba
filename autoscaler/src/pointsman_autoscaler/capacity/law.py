"""The step-time law as pods show it: weighted recursive least squares around what placement expects. Pure.

Each coefficient is learned as a multiple of its prior, from the mean time between tokens of windows, in
shares of it. The prior holds each multiple near 1 (a ridge), so that what no load varied stays where it was.
What is known is forgotten only along what is seen again (directional forgetting: a night of equal load does
not take away what the day taught), and windows that are far off count less (Huber).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgesv

from pointsman.placement.stage import CHUNK_TOKENS
from pointsman.placement.steptime import StepTime

Vector = NDArray[np.float64]

# How far coefficients are expected to lie from placement's, as shares: reading weights is known best, the
# work for a sequence least. Of four such choices the one with the least error on held-out rows of
# tests/data/profiles; the others are worse by less than half a point.
_SPREAD = (0.2, 0.3, 1.0, 0.3, 0.3)
# A window's mean against the law at its mean load.
_NOISE = 0.05
# Residuals beyond so many times their median count less: Huber's usual 1.5 standard deviations.
_HUBER = 2.2
# What is remembered of one direction: so many looks.
_KEEP = 0.98
# The median is followed in steps of so much: half of them up, half of them down.
_STEP = 0.15
_USUAL_RESIDUAL = 0.15
_LEAST_RESIDUAL, _MOST_RESIDUAL = 0.01, 10.0
# No coefficient is less or more than this multiple of its prior.
_LEAST, _MOST = 0.1, 10.0
# Means of fewer tokens are more noise than law.
_ENOUGH_TOKENS = 500.0


@dataclass(frozen=True, slots=True)
class Look:
    """One window: what one step carried on the mean, and how long the mean step between two tokens took."""

    running: float
    prompt_tokens: float
    """Of a step: those that were not in the cache."""
    cached_tokens: float
    """Held by all that run."""
    prompt_length: float
    """What was worked on of a mean prompt, for its chunks."""
    attended: float
    """Tokens that a prompt's token attends to on the mean."""
    seconds: float
    tokens: float

    @property
    def is_sound(self) -> bool:
        numbers = (self.running, self.prompt_tokens, self.cached_tokens, self.prompt_length, self.attended)
        return all(0 <= each < math.inf for each in numbers) and 0 < self.seconds < math.inf


class LawFit:
    """The law of one flavour. `law` is what is believed now."""

    def __init__(self, prior: StepTime) -> None:
        self._prior = prior
        self._size = 5 if prior.experts else 4
        self._ridge: Vector = np.array(_SPREAD[: self._size]) ** -2.0
        self._ridge_matrix: Vector = np.diag(self._ridge)
        self._information: Vector = np.zeros((self._size, self._size))
        self._moment: Vector = np.zeros(self._size)
        self._residual = _USUAL_RESIDUAL
        self.multiples: Vector = np.ones(self._size)
        self._settled = self.multiples
        self.law = prior

    def learn(self, looks: list[Look]) -> None:
        """Takes in windows of one time; their order does not matter where the caller sorts them."""
        sound = [look for look in looks if look.is_sound]
        if not sound:
            return
        keep = _KEEP ** (1 / len(sound))
        residuals = []
        for look in sound:
            row = self._features(look) / look.seconds
            residual = abs(1.0 - float(row @ self.multiples))
            residuals.append(residual)
            weight = min(1.0, _HUBER * self._residual / max(residual, 1e-9))
            self._add(row, weight * min(1.0, look.tokens / _ENOUGH_TOKENS), keep)
        middle = sorted(residuals)[len(residuals) // 2]
        step = _STEP if middle > self._residual else -_STEP
        self._residual = min(max(self._residual * math.exp(step), _LEAST_RESIDUAL), _MOST_RESIDUAL)
        self._solve()

    def has_moved(self, look: Look, share: float) -> bool:
        """Whether the step is believed to take another time there than when it last settled."""
        row = self._features(look)
        now = float(row @ self.multiples)
        return abs(now - float(row @ self._settled)) > share * now

    def settle(self) -> None:
        self._settled = self.multiples

    def confidence(self, look: Look) -> float:
        """How much narrower than the prior the prediction there is: 0 to 1."""
        row = self._features(look)
        before = float(row * row @ (1 / self._ridge))
        if not before > 0:
            return 0.0
        after = float(row @ np.linalg.solve(self._known(), row))
        return min(1.0, max(0.0, 1.0 - math.sqrt(max(after, 0.0) / before)))

    def _features(self, look: Look) -> Vector:
        """What each coefficient adds at its prior."""
        prior, running, prompts = self._prior, look.running, look.prompt_tokens
        found = [
            prior.fixed,
            prior.per_token * (running + prompts) + prior.per_pair * prompts * look.attended,
            prior.per_sequence * running,
            prior.per_cached_token * look.cached_tokens,
        ]
        if prior.experts:
            found.append(prior.experts * self._touched(look))
        return np.array(found)

    def _touched(self, look: Look) -> float:
        """The share of experts that a step reads on the mean, as placement's stage has it."""
        missed = self._prior.missed
        untouched = math.pow(missed, look.running)
        if not look.prompt_length:
            return 1.0 - untouched
        chunks = math.ceil(look.prompt_length / CHUNK_TOKENS)
        carrying = min(1.0, look.prompt_tokens / look.prompt_length * chunks)
        by_chunk = 1.0 - math.pow(missed, look.prompt_length / chunks)
        return 1.0 - untouched + carrying * untouched * by_chunk

    def _add(self, row: Vector, weight: float, keep: float) -> None:
        along = self._information @ row
        amount = float(row @ along)
        if amount > 0:
            share = (1.0 - keep) / amount
            self._moment -= share * along * float(row @ self._moment)
            self._information -= share * (along[:, None] * along)
        weight /= _NOISE**2
        self._information += weight * (row[:, None] * row)
        self._moment += weight * row

    def _known(self) -> Vector:
        known: Vector = self._information + self._ridge_matrix
        return known

    def _solve(self) -> None:
        """The multiples; those that would leave their limits are held there, and the others solved anew."""
        known, wanted = self._known(), self._moment + self._ridge
        # As numpy's `solve`, whose checks take five times as long as four unknowns do.
        found: Vector = dgesv(known, wanted)[2]
        values = found.tolist()
        if not (min(values) >= _LEAST and max(values) <= _MOST):
            found = self._within_limits(found, known, wanted)
            values = found.tolist()
        if all(map(math.isfinite, values)):
            self.multiples = found
            self.law = self._multiplied(values)

    def _within_limits(self, found: Vector, known: Vector, wanted: Vector) -> Vector:
        held = np.zeros(self._size, dtype=bool)
        for _ in range(self._size):
            outside = ~held & ((found < _LEAST) | (found > _MOST))
            if not outside.any():
                break
            held |= outside
            found = np.clip(found, _LEAST, _MOST)
            free = ~held
            if free.any():
                rest = wanted[free] - known[np.ix_(free, held)] @ found[held]
                found[free] = np.linalg.solve(known[np.ix_(free, free)], rest)
        limited: Vector = np.clip(found, _LEAST, _MOST)
        return limited

    def _multiplied(self, multiples: list[float]) -> StepTime:
        prior = self._prior
        fixed, token, sequence, cached, *experts = multiples
        return StepTime(
            fixed=prior.fixed * fixed,
            per_token=prior.per_token * token,
            per_sequence=prior.per_sequence * sequence,
            per_cached_token=prior.per_cached_token * cached,
            per_pair=prior.per_pair * token,
            experts=prior.experts * experts[0] if experts else 0.0,
            missed=prior.missed,
        )
