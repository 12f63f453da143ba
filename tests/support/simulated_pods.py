"""Pods of one flavour that the simulator's engine runs, scraped every 15 seconds: what a learner looks at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.simulator.engine import Engine, Limits
from pointsman_autoscaler.simulator.gaps import Judged
from pointsman_autoscaler.simulator.job import Job
from pointsman_autoscaler.view import EngineSample, Flavour, Pod

SCRAPE_SECONDS = 15.0
SLOTS = 256
CACHE_TOKENS = 600_000
CHUNK_TOKENS = 8192


def flavour(law: StepTime | None, slots: int = SLOTS, cache_tokens: int = CACHE_TOKENS) -> Flavour:
    return Flavour("f", 4.0, law=law, slots=slots, cache_tokens=cache_tokens)


@dataclass
class Traffic:
    """Requests of one replica: gamma times between arrivals, lognormal sizes."""

    requests_per_second: float
    input_tokens: float = 1000.0
    output_tokens: float = 200.0
    interarrival_cv: float = 1.0
    input_cv: float = 1.0
    output_cv: float = 1.0

    def jobs(self, seconds: float, begins: float, rng: np.random.Generator) -> list[Job]:
        count = int(seconds * self.requests_per_second * 1.2) + 50
        square = self.interarrival_cv**2
        gaps = rng.gamma(1 / square, square / self.requests_per_second, count)
        at = begins + np.cumsum(gaps)
        at = at[at < begins + seconds]
        prompts = _lognormal(rng, self.input_tokens, self.input_cv, len(at))
        answers = _lognormal(rng, self.output_tokens, self.output_cv, len(at))
        return [
            Job(index, float(when), int(prompt), int(answer))
            for index, (when, prompt, answer) in enumerate(zip(at, prompts, answers, strict=True))
        ]


def _lognormal(rng: np.random.Generator, mean: float, cv: float, count: int) -> np.ndarray:
    square = np.log1p(cv**2)
    return np.maximum(1, rng.lognormal(np.log(mean) - square / 2, np.sqrt(square), count).round())


@dataclass
class Replica:
    """One engine with its samples."""

    name: str
    law: StepTime
    slots: int = SLOTS
    cache_tokens: int = CACHE_TOKENS
    itl_limits: tuple[float, ...] = ()
    samples: list[EngineSample] = field(default_factory=list)
    ended: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.judged = Judged(self.itl_limits)
        self.engine = Engine(Limits(self.law, self.slots, self.cache_tokens, CHUNK_TOKENS), self.judged)

    def run(self, jobs: list[Job], until: float) -> None:
        """Submits them, lets time pass, scrapes."""
        scrape = self.samples[-1].at_seconds + SCRAPE_SECONDS if self.samples else 0.0
        waiting = iter(jobs)
        following = next(waiting, None)
        engine = self.engine
        while True:
            now = min(engine.ends, scrape, following.arrived if following else scrape)
            if now > until:
                break
            if now == engine.ends:
                engine.advance(now)
                for job in engine.ended:
                    self.ended.append(job)
                engine.ended.clear()
            elif following is not None and now == following.arrived:
                engine.submit(now, following)
                following = next(waiting, None)
            else:
                engine.count(now)
                self.samples.append(self._sample(now))
                scrape += SCRAPE_SECONDS

    def _sample(self, now: float) -> EngineSample:
        engine = self.engine
        return EngineSample(
            at_seconds=now,
            running=float(engine.running),
            waiting=float(engine.waiting),
            cache_usage=engine.cache_usage,
            prompt_tokens_total=float(engine.prompt_tokens),
            output_tokens_total=float(engine.output_tokens),
            requests_total=float(engine.requests),
            preemptions_total=float(engine.preemptions),
            ttft=engine.ttft.histogram(),
            itl=engine.itl.histogram(),
        )


class Scraped:
    """Replicas under the same traffic, each with its own chance."""

    def __init__(
        self, law: StepTime, pods: int = 1, seed: int = 1, itl_limits: tuple[float, ...] = ()
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self.replicas = [Replica(f"p-{index}", law, itl_limits=itl_limits) for index in range(pods)]
        self.now_seconds = 0.0

    def run(self, traffic: Traffic, seconds: float) -> None:
        """More of it; requests that are under way stay."""
        for replica in self.replicas:
            jobs = traffic.jobs(seconds, self.now_seconds, self._rng)
            replica.run(jobs, self.now_seconds + seconds)
        self.now_seconds += seconds

    def pods(self, ready_seconds: float = 0.0) -> list[Pod]:
        return [
            Pod(replica.name, "f", 0.0, ready_seconds=ready_seconds, is_ready=True, samples=replica.samples)
            for replica in self.replicas
        ]

    def ttft_quantile(self, quantile: float) -> float:
        """Of all requests that ended, in seconds."""
        ended = [job.first - job.arrived for replica in self.replicas for job in replica.ended]
        return float(np.quantile(ended, quantile))

    def longer_gaps(self) -> list[float]:
        """The share of gaps between tokens above each of `itl_limits`."""
        total = sum(replica.judged.count for replica in self.replicas)
        over = zip(*(replica.judged.over for replica in self.replicas), strict=True)
        return [sum(each) / total for each in over]
