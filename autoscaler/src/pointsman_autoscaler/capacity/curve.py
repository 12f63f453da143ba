"""Latency by concurrency, for engines that say nothing of their steps: llama.cpp, Triton, hosted. Pure.

Seen windows are kept as means at rising numbers of running requests; between them latency rises evenly and
never falls (isotonic). Beyond what was seen it rises with the square root of the number: halfway between
requests that do not disturb each other and requests that take turns.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.placement.demand import Bound
from pointsman.placement.stage import deviations, lognormal_quantile
from pointsman_autoscaler.capacity.station import Arriving, Point
from pointsman_autoscaler.capacity.windows import Window
from pointsman_autoscaler.capacity.workload import Workload

# Before anything was measured: twice as fast as people read, a quarter of a second for a prompt; from memory.
TOKEN_SECONDS = 0.05
FIRST_TOKEN_SECONDS = 0.25
# Numbers of running requests that are told apart: two for each doubling.
_PER_DOUBLING = 2
_MOST_KNOTS = 40
# What is remembered of one number, in windows.
_KEEP = 0.98
# Windows until half of what is said of a curve was measured.
_HALF_KNOWN = 5.0
# A prompt this many times longer or shorter than those seen is worked out as if by this much.
_LONGEST = 4.0
_MEDIAN = 0.5


@dataclass(slots=True)
class _Knot:
    """Weighted sums at one number of running requests."""

    weight: float = 0.0
    running: float = 0.0
    token: float = 0.0
    first: float = 0.0
    first_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """Seconds at numbers of running requests that rise, as the seconds do. Empty: nothing was seen."""

    running: tuple[float, ...]
    seconds: tuple[float, ...]

    def at(self, running: float, unknown: float) -> float:
        if not self.running:
            return unknown
        index = bisect_left(self.running, running)
        if index == 0:
            return self.seconds[0]
        if index == len(self.running):
            return self.seconds[-1] * math.sqrt(running / self.running[-1])
        left, right = self.running[index - 1], self.running[index]
        share = (running - left) / (right - left)
        return self.seconds[index - 1] + share * (self.seconds[index] - self.seconds[index - 1])


class CurveFit:
    """What was seen of one flavour. `token` and `first` are the curves of now."""

    def __init__(self) -> None:
        self._knots: dict[int, _Knot] = {}
        self._prompt_length = 0.0
        self._learned = 0.0
        self.token = Curve((), ())
        self.first = Curve((), ())

    @property
    def confidence(self) -> float:
        return self._learned / (self._learned + _HALF_KNOWN)

    @property
    def prompt_length(self) -> float:
        """Tokens of the mean prompt that was seen; 0: unknown."""
        return self._prompt_length

    def learn(self, windows: Sequence[Window]) -> None:
        for window in windows:
            self._take(window)
        self.token = _isotonic([(knot.running, knot.token, knot.weight) for knot in self._sorted()])
        self.first = _isotonic(
            [
                (knot.running, knot.first / knot.first_weight * knot.weight, knot.weight)
                for knot in self._sorted()
                if knot.first_weight
            ]
        )

    def _sorted(self) -> list[_Knot]:
        return [self._knots[index] for index in sorted(self._knots)]

    def _take(self, window: Window) -> None:
        running = window.running
        token = _token_seconds(window)
        if running is None or running <= 0 or token is None or not 0 < token < math.inf:
            return
        index = min(max(round(math.log2(running) * _PER_DOUBLING), -_PER_DOUBLING), _MOST_KNOTS)
        knot = self._knots.setdefault(index, _Knot())
        for name in ("weight", "running", "token", "first", "first_weight"):
            setattr(knot, name, getattr(knot, name) * _KEEP)
        knot.weight += 1
        knot.running += running
        knot.token += token
        self._learned = min(self._learned + 1, 1e6)
        if window.ttft is not None and window.ttft.count and not window.waiting:
            knot.first += window.ttft.sum_seconds / window.ttft.count
            knot.first_weight += 1
        if window.prompt_tokens and window.arrived:
            length = window.prompt_tokens / window.arrived
            self._prompt_length += (length - self._prompt_length) * (1 - _KEEP if self._prompt_length else 1)


def _token_seconds(window: Window) -> float | None:
    """Between two tokens of an answer; where there are no tokens, of a whole request."""
    if window.itl_seconds is not None:
        return window.itl_seconds
    done = window.output_tokens or window.requests
    return window.running * window.seconds / done if window.running and done else None


def _isotonic(points: Sequence[tuple[float, float, float]]) -> Curve:
    """Sums of (number, seconds) and their weights, pooled until the mean seconds never fall."""
    pools: list[tuple[float, float, float]] = []
    for running, seconds, weight in points:
        pool = (running, seconds, weight)
        while pools and pools[-1][1] / pools[-1][2] >= pool[1] / pool[2]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    return Curve(
        tuple(running / weight for running, _, weight in pools),
        tuple(seconds / weight for _, seconds, weight in pools),
    )


class Measured:
    """Requests in slots of their own that slow each other down."""

    def __init__(self, fit: CurveFit, slots: float, workload: Workload, bounds: tuple[Bound, ...]) -> None:
        self._token, self._first = fit.token, fit.first
        self._slots = slots
        # Without tokens what was seen is the whole request.
        self._answer = workload.output_tokens
        # Without answers there is no time between tokens.
        self.bounds = tuple(bound for bound in bounds if bound.metric == "ttft" or self._answer)
        self._prompts = workload.input_cv**2
        worked_on = workload.input_tokens * (1 - workload.prefix_hit)
        longer = worked_on / fit.prompt_length if fit.prompt_length else 1.0
        self._longer = min(max(longer, 1 / _LONGEST), _LONGEST)
        # More of them never serve less: where the curve says so, they take turns.
        self._grid = [0.0]
        self._rates = [0.0]
        steps = max(8, min(64, math.ceil(4 * slots)))
        for step in range(1, steps + 1):
            running = slots * step / steps
            self._grid.append(running)
            # Strictly more, by a little: a load has one number that runs.
            self._rates.append(max(running / self._seconds(running), self._rates[-1] * (1 + 1e-6)))

    def rate(self, requests: float) -> float:
        index = min(max(bisect_left(self._grid, requests), 1), len(self._grid) - 1)
        left, right = self._grid[index - 1], self._grid[index]
        share = (requests - left) / (right - left)
        return self._rates[index - 1] + share * (self._rates[index] - self._rates[index - 1])

    def point(self, requests: float, arriving: Arriving) -> Point:
        rate = self.rate(requests)
        arrivals = arriving.at(rate)
        seconds = requests / rate if rate > 0 else self._seconds(0.0)
        first = self._until_first(requests)
        tails = []
        for bound in self.bounds:
            if bound.metric == "ttft":
                longer = max(1.0, lognormal_quantile(self._prompts, bound.quantile))
                tails.append(first * (longer if bound.quantile > _MEDIAN else 1.0))
            else:
                crowd = requests + deviations(bound.quantile) * math.sqrt(requests * (1 + arrivals) / 2)
                tails.append(self._token.at(min(crowd, self._slots), TOKEN_SECONDS))
        return Point(arrivals, seconds, tails)

    def _until_first(self, requests: float) -> float:
        if self._answer or self._first.running:
            return self._first.at(requests, FIRST_TOKEN_SECONDS) * self._longer
        return self._token.at(requests, FIRST_TOKEN_SECONDS) * self._longer

    def _seconds(self, requests: float) -> float:
        if not self._answer:
            return self._token.at(requests, FIRST_TOKEN_SECONDS) * self._longer
        return self._until_first(requests) + self._answer * self._token.at(requests, TOKEN_SECONDS)
