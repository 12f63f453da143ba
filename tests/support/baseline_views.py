"""Views of one model as policies get them, built from a few numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pointsman.placement.demand import Bound
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.baselines.setup import Setup
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.view import EngineSample, Flavour, GatewaySample, Histogram, Pod, View

BOUNDS = (Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06))
# Llama-3.1-8B on an H100, TensorRT-LLM: the law fitted to measured rows.
LAW = StepTime(fixed=6.25e-3, per_token=1.94e-5, per_sequence=0.0, per_cached_token=4.2e-8)
NOW = 1_000_000.0


def settings(
    minimum: int = 1, maximum: int = 100, idle: float | None = None, bounds: Sequence[Bound] = BOUNDS
) -> ScalingSettings:
    return ScalingSettings(tuple(bounds), minimum=minimum, maximum=maximum, idle_after_seconds=idle)


def setup(minimum: int = 1, maximum: int = 100, idle: float | None = None) -> Setup:
    return Setup(settings(minimum, maximum, idle))


def flavour(
    name: str = "h100",
    price: float = 4.0,
    minimum: int = 0,
    maximum: int = 1000,
    *,
    law: StepTime | None = LAW,
    slots: int = 256,
    cache_tokens: int = 400_000,
    spot: bool = False,
    domain: str = "",
) -> Flavour:
    return Flavour(
        name, price, minimum, maximum, spot, domain, law=law, slots=slots, cache_tokens=cache_tokens
    )


def bare(slots: int = 10) -> Flavour:
    """Without a law: what it runs at once is what it has slots for."""
    return flavour(law=None, slots=slots)


def sample(
    now: float = NOW,
    running: float | None = None,
    waiting: float | None = 0.0,
    cache: float | None = None,
    **totals: float,
) -> EngineSample:
    """`totals` are the counters by their names."""
    return EngineSample(
        now,
        running,
        waiting,
        cache,
        totals.get("prompt_tokens_total"),
        totals.get("output_tokens_total"),
        totals.get("requests_total"),
    )


def with_gaps(seen: EngineSample, count: float, mean_seconds: float = 0.0) -> EngineSample:
    """The same with so many gaps between tokens counted."""
    return replace(seen, itl=Histogram((math.inf,), (count,), count * mean_seconds))


def pod(
    name: str,
    *samples: EngineSample,
    of: str = "h100",
    ready: bool = True,
    draining: bool = False,
    now: float = NOW,
) -> Pod:
    return Pod(name, of, now - 3600, now - 3000 if ready else None, ready, draining, samples)


def pods(
    count: int, running: float | None, *, now: float = NOW, of: str = "h100", **more: float
) -> list[Pod]:
    """Ready replicas with one sample each, or with none."""
    given = () if running is None else (sample(now, running, **more),)
    return [pod(f"{of}-{index}", *given, of=of, now=now) for index in range(count)]


def gateway(
    now: float = NOW, in_flight: float | None = None, held: float | None = None
) -> list[GatewaySample]:
    return [GatewaySample(now, in_flight=in_flight, held=held)]


def arriving(
    rate: float, now: float = NOW, seconds: float = 600.0, in_flight: float = 0.0
) -> list[GatewaySample]:
    """A gateway that so many requests a second come to, looked at every 15 s."""
    steps = int(seconds // 15)
    return [
        GatewaySample(now - (steps - step) * 15, requests_total=1000 + rate * step * 15, in_flight=in_flight)
        for step in range(steps + 1)
    ]


def view(
    *flavours: Flavour,
    pods: Sequence[Pod] = (),
    gateway: Sequence[GatewaySample] = (),
    asked: Mapping[str, int] | int | None = None,
    now: float = NOW,
) -> View:
    """`asked` as a number is that of the first flavour; by default as many as there are pods."""
    known = flavours or (flavour(),)
    if asked is None:
        asked = {one.name: sum(pod.flavour == one.name for pod in pods) for one in known}
    elif isinstance(asked, int):
        asked = {known[0].name: asked}
    return View(now, {one.name: one for one in known}, pods, gateway, asked)
