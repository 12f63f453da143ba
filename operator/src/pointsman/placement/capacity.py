"""How many requests a second one replica serves while its latencies stay within their bounds."""

from dataclasses import dataclass
from typing import Protocol

from pointsman.placement.demand import Bound, Demand
from pointsman.placement.stage import PROMPT_VARIATION, Stage, deviations, log_tail, mean_below
from pointsman.placement.steptime import StepTime

# A single pass (embeddings): requests that are worked on together, and the share of time that is used.
_PASSES_TOGETHER = 8
_PASS_USE = 0.7
# Stages of a pipeline wait for each other: the share that is left; from memory.
_PIPELINE_USE = 0.9
# The least mean number of running requests that is looked at, where memory holds hardly one.
_LEAST = 0.05
# The search ends when its bounds are this near: an estimate is no more exact.
_CLOSE_ENOUGH = 1.015
# Or when the worst latency is this near to its bound.
_AT_BOUND = 0.997
_BEYOND = 1.001


@dataclass(frozen=True, slots=True)
class Latency:
    """What requests see at one load, in seconds, and how many of them a replica then serves a second."""

    requests_per_second: float
    ttft: float
    itl: float
    tails: tuple[tuple[Bound, float], ...]

    def missed(self) -> tuple[tuple[Bound, float], ...]:
        return tuple((bound, seconds) for bound, seconds in self.tails if seconds > bound.seconds)


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most that a replica serves within the bounds; `requests` is the mean number that run then."""

    requests: float
    latency: Latency
    within: bool
    """False: not even one running request stays within the bounds; then the numbers are those of one."""


def capacity(step: StepTime, stages: int, slots: int, cache_tokens: int, demand: Demand) -> Capacity:
    """Capacity of a replica of `stages` pipeline stages that can run `slots` requests.

    `cache_tokens` is what the cache holds; the running requests and their variation stay below it.
    """
    if not demand.traffic.output_tokens:
        return _one_pass(step, stages, demand)
    fitting = min(slots, cache_tokens / demand.traffic.held_tokens)
    most = max(mean_below(fitting, deviations(demand.tail)) / stages, _LEAST)
    stage = Stage(step, demand)
    requests = largest(stage, most)
    within = requests is not None
    running = min(1.0, most) if requests is None else requests
    return Capacity(running * stages, _latency(stage, stages, running, demand), within)


class Loaded(Protocol):
    """Whatever has latencies that rise with the number of running requests."""

    @property
    def turn(self) -> float: ...

    def excess(self, requests: float) -> float: ...


def largest(
    stage: Loaded,
    high: float,
    least: float = 1.0,
    close_enough: float = _CLOSE_ENOUGH,
    at_bound: float = _AT_BOUND,
) -> float | None:
    """The most running requests up to `high` that stay within the bounds; None where `least` is too many.

    False position (Illinois) on the inverse of the excess, which falls evenly where a queue fills up.
    """
    above = stage.excess(high)
    if above <= 1:
        return high
    low, below = min(least, high), 0.0
    turn = stage.turn
    if low < turn < high:
        # Beyond this number more gaps carry a prompt than the quantile leaves out: the tail jumps.
        excess = stage.excess(turn)
        if excess > 1:
            high, above = turn, excess
        elif stage.excess(turn * _BEYOND) > 1:
            return turn
        else:
            low, below = turn, excess
    if not below:
        below = stage.excess(low)
        if below > 1:
            return None
    left, right = 1 / below - 1, 1 / above - 1
    while high > low * close_enough and below < at_bound:
        middle = low + (high - low) * left / (left - right)
        edge = (high - low) / 50
        if middle < low + edge:
            middle = low + edge
        if middle > high - edge:
            middle = high - edge
        excess = stage.excess(middle)
        if excess <= 1:
            low, below, left, right = middle, excess, 1 / excess - 1, right / 2
        else:
            high, left, right = middle, left / 2, 1 / excess - 1
    return low


def latency_at(step: StepTime, stages: int, requests: float, demand: Demand) -> Latency:
    """Latencies with a mean of `requests` running in each stage."""
    return _latency(Stage(step, demand), stages, requests, demand)


def _latency(stage: Stage, stages: int, requests: float, demand: Demand) -> Latency:
    mean, own, busy, scale = stage.times(requests)
    # By Little's law: those that wait do not run yet.
    rate = stages * requests / (own + demand.traffic.output_tokens * mean)
    if stages > 1:
        rate *= _PIPELINE_USE
    return Latency(rate, busy * scale + own + mean / 2, mean, stage.tails(requests))


def _one_pass(step: StepTime, stages: int, demand: Demand) -> Capacity:
    """Prompts without answers: all the work is one pass, several of them together."""
    prompt = demand.traffic.input_tokens
    together = step.seconds(prompt * _PASSES_TOGETHER, _PASSES_TOGETHER, 0)
    together += _PASSES_TOGETHER * step.per_pair * prompt * prompt / 2
    own = together / _PASSES_TOGETHER
    rate = _PASS_USE / own * (stages * _PIPELINE_USE if stages > 1 else 1)
    scale = own * (1 + PROMPT_VARIATION) / 2 / (1 - _PASS_USE)
    tails = tuple(
        (bound, together + scale * (log_tail(_PASS_USE, 1 - bound.quantile) or _PASS_USE))
        for bound in demand.bounds
        if bound.metric == "ttft"
    )
    latency = Latency(rate, together + _PASS_USE * scale, 0.0, tails)
    return Capacity(_PASSES_TOGETHER, latency, within=not latency.missed())
