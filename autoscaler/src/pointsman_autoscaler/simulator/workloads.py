"""Traffic to simulate, from recorded load: thinned or superposed, never with a stretched clock. Pure.

Bursts of a production model are those of many clients together. Keeping each request with probability p keeps
their shape and their time; doing the same work in half the time would not. Requests beyond the recorded ones
come from copies of the trace that begin at another moment.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from numpy.random import Generator

from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.traces import Floats, RateTrace, RequestTrace, Tokens

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """Requests to draw from: tokens of prompt and answer belong together."""

    input_tokens: Tokens
    output_tokens: Tokens

    def draw(self, count: int, random: Generator) -> tuple[Tokens, Tokens]:
        chosen = random.integers(0, len(self.input_tokens), count)
        return self.input_tokens[chosen], self.output_tokens[chosen]

    def within(self, context_tokens: int) -> "Lengths":
        """Those that a context holds; a prompt that is longer is cut."""
        given = np.minimum(self.input_tokens, max(1, context_tokens - 1))
        return Lengths(given, np.maximum(1, np.minimum(self.output_tokens, context_tokens - given)))


@cache
def conversation() -> Lengths:
    """An hour of conversations: AzurePublicDataset 2023 (CC-BY-4.0), a sample."""
    return _shipped("azure_2023_conv_lengths.csv")


@cache
def coding() -> Lengths:
    """An hour of code completion: AzurePublicDataset 2023 (CC-BY-4.0), a sample."""
    return _shipped("azure_2023_code_lengths.csv")


def _shipped(name: str) -> Lengths:
    text = (resources.files("pointsman_autoscaler.simulator") / "data" / name).read_text("utf-8")
    rows = [line.split(",") for line in text.splitlines() if line[:1].isdigit()]
    table = np.array(rows, dtype=np.int32)
    return Lengths(table[:, 0], table[:, 1])


def thinned_variation(interarrival_cv: float, kept: float) -> float:
    """The variation that is left when each arrival of a renewal process is kept with probability `kept`.

    A kept arrival comes after a geometric number of others: c² becomes 1 + kept·(c² - 1).
    """
    return math.sqrt(kept * interarrival_cv * interarrival_cv + 1 - kept)


def from_rates(trace: RateTrace, lengths: Lengths, kept: float, random: Generator) -> Arrivals:
    """Arrivals whose intervals are Gamma distributed with the trace's rates and variations, as ServeGen found
    them; `kept` (above 0) of the requests, above 1 as many times the load. A gap has no arrivals.
    """
    pieces = [
        index * trace.interval_seconds
        + _renewals(rate * kept, _variation(cv, kept), trace.interval_seconds, random)
        for index, (rate, cv) in enumerate(zip(trace.requests_per_second, trace.interarrival_cv, strict=True))
        if rate > 0
    ]
    at = np.concatenate(pieces) if pieces else np.empty(0)
    given, taken = lengths.draw(len(at), random)
    return Arrivals(at, given, taken, trace.span_seconds, kept, _described(kept))


def from_requests(trace: RequestTrace, kept: float, random: Generator) -> Arrivals:
    """The trace's own requests with its own lengths: `kept` of them, or whole copies of it, each begun at
    another moment and wrapped around, and a part of one more.
    """
    span = trace.span_seconds
    times, chosen = [], []
    for copy in range(math.ceil(kept)):
        share = min(1.0, kept - copy)
        indices = np.flatnonzero(random.random(len(trace.at_seconds)) < share)
        shift = random.random() * span if copy else 0.0
        times.append((trace.at_seconds[indices] + shift) % span if copy else trace.at_seconds[indices])
        chosen.append(indices)
    at, which = np.concatenate(times), np.concatenate(chosen)
    order = np.argsort(at, kind="stable")
    at, which = at[order], which[order]
    return Arrivals(at, trace.input_tokens[which], trace.output_tokens[which], span, kept, _described(kept))


def steady(rate: float, seconds: float, interarrival_cv: float = 1.0) -> RateTrace:
    """The same rate all the time, in minutes."""
    minutes = max(1, round(seconds / 60))
    return RateTrace(60.0, np.full(minutes, rate), np.full(minutes, interarrival_cv))


def multiplied(trace: RateTrace, factor: float, begin_seconds: float, end_seconds: float) -> RateTrace:
    """A step: so many times the load from one moment to another, which is a flash crowd if it is short."""
    return replace(trace, requests_per_second=_within(trace, begin_seconds, end_seconds, factor))


def nights_off(trace: RateTrace, begin_hour: float, end_hour: float) -> RateTrace:
    """No request from an hour of each day to another, over midnight if the end is the smaller one."""
    hour = (np.arange(len(trace.requests_per_second)) * trace.interval_seconds % _DAY) / 3600
    if begin_hour <= end_hour:
        quiet = (hour >= begin_hour) & (hour < end_hour)
    else:
        quiet = (hour >= begin_hour) | (hour < end_hour)
    return replace(trace, requests_per_second=np.where(quiet, 0.0, trace.requests_per_second))


def mix_shift(arrivals: Arrivals, lengths: Lengths, begin_hour: float, random: Generator) -> Arrivals:
    """The same arrivals, of other lengths from this hour of each day to its end."""
    after = arrivals.at_seconds % _DAY >= begin_hour * 3600
    given, taken = lengths.draw(int(after.sum()), random)
    inputs, outputs = arrivals.input_tokens.copy(), arrivals.output_tokens.copy()
    inputs[after], outputs[after] = given, taken
    return replace(arrivals, input_tokens=inputs, output_tokens=outputs)


def window(trace: RateTrace, begin_seconds: float, seconds: float) -> RateTrace:
    """A part of the trace."""
    first = round(begin_seconds / trace.interval_seconds)
    last = first + max(1, round(seconds / trace.interval_seconds))
    return RateTrace(
        trace.interval_seconds, trace.requests_per_second[first:last], trace.interarrival_cv[first:last]
    )


def finer(trace: RateTrace, interval_seconds: float) -> RateTrace:
    """The same rates in shorter intervals, so that a step can begin within one."""
    times = max(1, round(trace.interval_seconds / interval_seconds))
    return RateTrace(
        trace.interval_seconds / times,
        np.repeat(trace.requests_per_second, times),
        np.repeat(trace.interarrival_cv, times),
    )


def _within(trace: RateTrace, begin: float, end: float, factor: float) -> Floats:
    at = np.arange(len(trace.requests_per_second)) * trace.interval_seconds
    inside = (at >= begin) & (at < end)
    return np.where(inside, trace.requests_per_second * factor, trace.requests_per_second)


def _variation(interarrival_cv: float, kept: float) -> float:
    return thinned_variation(interarrival_cv, kept) if kept < 1 else interarrival_cv


def _renewals(rate: float, interarrival_cv: float, seconds: float, random: Generator) -> Floats:
    """Arrivals within an interval of a process that has gone on for long."""
    variation = max(interarrival_cv, 0.05) ** 2
    shape, scale = 1 / variation, variation / rate
    # What is left of the interval that one meets at a moment: a part of one drawn by its length.
    first = random.random() * random.gamma(shape + 1) * scale
    times: list[Floats] = []
    reached = first
    while reached < seconds:
        more = int((seconds - reached) * rate * 1.1) + 16
        gaps = random.gamma(shape, scale, more)
        piece = reached + np.concatenate(([0.0], np.cumsum(gaps)))
        times.append(piece[:-1])
        reached = float(piece[-1])
    at = np.concatenate(times) if times else np.empty(0)
    return at[at < seconds]


def _round(number: float) -> str:
    return f"{number:,.0f}" if number < 1e9 else f"{number:.3g}"


def _described(kept: float) -> str:
    if kept < 1:
        return f"thinned to 1 of {_round(1 / kept)}" if kept < 0.5 else f"thinned to {kept:.0%}"
    return "as recorded" if kept == 1 else f"{kept:g} copies superposed"
