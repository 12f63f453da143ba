"""Dynamo's planner 1.6, load mode: one more where all engines miss a latency, one fewer where that is safe.

ai-dynamo 1.6.1, dynamo/planner/core/load_scaling.py, for engines that do prefill and decode.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pointsman_autoscaler.baselines.dynamo_throughput import DynamoThroughput
from pointsman_autoscaler.baselines.engine_model import EngineModel, engine_model
from pointsman_autoscaler.baselines.interval import interval
from pointsman_autoscaler.baselines.objectives import Objectives, objectives
from pointsman_autoscaler.baselines.readings import latest_sample, number, ready_pods
from pointsman_autoscaler.baselines.setup import Setup, asked, unchanged
from pointsman_autoscaler.view import View

Direction = Literal["up", "down", "stay"]

# Mean tokens of requests are taken over as long as the throughput mode does.
_SHAPE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Work:
    """What one engine has: prompts' tokens that wait, the cache's tokens in use, and requests that run."""

    queued_tokens: float
    cached_tokens: float
    running: float


@dataclass(frozen=True, slots=True)
class Typical:
    """The mean request, and the tokens of prompts in a mean iteration."""

    input_tokens: float
    context_tokens: float
    """That it holds in the cache, on the mean over its answer."""
    prefill_tokens: float


def direction(
    engines: Sequence[Work],
    model: EngineModel,
    bounds: Objectives,
    typical: Typical,
    sensitivity: float = 0.8,
) -> Direction:
    """Up where all miss the same latency; down where the rest, with all the load, stay well within both."""
    if not engines:
        return "stay"
    if all(_ttft(one, model, typical) > bounds.ttft_seconds for one in engines):
        return "up"
    if all(_itl(one, model, typical) > bounds.itl_seconds for one in engines):
        return "up"
    if len(engines) < 2:
        return "stay"
    more = len(engines) / (len(engines) - 1)
    safe = all(
        _ttft_is_safe(one, more, model, bounds, typical, sensitivity)
        and _itl_is_safe(one, more, model, bounds, typical, sensitivity)
        for one in engines
    )
    return "down" if safe else "stay"


def _ttft(work: Work, model: EngineModel, typical: Typical, more: float = 1.0, queue: float = 1.0) -> float:
    return model.ttft_seconds(
        work.queued_tokens * queue, typical.input_tokens, work.cached_tokens * more, work.running * more
    )


def _itl(work: Work, model: EngineModel, typical: Typical) -> float:
    return model.iteration(
        typical.prefill_tokens, work.cached_tokens + typical.context_tokens, work.running + 1
    )


def _ttft_is_safe(
    work: Work, more: float, model: EngineModel, bounds: Objectives, typical: Typical, sensitivity: float
) -> bool:
    """The part of the wait that the queue makes is held to a share of what a prompt by itself leaves."""
    own = _ttft(work, model, typical, more, queue=0.0)
    left = (bounds.ttft_seconds - own) * sensitivity
    return left > 0 and _ttft(work, model, typical, more, queue=more) - own < left


def _itl_is_safe(
    work: Work, more: float, model: EngineModel, bounds: Objectives, typical: Typical, sensitivity: float
) -> bool:
    """What waits will be in the cache as well, and must fit."""
    cached, running = (work.cached_tokens + work.queued_tokens) * more, work.running * more
    if model.cache_tokens and cached >= model.cache_tokens:
        return False
    seconds = model.iteration(typical.prefill_tokens, cached + typical.context_tokens, running + 1)
    return seconds < bounds.itl_seconds * sensitivity


@dataclass
class DynamoLoad:
    """`sla_factor` tightens or loosens both latencies; with `floor` the throughput mode says the least."""

    setup: Setup
    sla_factor: float = 1.0
    sensitivity: float = 0.8
    floor: bool = True
    interval_seconds: float = 5.0
    name: str = "dynamo-load"
    _floor_seconds: float | None = None
    _least: int = 0

    def __post_init__(self) -> None:
        self._throughput = DynamoThroughput(self.setup, self.sla_factor)

    def decide(self, view: View) -> dict[str, int]:
        self._renew_floor(view)
        least = max(self.setup.least, self._least)
        ready, current = len(ready_pods(view)), asked(view)
        way = self._direction(view)
        if way is None:
            return (
                self.setup.place(max(current, least), view)
                if current < least
                else unchanged(view, self.setup)
            )
        if current > ready:
            # Replicas start: no more are added; fewer are, which calls off those that start.
            return (
                self.setup.place(max(ready - 1, least), view)
                if way == "down"
                else unchanged(view, self.setup)
            )
        wanted = current + (way == "up") - (way == "down")
        return self.setup.place(max(wanted, least), view)

    def _renew_floor(self, view: View) -> None:
        now, since = view.now_seconds, self._floor_seconds
        if not self.floor or (since is not None and 0 <= now - since < self._throughput.interval_seconds):
            return
        self._floor_seconds = now
        self._least = self._throughput.wanted(view) or self._least

    def _direction(self, view: View) -> Direction | None:
        """None where an engine is not seen, or nothing is known of requests."""
        first = self.setup.first(view)
        past = interval(view, _SHAPE_SECONDS)
        if first is None or past.input_tokens is None or past.output_tokens is None:
            return None
        stages = max(1, first.stages)
        typical = Typical(
            past.input_tokens,
            past.input_tokens + past.output_tokens / 2,
            (past.running or 0.0) / stages * past.input_tokens / max(1.0, past.output_tokens),
        )
        model = engine_model(first, typical.input_tokens)
        works = self._works(view, stages, typical)
        if model is None or works is None:
            return None
        bounds = objectives(self.setup.settings, self.sla_factor)
        return direction(works, model, bounds, typical, self.sensitivity)

    def _works(self, view: View, stages: int, typical: Typical) -> list[Work] | None:
        works = []
        for pod in ready_pods(view):
            sample = latest_sample(pod, view.now_seconds)
            running = None if sample is None else number(sample.running)
            if sample is None or running is None:
                return None
            cache = (number(sample.cache_usage) or 0.0) * view.flavours[pod.flavour].cache_tokens
            waiting = number(sample.waiting) or 0.0
            works.append(Work(waiting * typical.input_tokens / stages, cache / stages, running / stages))
        return works
