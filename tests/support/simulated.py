"""Small scenarios for the autoscaler's simulator, and policies that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.scenario import Controls, Scenario, SimulatedFlavour, Spot
from pointsman_autoscaler.simulator.startup import fixed
from pointsman_autoscaler.view import Flavour, View

# A model of 32 billion parameters on two H100, in round numbers: 14 ms to read the weights.
LAW = StepTime(fixed=0.014, per_token=4e-5, per_sequence=4e-5, per_cached_token=6e-8)
BOUNDS = (Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06))
SETTINGS = ScalingSettings(BOUNDS)
# Nothing goes wrong, and what is seen is seen at once.
CALM = Controls(scrape_delay_seconds=0.0, missing_scrapes=0.0, failing_starts=0.0, patience_seconds=1e9)
ROUGH = Controls(
    missing_scrapes=0.1, failing_starts=0.2, drain_seconds=20.0, patience_seconds=5.0, hold_requests=20
)


def flavour(
    name: str = "h100",
    *,
    price: float = 3.6,
    startup_seconds: float = 60.0,
    slots: int = 64,
    cache_tokens: int = 200_000,
    maximum: int = 100,
    spot: Spot | None = None,
) -> SimulatedFlavour:
    seen = Flavour(
        name,
        price,
        maximum=maximum,
        is_spot=spot is not None,
        law=LAW,
        slots=slots,
        cache_tokens=cache_tokens,
    )
    return SimulatedFlavour(seen, LAW, fixed(startup_seconds), spot)


def arrivals(requests: Sequence[tuple[float, int, int]], span_seconds: float) -> Arrivals:
    """From (time, tokens of the prompt, tokens of the answer)."""
    at, given, answers = zip(*requests, strict=True) if requests else ((), (), ())
    return Arrivals(
        np.array(at, dtype=np.float64),
        np.array(given, dtype=np.int32),
        np.array(answers, dtype=np.int32),
        span_seconds,
    )


def random_arrivals(
    per_second: float, span_seconds: float, seed: int = 0, given: int = 800, answer: int = 150
) -> Arrivals:
    """Independent of each other, with lengths that vary as in conversations."""
    random = np.random.default_rng(seed)
    count = int(random.poisson(per_second * span_seconds))
    return Arrivals(
        np.sort(random.uniform(0, span_seconds, count)),
        np.clip(random.exponential(given, count), 1, 8000).astype(np.int32),
        np.clip(random.exponential(answer, count), 1, 2000).astype(np.int32),
        span_seconds,
    )


def scenario(
    load: Arrivals,
    *flavours: SimulatedFlavour,
    controls: Controls = CALM,
    settings: ScalingSettings = SETTINGS,
    initial: Mapping[str, int] | None = None,
) -> Scenario:
    """By default of one flavour, with one replica that is ready."""
    every = flavours or (flavour(),)
    begins = {every[0].flavour.name: 1} if initial is None else initial
    return Scenario("test", load, every, settings, controls, begins)


@dataclass
class Still:
    """Always the same number of each flavour."""

    replicas: Mapping[str, int]
    name: str = "still"
    interval_seconds: float = 15.0

    def decide(self, view: View) -> Mapping[str, int]:
        return self.replicas


@dataclass
class Told:
    """What a function of the seconds since the beginning says; keeps what it saw."""

    say: Callable[[float], Mapping[str, int]]
    begins_seconds: float
    name: str = "told"
    interval_seconds: float = 15.0
    views: list[View] = field(default_factory=list)

    def decide(self, view: View) -> Mapping[str, int]:
        self.views.append(view)
        return self.say(view.now_seconds - self.begins_seconds)
