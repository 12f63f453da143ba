"""One stage of a replica at work: what requests see while so many of them run.

A stage is a server of prompts and a batch of running answers. Prompts are taken in one after another, in
chunks, beside the running answers: a queue with random arrivals and sizes (M/G/1), whose tail falls
exponentially (Kingman). Between two tokens of an answer lies one step, with a chunk of a prompt in some of
them. The number of running answers varies as that of a crowd that comes and goes by itself (Poisson).
A bound at the median is compared with the mean, which is what profiles measure.

Arrivals that come in bursts (a squared coefficient of variation of `arrivals` > 1) wait longer (Allen and
Cunneen: the mean of both variations), and their crowd varies more: (1 + arrivals) / 2 times a Poisson crowd's
variance, as infinitely many servers with exponential service have it.
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

_MEDIAN = 0.5
# A queue that never ends has no numbers: time that is used stays below this.
_BUSIEST = 0.999

Times = tuple[float, float, float, float]
"""Seconds: the mean step, a prompt by itself; the share of time in which one is worked on; seconds: the mean
wait of those that wait."""

Kind = tuple[bool, float, float]
"""Whether a bound is of the first token; what is rare, 0 for the mean; and seconds that a long prompt takes
beyond the mean one, or standard deviations to a crowd that is as rare."""


@dataclass(frozen=True, slots=True)
class Variation:
    """How requests differ: squared coefficients of variation. The default is what placement assumes."""

    prompts: float = PROMPT_VARIATION
    """Of the prompts that are waited for."""
    own_prompt: float = 0.0
    """Of the prompt whose first token is waited for, and of those between two tokens (lognormal)."""
    answers: float = 0.0
    """Whoever looks at the running answers sees more of the long ones."""
    prefix_hit: float = 0.0
    """The share of a prompt's tokens, 0 to 1, that the cache holds already."""


_USUAL = Variation()
_STANDARD = NormalDist()


class Stage:
    """The law and the demand of one stage, with what does not depend on the load worked out once."""

    __slots__ = (
        "_answer",
        "_attending",
        "_chunk",
        "_chunks",
        "_experts",
        "_fixed",
        "_kinds",
        "_linear",
        "_longest_chunk",
        "_prompt_variation",
        "_prompt_work",
        "_slope",
        "_step",
        "_variation",
        "bounds",
    )

    def __init__(self, step: StepTime, demand: Demand, variation: Variation = _USUAL) -> None:
        whole, answer = demand.traffic.input_tokens, demand.traffic.output_tokens
        cached = whole + answer * (1 + variation.answers) / 2
        found = whole * variation.prefix_hit
        prompt = whole - found
        self._step, self._fixed, self._experts = step, step.fixed, step.experts
        self._variation = variation
        self._prompt_variation = variation.prompts
        self._answer = answer
        self._chunks = max(1, math.ceil(prompt / CHUNK_TOKENS))
        self._chunk = prompt / self._chunks
        self._longest_chunk = max(self._chunk, CHUNK_TOKENS)
        self._attending = step.per_pair * prompt * (whole + found) / 2
        self._linear = step.per_token * prompt
        varied = variation.own_prompt
        # What a prompt attends to grows with its square.
        self._prompt_work = self._linear + self._attending * (1 + varied)
        if varied:
            self._prompt_variation = _varied_work(self._linear, self._attending, varied)
        # A running request decodes a token and reads its cache in every step.
        self._slope = step.per_token + step.per_sequence + step.per_cached_token * cached
        self.bounds = demand.bounds
        self._kinds = [self._kind(bound) for bound in demand.bounds]

    def times(self, requests: float) -> Times:
        """With a mean of `requests` running, and random arrivals."""
        mean, own = self.worked_on(requests)
        busy = requests * own / (self._answer * mean)
        if busy > _BUSIEST:
            busy = _BUSIEST
        return mean, own, busy, own * (1 + self._prompt_variation) / 2 / (1 - busy)

    def worked_on(self, requests: float) -> tuple[float, float]:
        """The first two of the times, which do not depend on who waits for whom."""
        chunks, answer, work = self._chunks, self._answer, self._prompt_work
        decode = self._fixed + self._slope * requests
        if not self._experts:
            return decode + requests / answer * work, chunks * decode + work
        step = self._step
        untouched = step.missed**requests
        decode += step.experts * (1 - untouched)
        # Experts that only prompts touch.
        extra = step.experts * untouched
        mean = decode + requests / answer * work + min(1.0, requests * chunks / answer) * extra
        return mean, chunks * (decode + extra * (1 - step.missed**self._chunk)) + work

    def tails(
        self, requests: float, arrivals: float = 1.0, times: Times | None = None
    ) -> tuple[tuple[Bound, float], ...]:
        """Each bound with the latency that it bounds; the rest as for `latencies`."""
        return tuple(zip(self.bounds, self.latencies(requests, arrivals, times), strict=True))

    def latencies(self, requests: float, arrivals: float = 1.0, times: Times | None = None) -> list[float]:
        """What each of the bounds bounds, in seconds.

        `arrivals` is the squared variation of the time between arrivals; `times` are those of the same load,
        where they are known.
        """
        at = self.times(requests) if times is None else times
        if arrivals != 1:
            mean, own, busy, wait = at
            varied = self._prompt_variation
            at = mean, own, busy, wait * (arrivals + varied) / (1 + varied)
        crowd = (1 + arrivals) / 2 * requests
        return [self._tail(kind, requests, at, crowd) for kind in self._kinds]

    def excess(self, requests: float) -> float:
        """The worst latency, in multiples of its bound."""
        times = self.times(requests)
        return max(
            (
                self._tail(kind, requests, times, requests) / bound.seconds
                for bound, kind in zip(self.bounds, self._kinds, strict=True)
            ),
            default=0.0,
        )

    @property
    def turn(self) -> float:
        """The running requests beyond which the bounded gap between tokens carries a prompt; 0: at any."""
        return max(
            (
                (1 - bound.quantile) * self._answer / self._chunks
                for bound in self.bounds
                if bound.metric == "itl" and bound.quantile > _MEDIAN
            ),
            default=0.0,
        )

    def _kind(self, bound: Bound) -> Kind:
        is_tail = bound.quantile > _MEDIAN
        rare = 1 - bound.quantile if is_tail else 0.0
        if bound.metric == "ttft":
            return True, rare, self._longer(bound.quantile) if is_tail else 0.0
        return False, rare, deviations(bound.quantile)

    def _tail(self, kind: Kind, requests: float, times: Times, variance: float) -> float:
        """The bounded latency at a load, from its times and the variance of its crowd."""
        is_first, rare, further = kind
        if is_first:
            return _first_token(times, rare, further)
        if not rare:
            return times[0]
        gap = self._gap(requests, further, rare, variance)
        return gap if gap > times[0] else times[0]

    def _gap(self, requests: float, z: float, rare: float, variance: float) -> float:
        """A long gap: with that quantile of the crowd, and a chunk where many gaps carry one."""
        crowd = tokens = requests + z * math.sqrt(variance)
        gap = self._fixed + self._slope * crowd
        carrying = requests * self._chunks / self._answer
        if self._variation.own_prompt:
            chunk, attending = self._long_chunk(carrying, variance / requests if requests else 1.0, rare)
            tokens += chunk
            gap += self._step.per_token * chunk + attending
        elif carrying > rare:
            tokens += self._chunk
            gap += self._step.per_token * self._chunk + self._attending / self._chunks
        if self._experts:
            gap += self._experts * (1 - self._step.missed**tokens)
        return gap

    def _longer(self, quantile: float) -> float:
        """Seconds that a prompt of this quantile takes beyond the mean one."""
        varied = self._variation.own_prompt
        size = lognormal_quantile(varied, quantile)
        return self._linear * (size - 1) + self._attending * (size * size - 1 - varied)

    def _long_chunk(self, carrying: float, dispersion: float, rare: float) -> tuple[float, float]:
        """Tokens, and seconds of attending, in the rare gaps, where `carrying` come in one on the mean.

        A gap carries a number of prompts (Poisson, or negative binomial where they come in bursts) of varied
        sizes. Of those that carry any, the sum is taken as lognormal with its mean and variation.
        """
        if carrying <= 0:
            return 0.0, 0.0
        excess = dispersion - 1
        none = math.exp(-carrying) if excess < 1e-6 else dispersion ** (-carrying / excess)
        some = 1 - none
        if some <= rare:
            return 0.0, 0.0
        count = carrying / some
        squares = (carrying * dispersion + carrying * carrying) / some
        variation = (count * self._variation.own_prompt + squares) / (count * count) - 1
        size = count * lognormal_quantile(variation, 1 - rare / some)
        chunk = self._chunk * size
        if chunk > self._longest_chunk:
            chunk = self._longest_chunk
        return chunk, self._attending / self._chunks * (chunk / self._chunk) * size / count


