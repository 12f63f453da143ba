"""How many requests come, how unevenly, and how large: from gateways, or engines where none speak."""

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from pointsman.placement.demand import CONVERSATION
from pointsman_autoscaler.capacity import Workload
from pointsman_autoscaler.scaler.engines import Interval, grown
from pointsman_autoscaler.scaler.sizes import Sizes
from pointsman_autoscaler.view import EngineSample, GatewaySample, View

# The load of now is a mean over about a minute; a step shows in the newest half of it.
_NOW_SECONDS = 60.0
_NEWEST_SECONDS = 30.0
# Between samples that are further apart scrapes failed or the clock jumped: their mean is nobody's rate.
_LONGEST_SECONDS = 120.0
# The unevenness of arrivals is a mean over about an hour of scrapes.
_DISPERSION_MEMORY = 0.995
_LEAST_DISPERSION, _LARGEST_DISPERSION = 0.25, 400.0
# One step of the load must not count as unevenness for an hour.
_LARGEST_SURPRISE = 20.0


class Traffic:
    """Arrivals and sizes, up to the newest sample."""

    def __init__(self) -> None:
        self._before: GatewaySample | None = None
        self._arrivals: deque[tuple[float, float, float]] = deque(maxlen=64)
        self._dispersion = 1.0
        self._usual_rate: float | None = None
        """The last answer of `rate`, until something new comes."""
        self._prompts = Sizes(CONVERSATION.input_tokens)
        self._answers = Sizes(CONVERSATION.output_tokens)

    def observe(self, view: View, intervals: Sequence[Interval]) -> list[tuple[float, float, float]]:
        """Takes what is new; returns it as (time, requests a second, for how many seconds up to then)."""
        self._usual_rate = None
        if self._arrivals and self._arrivals[-1][0] > view.now_seconds:
            self._arrivals.clear()  # the clock was set back
        fresh = self._from_gateway(view.gateway)
        self._learn_sizes(intervals, None if fresh is None else sum(count for _, count, _ in fresh))
        if fresh is None:
            fresh = self._from_engines(intervals)
        for at_seconds, count, seconds in fresh:
            self._learn_dispersion(count, seconds)
            self._arrivals.append((at_seconds, count, seconds))
        return [(at_seconds, count / seconds, seconds) for at_seconds, count, seconds in fresh]

    @property
    def newest_seconds(self) -> float | None:
        """When arrivals were last seen to come, or not to come."""
        return self._arrivals[-1][0] if self._arrivals else None

    def rate(self) -> float:
        """Requests a second over about a minute."""
        if self._usual_rate is None:
            self._usual_rate = self._rate(_NOW_SECONDS)[0]
        return self._usual_rate

    def newest(self) -> tuple[float, float]:
        """Requests a second over the newest scrapes, and how far chance may carry it from the rate."""
        rate, seconds = self._rate(_NEWEST_SECONDS)
        spread = math.sqrt(max(self.rate(), 1 / _NOW_SECONDS) * self._dispersion / max(seconds, 1.0))
        return rate, spread

    def workload(self, requests_per_second: float) -> Workload:
        return Workload(
            requests_per_second=requests_per_second,
            input_tokens=max(1.0, self.input_tokens),
            output_tokens=self._answer_tokens,
            interarrival_cv=math.sqrt(self._dispersion),
        )

    @property
    def held_tokens(self) -> float:
        """Tokens of a running request in the cache, on the mean over its answer."""
        return self.input_tokens + self._answer_tokens / 2

    @property
    def input_tokens(self) -> float:
        return self._prompts.tokens

    @property
    def _answer_tokens(self) -> float:
        return self._answers.tokens

    def _rate(self, span_seconds: float) -> tuple[float, float]:
        counted, seconds = 0.0, 0.0
        for _, count, lasted in reversed(self._arrivals):
            if seconds >= span_seconds - lasted / 2:
                break
            counted, seconds = counted + count, seconds + lasted
        return (counted / seconds, seconds) if seconds > 0 else (0.0, 0.0)

    def _from_gateway(self, samples: Sequence[GatewaySample]) -> list[tuple[float, float, float]] | None:
        """None where gateways say nothing of arrivals."""
        newest = next((sample for sample in reversed(samples) if sample.requests_total is not None), None)
        if newest is None:
            return None
        known = self._before
        if known is not None and newest.at_seconds < known.at_seconds:
            known = None  # the clock was set back
        fresh = _rising_since(samples, -math.inf if known is None else known.at_seconds)
        if fresh:
            self._before = fresh[-1]
        found = []
        for before, after in pairwise([known, *fresh] if known is not None else fresh):
            count = grown(before.requests_total, after.requests_total)
            seconds = after.at_seconds - before.at_seconds
            if count is not None and seconds <= _LONGEST_SECONDS:
                found.append((after.at_seconds, count, seconds))
        return found

    def _from_engines(self, intervals: Sequence[Interval]) -> list[tuple[float, float, float]]:
        """All replicas' together, as one interval that ends with the newest sample."""
        rate, newest, longest = 0.0, 0.0, 0.0
        for interval in intervals:
            before, after = interval.before, interval.after
            ended = grown(before.requests_total, after.requests_total)
            if ended is None or interval.seconds > _LONGEST_SECONDS:
                continue
            inside = _inside(after) - _inside(before)
            rate += max(0.0, ended + inside) / interval.seconds
            newest, longest = max(newest, after.at_seconds), max(longest, interval.seconds)
        if longest <= 0:
            return []
        return [(newest, rate * longest, longest)]

    def _learn_sizes(self, intervals: Sequence[Interval], arrived: float | None) -> None:
        """`arrived` is what gateways saw come meanwhile: llama.cpp counts tokens, and no requests.

        Prompts are read before the first token, answers written until the end: while more and more requests
        run, those that end are too few for the tokens that are read and written.
        """
        if not intervals:
            return
        seconds = max(interval.seconds for interval in intervals)
        ends, begins, prompts, outputs, counts = 0.0, 0.0, 0.0, 0.0, False
        for interval in intervals:
            before, after = interval.before, interval.after
            ended = grown(before.requests_total, after.requests_total)
            read = grown(before.prompt_tokens_total, after.prompt_tokens_total)
            wrote = grown(before.output_tokens_total, after.output_tokens_total)
            if read is None or wrote is None or (ended is None and arrived is None):
                continue
            counts = counts or ended is not None
            begun = None
            if before.ttft is not None and after.ttft is not None:
                begun = grown(before.ttft.count, after.ttft.count)
            ends += ended or 0.0
            begins += (ended or 0.0) if begun is None else begun
            prompts, outputs = prompts + read, outputs + wrote
        if not counts:
            ends = begins = arrived or 0.0
        if ends + begins <= 0 and (counts or arrived is None or not outputs):
            return
        self._prompts.add(seconds, begins, prompts)
        self._answers.add(seconds, (begins + ends) / 2, outputs)

    def _learn_dispersion(self, count: float, seconds: float) -> None:
        """Variance over mean of counts; of neighbours, so that a trend does not count."""
        if not self._arrivals or seconds <= 0:
            return
        _, before, lasted = self._arrivals[-1]
        if lasted <= 0:
            return
        expected = before * seconds / lasted
        middle = (count + expected) / 2
        if middle < 1:
            return
        seen = (count - expected) ** 2 / (1 + seconds / lasted) / middle
        seen = min(seen, _LARGEST_SURPRISE * self._dispersion)
        mean = _DISPERSION_MEMORY * self._dispersion + (1 - _DISPERSION_MEMORY) * seen
        self._dispersion = min(max(mean, _LEAST_DISPERSION), _LARGEST_DISPERSION)


def _rising_since(samples: Sequence[GatewaySample], since_seconds: float) -> list[GatewaySample]:
    """Those after a time that say how many came, as far back from the newest as their times rise."""
    found: list[GatewaySample] = []
    before = math.inf
    for sample in reversed(samples):
        if sample.requests_total is None:
            continue
        if not since_seconds < sample.at_seconds < before:
            break
        found.append(sample)
        before = sample.at_seconds
    return found[::-1]


def _inside(sample: EngineSample) -> float:
    return (sample.running or 0.0) + (sample.waiting or 0.0)
