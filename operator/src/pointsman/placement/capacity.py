"""How many requests a second one replica serves while its latencies stay within their bounds.

A replica is a server of prompts and a batch of running answers. Prompts are taken in one after another, in
chunks, beside the running answers: a queue with random arrivals and sizes (M/G/1), whose tail falls
exponentially (Kingman). Between two tokens of an answer lies one step, with a chunk of a prompt in some of
them. The number of running answers varies as that of a crowd that comes and goes by itself (Poisson).
A bound at the median is compared with the mean, which is what profiles measure.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from pointsman.placement.demand import Bound, Demand
from pointsman.placement.steptime import StepTime

# Tokens that engines take into one step: the default of vLLM and SGLang for large accelerators.
CHUNK_TOKENS = 8192
# Squared coefficient of variation of prompt lengths; 1 in the conversations that the usual request is from.
PROMPT_VARIATION = 1.0
# A single pass (embeddings): requests that are worked on together, and the share of time that is used.
_PASSES_TOGETHER = 8
_PASS_USE = 0.7
# Stages of a pipeline wait for each other: the share that is left; from memory.
_PIPELINE_USE = 0.9

_MEDIAN = 0.5
# A queue that never ends has no numbers: time that is used stays below this.
_BUSIEST = 0.999
# The least mean number of running requests that is looked at, where memory holds hardly one.
_LEAST = 0.05
# The search ends when its bounds are this near: an estimate is no more exact.
_CLOSE_ENOUGH = 1.015
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
    above = _load(step, most, demand).excess(demand.bounds)
    if above <= 1:
        return Capacity(most * stages, latency_at(step, stages, most, demand), within=True)
    requests = _largest(step, demand, most, above)
    if requests is None:
        low = min(1.0, most)
        return Capacity(low * stages, latency_at(step, stages, low, demand), within=False)
    return Capacity(requests * stages, latency_at(step, stages, requests, demand), within=True)


def _largest(step: StepTime, demand: Demand, high: float, above: float) -> float | None:
    """The most running requests within the bounds; None where one is too many already.

    False position (Illinois) on the inverse of the excess, which falls evenly where a queue fills up.
    """
    low, below = min(1.0, high), 0.0
    turn = _turn(demand)
    if low < turn < high:
        # Beyond this number more gaps carry a prompt than the quantile leaves out: the tail jumps.
        excess = _load(step, turn, demand).excess(demand.bounds)
        if excess > 1:
            high, above = turn, excess
        elif _load(step, turn * _BEYOND, demand).excess(demand.bounds) > 1:
            return turn
        else:
            low, below = turn, excess
    if not below:
        below = _load(step, low, demand).excess(demand.bounds)
        if below > 1:
            return None
    left, right = 1 / below - 1, 1 / above - 1
    while high > low * _CLOSE_ENOUGH and below < 1 / _CLOSE_ENOUGH:
        middle = low + (high - low) * left / (left - right)
        middle = min(max(middle, low + (high - low) / 50), high - (high - low) / 50)
        excess = _load(step, middle, demand).excess(demand.bounds)
        if excess <= 1:
            low, below, left, right = middle, excess, 1 / excess - 1, right / 2
        else:
            high, left, right = middle, left / 2, 1 / excess - 1
    return low


def _turn(demand: Demand) -> float:
    """The running requests beyond which the bounded gap between tokens carries a prompt; 0: at any."""
    chunks = math.ceil(demand.traffic.input_tokens / CHUNK_TOKENS)
    return max(
        (
            (1 - bound.quantile) * demand.traffic.output_tokens / chunks
            for bound in demand.bounds
            if bound.metric == "itl" and bound.quantile > _MEDIAN
        ),
        default=0.0,
    )


def latency_at(step: StepTime, stages: int, requests: float, demand: Demand) -> Latency:
    """Latencies with a mean of `requests` running in each stage."""
    load = _load(step, requests, demand)
    ttft = load.wait + load.own + load.mean / 2
    # By Little's law: those that wait do not run yet.
    rate = stages * requests / (load.own + demand.traffic.output_tokens * load.mean)
    if stages > 1:
        rate *= _PIPELINE_USE
    tails = tuple((bound, load.at(bound)) for bound in demand.bounds)
    return Latency(rate, ttft, load.mean, tails)


@dataclass(slots=True)
class _Load:
    """One stage with a mean of `requests` running; seconds."""

    step: StepTime
    requests: float
    cached: float
    """Tokens of cache of a running request."""
    chunk: float
    """Tokens of a prompt that are taken into one step."""
    chunk_attending: float
    """Seconds that a chunk attends to its prompt."""
    mixed_share: float
    """Of the steps that carry a chunk; above 1, more than one each."""
    mean: float
    """Of all steps."""
    own: float
    """A prompt alone: its chunks, each beside the running answers."""
    busy: float
    """The share of time in which a prompt is worked on."""
    scale: float
    """The mean wait of those that wait."""

    @property
    def wait(self) -> float:
        return self.busy * self.scale

    def excess(self, bounds: tuple[Bound, ...]) -> float:
        """The worst latency, in multiples of its bound."""
        return max([self.at(bound) / bound.seconds for bound in bounds], default=0.0)

    def at(self, bound: Bound) -> float:
        """The bounded latency's quantile."""
        if bound.metric == "ttft":
            waiting = self.wait
            if bound.quantile > _MEDIAN:
                waiting = self.scale * _log_tail(self.busy, bound.quantile)
            return waiting + self.own + self.mean / 2
        if bound.quantile <= _MEDIAN:
            return self.mean
        crowd = self.requests + deviations(bound.quantile) * math.sqrt(self.requests)
        mixed = self.mixed_share > 1 - bound.quantile
        tokens = crowd + self.chunk if mixed else crowd
        gap = self.step.seconds(tokens, crowd, crowd * self.cached)
        return max(self.mean, gap + self.chunk_attending if mixed else gap)


