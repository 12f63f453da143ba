"""How much counters rose over a window, whatever restarts in between. Pure."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

from pointsman_autoscaler.baselines.readings import number
from pointsman_autoscaler.view import EngineSample, GatewaySample, Histogram

_Sample = TypeVar("_Sample", EngineSample, GatewaySample)


def increase(
    samples: Sequence[_Sample],
    read: Callable[[_Sample], float | None],
    since_seconds: float,
    now_seconds: float,
) -> float | None:
    """From the last value at or before `since_seconds`, else from the first one after; None below two values.

    A counter that is smaller than before began anew at zero.
    """
    before, values = None, []
    for sample in samples:
        value = number(read(sample))
        if value is None or sample.at_seconds > now_seconds:
            continue
        if sample.at_seconds <= since_seconds:
            before = value
        else:
            values.append(value)
    if before is not None:
        values.insert(0, before)
    if len(values) < 2:
        return None
    return sum(after - earlier if after >= earlier else after for earlier, after in pairwise(values))


def mean_of(
    samples: Sequence[_Sample],
    read: Callable[[_Sample], Histogram | None],
    since_seconds: float,
    now_seconds: float,
) -> tuple[float, float]:
    """How many observations a histogram gained over the window, and the sum of their seconds."""

    def count(sample: _Sample) -> float | None:
        histogram = read(sample)
        return None if histogram is None else histogram.count

    def total(sample: _Sample) -> float | None:
        histogram = read(sample)
        return None if histogram is None else histogram.sum_seconds

    gained = increase(samples, count, since_seconds, now_seconds)
    seconds = increase(samples, total, since_seconds, now_seconds)
    return (gained or 0.0, seconds or 0.0) if gained is not None and seconds is not None else (0.0, 0.0)
