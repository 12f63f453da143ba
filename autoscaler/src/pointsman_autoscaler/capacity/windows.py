"""Samples of one pod, put together to windows: rates, means and what histograms gained. Pure.

A window begins and ends with a sample. Whatever makes it say something else than the pod did throws it away:
a total that fell (the engine began anew), a number that is none, samples that are too far apart.
"""

import math
from dataclasses import dataclass

from pointsman_autoscaler.view import EngineSample, Histogram, Pod

# Long enough for a hundred requests where there is load, short enough for the load to be one.
WINDOW_SECONDS = 60.0
# First answers of an engine compile, capture and fill caches: Dynamo learned from them that its workers were
# slow, and over-scaled (issue 12430). Engines' own captures take up to a minute.
WARM_UP_SECONDS = 90.0
# Samples further apart are not one load; several scrapes of a minute may be missing.
_LONGEST_GAP_SECONDS = 180.0
# How far a clock may be ahead of ours before its samples are from the future.
_AHEAD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Window:
    """What one pod did. None is what it does not say."""

    pod: str
    ends_seconds: float
    seconds: float
    running: float | None
    waiting: float | None
    cache_usage: float | None
    prompt_tokens: float | None
    output_tokens: float | None
    requests: float | None
    itl: Histogram | None
    ttft: Histogram | None

    @property
    def itl_seconds(self) -> float | None:
        """The mean time between tokens, where the engine says it."""
        return self.itl.sum_seconds / self.itl.count if self.itl is not None and self.itl.count else None

    @property
    def arrived(self) -> float | None:
        """Requests that got their first token, or else that ended."""
        return self.ttft.count if self.ttft is not None and self.ttft.count else self.requests


class PodWindows:
    """Takes each sample once; memory does not grow."""

    __slots__ = ("_first", "_gauges", "_last", "_pod")

    def __init__(self, pod: str) -> None:
        self._pod = pod
        self._first: EngineSample | None = None
        self._last: EngineSample | None = None
        self._gauges = (_Mean(), _Mean(), _Mean())

    def take(self, pod: Pod, now_seconds: float) -> list[Window]:
        """The windows that its samples have completed since the last call."""
        ready = pod.ready_seconds
        if ready is None or not pod.is_ready or pod.is_draining:
            self._begin(None)
            return []
        seen = -math.inf if self._last is None else self._last.at_seconds
        if seen > now_seconds + _AHEAD_SECONDS:
            # The clock was put back: what was seen lies in the future.
            self._begin(None)
            seen = -math.inf
        earliest, latest = ready + WARM_UP_SECONDS, now_seconds + _AHEAD_SECONDS
        fresh = []
        for sample in reversed(pod.samples):
            if sample.at_seconds <= seen:
                break
            if earliest <= sample.at_seconds <= latest:
                fresh.append(sample)
        found = []
        for sample in reversed(fresh):
            window = self._add(sample)
            if window is not None:
                found.append(window)
        return found

    def _add(self, sample: EngineSample) -> Window | None:
        first, last = self._first, self._last
        if first is None or last is None or not _continues(last, sample):
            self._begin(sample)
            return None
        if sample.at_seconds <= last.at_seconds:
            return None
        self._last = sample
        for mean, value in zip(
            self._gauges, (sample.running, sample.waiting, sample.cache_usage), strict=True
        ):
            mean.add(value)
        seconds = sample.at_seconds - first.at_seconds
        if seconds < WINDOW_SECONDS:
            return None
        running, waiting, usage = (mean.value for mean in self._gauges)
        window = Window(
            pod=self._pod,
            ends_seconds=sample.at_seconds,
            seconds=seconds,
            running=running,
            waiting=waiting,
            cache_usage=usage if usage is None else min(usage, 1.0),
            prompt_tokens=_gain(first.prompt_tokens_total, sample.prompt_tokens_total),
            output_tokens=_gain(first.output_tokens_total, sample.output_tokens_total),
            requests=_gain(first.requests_total, sample.requests_total),
            itl=gained(first.itl, sample.itl),
            ttft=gained(first.ttft, sample.ttft),
        )
        self._begin(sample)
        return window

    def _begin(self, sample: EngineSample | None) -> None:
        self._first = self._last = sample
        for mean in self._gauges:
            mean.clear()


class _Mean:
    """Of the numbers among what is added."""

    __slots__ = ("_count", "_sum")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float | None) -> None:
        if value is not None and 0 <= value < math.inf:
            self._sum += value
            self._count += 1

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None


def _continues(before: EngineSample, after: EngineSample) -> bool:
    """Whether no total fell between them and they are near enough."""
    return not (
        after.at_seconds - before.at_seconds > _LONGEST_GAP_SECONDS
        or _fell(before.output_tokens_total, after.output_tokens_total)
        or _fell(before.prompt_tokens_total, after.prompt_tokens_total)
        or _fell(before.requests_total, after.requests_total)
        or (before.ttft is not None and after.ttft is not None and after.ttft.count < before.ttft.count)
        or (before.itl is not None and after.itl is not None and after.itl.count < before.itl.count)
    )


def _fell(before: float | None, after: float | None) -> bool:
    return before is not None and after is not None and after < before


def _gain(before: float | None, after: float | None) -> float | None:
    if before is None or after is None:
        return None
    gain = after - before
    return gain if 0 <= gain < math.inf else None


def gained(before: Histogram | None, after: Histogram | None) -> Histogram | None:
    """What came in between; None where buckets differ or anything fell."""
    if before is None or after is None or before.bounds != after.bounds:
        return None
    if len(before.counts) != len(after.counts) or len(after.counts) != len(after.bounds):
        return None
    counts = tuple(late - early for early, late in zip(before.counts, after.counts, strict=True))
    total = after.sum_seconds - before.sum_seconds
    if not 0 <= total < math.inf:
        return None
    lower = 0.0
    for count in counts:
        if not lower <= count < math.inf:
            return None
        lower = count
    return Histogram(after.bounds, counts, total)