def _load(step: StepTime, requests: float, demand: Demand) -> _Load:
    prompt, answer = demand.traffic.input_tokens, demand.traffic.output_tokens
    cached = prompt + answer / 2
    chunks = math.ceil(prompt / CHUNK_TOKENS)
    chunk = prompt / chunks
    mixed_share = requests * chunks / answer
    attending = step.per_pair * prompt * prompt / 2
    decode = step.seconds(requests, requests, requests * cached)
    mean = decode + requests / answer * (step.per_token * prompt + attending)
    own = chunks * decode + step.per_token * prompt + attending
    if step.experts:
        # Experts that only prompts touch: nearly all that the running answers leave.
        missing = step.experts * step.missed**requests
        mean += min(1.0, mixed_share) * missing
        own += chunks * missing * (1 - step.missed**chunk)
    busy = min(requests * own / (answer * mean), _BUSIEST)
    scale = own * (1 + PROMPT_VARIATION) / 2 / (1 - busy)
    return _Load(
        step,
        requests,
        cached,
        chunk,
        attending / chunks,
        mixed_share,
        mean,
        own,
        busy,
        scale,
    )


def _log_tail(busy: float, quantile: float) -> float:
    """ln of how much likelier waiting at all is than the tail, 0 where it is rarer."""
    return max(0.0, math.log(busy / (1 - quantile))) if busy > 0 else 0.0


def _one_pass(step: StepTime, stages: int, demand: Demand) -> Capacity:
    """Prompts without answers: all the work is one pass, several of them together."""
    prompt = demand.traffic.input_tokens
    together = step.seconds(prompt * _PASSES_TOGETHER, _PASSES_TOGETHER, 0)
    together += _PASSES_TOGETHER * step.per_pair * prompt * prompt / 2
    own = together / _PASSES_TOGETHER
    rate = _PASS_USE / own * (stages * _PIPELINE_USE if stages > 1 else 1)
    scale = own * (1 + PROMPT_VARIATION) / 2 / (1 - _PASS_USE)
    tails = tuple(
        (bound, together + scale * (_log_tail(_PASS_USE, bound.quantile) or _PASS_USE))
        for bound in demand.bounds
        if bound.metric == "ttft"
    )
    latency = Latency(rate, together + _PASS_USE * scale, 0.0, tails)
    return Capacity(_PASSES_TOGETHER, latency, within=not latency.missed())


@lru_cache(maxsize=64)
def deviations(quantile: float) -> float:
    """Standard deviations from the mean to a quantile of the normal distribution; 0 up to the median."""
    return max(0.0, NormalDist().inv_cdf(quantile))


def mean_below(most: float, tail: float) -> float:
    """The mean of a Poisson crowd whose quantile is `most`: b + z·√b = most."""
    return ((math.sqrt(tail * tail + 4 * most) - tail) / 2) ** 2