def _varied_work(linear: float, square: float, variation: float) -> float:
    """The squared variation of linear·x + square·x² for a lognormal x with mean 1."""
    second = 1 + variation
    mean = linear + square * second
    mean_of_square = linear**2 * second + 2 * linear * square * second**3 + square**2 * second**6
    return mean_of_square / mean**2 - 1 if mean else 0.0


def _first_token(times: Times, rare: float, longer: float) -> float:
    """The wait, the prompt, and half a step that is under way; `rare` 0 is the mean wait.

    A long wait seldom meets a long prompt (`longer` seconds more than the mean): their deviations from the
    means add up as those of independent quantities, by their squares.
    """
    mean, own, busy, scale = times
    waiting = scale * log_tail(busy, rare) if rare else busy * scale
    if longer > 0:
        usual = busy * scale
        waiting = usual + math.hypot(waiting - usual if waiting > usual else 0.0, longer)
    return waiting + own + mean / 2


def log_tail(busy: float, rare: float) -> float:
    """ln of how much likelier waiting at all is than what is rare, 0 where it is rarer."""
    return math.log(busy / rare) if busy > rare else 0.0


@lru_cache(maxsize=64)
def deviations(quantile: float) -> float:
    """Standard deviations from the mean to a quantile of the normal distribution; 0 up to the median."""
    return max(0.0, NormalDist().inv_cdf(quantile))


def lognormal_quantile(variation: float, quantile: float) -> float:
    """Of a lognormal quantity with mean 1 and that squared coefficient of variation; 1 where it is 0."""
    if not variation:
        return 1.0
    if quantile <= 0:
        return 0.0
    square = math.log1p(variation)
    return math.exp(math.sqrt(square) * _STANDARD.inv_cdf(quantile) - square / 2)


def mean_below(most: float, tail: float) -> float:
    """The mean of a Poisson crowd whose quantile is `most`: b + z·√b = most."""
    return ((math.sqrt(tail * tail + 4 * most) - tail) / 2) ** 2
