"""A model at work as a scaler sees it: a fluid of requests, replicas that start in a fixed time, scrapes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.view import EngineSample, Flavour, GatewaySample, Pod, Startup, View

# Llama-3.1-8B on an H100, TensorRT-LLM: the law fitted to measured rows.
LAW = StepTime(fixed=6.25e-3, per_token=1.94e-5, per_sequence=0.0, per_cached_token=4.2e-8)
SCRAPE = 15.0
INPUT, OUTPUT = 1155.0, 211.0
_HISTORY = 40


def flavour(name: str = "h100", price: float = 4.0, **others: Any) -> Flavour:
    usual = Flavour(
        name, price, maximum=100, startup=Startup(90.0, 120.0), law=LAW, slots=256, cache_tokens=400_000
    )
    return replace(usual, **others)


@dataclass
class Scene:
    """Call `step` once a scrape; what is public may be changed in between."""

    policy: Policy
    flavours: dict[str, Flavour]
    rate: Callable[[float], float]
    now: float = 1_000_000.0
    asked: dict[str, int] = field(default_factory=dict)
    starts: Callable[[str], bool] = lambda _: True
    """Whether replicas of a flavour get ready at all."""
    gateway_speaks: bool = True
    engines_speak: Callable[[str], bool] = lambda _: True
    """By the replica's name."""
    drift_seconds: float = 0.0
    """What the clock of the view is off."""

    def __post_init__(self) -> None:
        self.asked = {name: self.asked.get(name, 0) for name in self.flavours}
        self.total = 0.0
        self.gateway: list[GatewaySample] = []
        self.pods: list[Pod] = []
        self.started = 0
        for name, count in self.asked.items():
            for _ in range(count):
                self._begin(name, is_ready=True)

    def step(self) -> dict[str, int]:
        self.now += SCRAPE
        rate = self.rate(self.now)
        self.total += rate * SCRAPE
        self._get_ready()
        ready = [pod for pod in self.pods if pod.is_ready]
        held = rate * SCRAPE if not ready else 0.0
        if self.gateway_speaks:
            self.gateway = [
                *self.gateway[-_HISTORY:],
                GatewaySample(self._clock(), self.total, rate * 5 + held, held, 0.0),
            ]
        self.pods = [self._scraped(pod, rate / len(ready)) if pod.is_ready else pod for pod in self.pods]
        replicas = dict(self.policy.decide(self.view()))
        self._follow(replicas)
        return replicas

    def run(self, seconds: float) -> list[dict[str, int]]:
        return [self.step() for _ in range(round(seconds / SCRAPE))]

    def view(self) -> View:
        return View(self._clock(), self.flavours, tuple(self.pods), tuple(self.gateway), dict(self.asked))

    def take(self, name: str) -> None:
        """All replicas of a flavour are lost; others are started in their place, as a Deployment does."""
        lost = [pod for pod in self.pods if pod.flavour == name]
        self.pods = [pod for pod in self.pods if pod.flavour != name]
        for _ in lost:
            self._begin(name, is_ready=False)

    def _clock(self) -> float:
        return self.now + self.drift_seconds

    def _begin(self, name: str, *, is_ready: bool) -> None:
        self.started += 1
        at = self._clock()
        self.pods.append(Pod(f"{name}-{self.started}", name, at, at if is_ready else None, is_ready))

    def _get_ready(self) -> None:
        for place, pod in enumerate(self.pods):
            age = self._clock() - pod.created_seconds
            if not pod.is_ready and age >= 90.0 and self.starts(pod.flavour):
                self.pods[place] = replace(pod, is_ready=True, ready_seconds=self._clock())

    def _scraped(self, pod: Pod, rate: float) -> Pod:
        if not self.engines_speak(pod.name):
            return pod
        before = pod.samples[-1] if pod.samples else EngineSample(self._clock(), 0, 0, 0, 0, 0, 0, 0)
        count = rate * SCRAPE
        sample = EngineSample(
            self._clock(),
            running=rate * 3,
            waiting=0.0,
            cache_usage=0.1,
            prompt_tokens_total=(before.prompt_tokens_total or 0) + count * INPUT,
            output_tokens_total=(before.output_tokens_total or 0) + count * OUTPUT,
            requests_total=(before.requests_total or 0) + count,
            preemptions_total=0.0,
        )
        return replace(pod, samples=(*pod.samples[-_HISTORY:], sample))

    def _follow(self, replicas: dict[str, int]) -> None:
        self.asked = replicas
        for name, count in replicas.items():
            mine = [pod for pod in self.pods if pod.flavour == name]
            for _ in range(count - len(mine)):
                self._begin(name, is_ready=False)
            mine.sort(key=lambda pod: (pod.is_ready, pod.created_seconds))
            for pod in mine[: max(0, len(mine) - count)]:
                self.pods.remove(pod)
