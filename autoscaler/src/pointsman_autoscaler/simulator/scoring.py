"""From what happened to a result: who was served in time, in which windows, and what it cost. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.placement.demand import Bound
from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.outcomes import FINISHED, Outcomes
from pointsman_autoscaler.simulator.recording import MINUTE, WINDOW_MINUTES

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

QUANTILES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Score:
    """Requests and windows judged by the bounds."""

    met: Truths
    """By request."""
    met_share_by_minute: Floats
    """NaN without arrivals."""
    held: dict[str, float]
    """By bound, the share of windows in which it holds."""
    attained_windows: float
    worst_window: float
    recovery_seconds: float | None


def limit_of(bounds: Sequence[Bound], metric: str) -> float:
    """What a single request is held to: the loosest bound of the metric; infinite without one."""
    return max((bound.seconds for bound in bounds if bound.metric == metric), default=math.inf)


def judge(
    arrivals: Arrivals,
    outcomes: Outcomes,
    gaps: Sequence[tuple[int, Sequence[int]]],
    bounds: Sequence[Bound],
    steps_seconds: Sequence[float],
) -> Score:
    """`gaps` has, for each minute, gaps between tokens and how many were above each ITL bound, in order."""
    minutes = max(1, math.ceil(arrivals.span_seconds / MINUTE))
    minute = np.minimum((arrivals.at_seconds / MINUTE).astype(np.int64), minutes - 1)
    ttft = np.frombuffer(outcomes.ttft_seconds, dtype=np.float64)
    tpot = np.frombuffer(outcomes.tpot_seconds, dtype=np.float64)
    finished = np.frombuffer(outcomes.ends, dtype=np.uint8) == FINISHED
    met = finished & (ttft <= limit_of(bounds, "ttft")) & (tpot <= limit_of(bounds, "itl"))
    arrived = np.bincount(minute, minlength=minutes).astype(np.float64)
    good = np.bincount(minute, met, minutes).astype(np.float64)
    tokens = _padded([count for count, _ in gaps], minutes)

    def holding(width: int, stride: int) -> dict[str, Truths]:
        """By bound, whether it holds in windows of `width` minutes that begin each `stride` minutes."""
        found: dict[str, Truths] = {}
        place = 0
        for bound in bounds:
            total, late = arrived, tokens
            if bound.metric == "ttft":
                late = np.bincount(minute, ~(finished & (ttft <= bound.seconds)), minutes).astype(np.float64)
            else:
                total, late = tokens, _padded([over[place] for _, over in gaps], minutes)
                place += 1
            allowed = (1 - bound.quantile) * _sums(total, width, stride)
            # A sum of shares is not exact.
            found[bound.name] = _sums(late, width, stride) <= allowed + 1e-9
        return found

    some = _sums(arrived, WINDOW_MINUTES, WINDOW_MINUTES) > 0
    windows = holding(WINDOW_MINUTES, WINDOW_MINUTES)
    every = np.all([*windows.values(), np.ones_like(some)], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = _sums(good, WINDOW_MINUTES, WINDOW_MINUTES) / _sums(arrived, WINDOW_MINUTES, WINDOW_MINUTES)
        by_minute = good / arrived
    sliding = np.all(list(holding(WINDOW_MINUTES, 1).values()) or [np.ones(minutes, bool)], axis=0)
    return Score(
        met=met,
        met_share_by_minute=by_minute,
        held={name: _share(holds, some) for name, holds in windows.items()},
        attained_windows=_share(every, some),
        worst_window=float(shares[some].min()) if some.any() else 1.0,
        recovery_seconds=_recovery(sliding, steps_seconds),
    )


def quantiles(values: Floats) -> dict[float, float]:
    """Of some numbers, which may be infinite; empty without any."""
    if not len(values):
        return {}
    ordered = np.sort(values)
    return {
        quantile: float(ordered[min(len(ordered) - 1, math.ceil(quantile * len(ordered)) - 1)])
        for quantile in QUANTILES
    }


def _recovery(holds: Truths, steps_seconds: Sequence[float]) -> float | None:
    """The longest time from a jump until five minutes begin in which every bound holds."""
    longest = None
    for step in steps_seconds:
        first = math.ceil(step / MINUTE)
        well = np.flatnonzero(holds[first:])
        seconds = (first + int(well[0])) * MINUTE - step if len(well) else math.inf
        if len(well) and not well[0]:
            seconds = 0.0
        longest = seconds if longest is None else max(longest, seconds)
    return longest


def _share(holds: Truths, some: Truths) -> float:
    return float(holds[some].mean()) if some.any() else 1.0


def _sums(values: Floats, width: int, stride: int) -> Floats:
    """Of windows that begin each `stride` entries; the last ones may be shorter."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    begins = np.arange(0, len(values), stride)
    found: Floats = total[np.minimum(begins + width, len(values))] - total[begins]
    return found


def _padded(values: Sequence[float], length: int) -> Floats:
    found = np.zeros(length)
    found[: min(length, len(values))] = values[:length]
    return found
