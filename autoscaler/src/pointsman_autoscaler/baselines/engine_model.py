"""One replica as Dynamo's planner 1.6 models it: the time of an iteration, and what follows from it. Pure.

ai-dynamo 1.6.1, dynamo/planner/core/perf_model/agg.py. The planner fits the iteration from its engines'
records or takes an estimator's; here it is the law that the flavour was placed with.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pointsman.placement.stage import CHUNK_TOKENS
from pointsman_autoscaler.baselines.objectives import Objectives
from pointsman_autoscaler.view import Flavour

# The largest batch that is tried where the engine does not say what its cache holds.
_LARGEST_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second that one replica sustains, with the latencies it then has."""

    requests_per_second: float
    ttft_seconds: float
    itl_seconds: float


@dataclass(frozen=True, slots=True)
class EngineModel:
    """`iteration(prefill tokens, cached tokens of running requests, running requests)` in seconds."""

    iteration: Callable[[float, float, float], float]
    budget_tokens: int = CHUNK_TOKENS
    """Tokens that one iteration takes in."""
    cache_tokens: int = 0
    slots: int = 0

    def ttft_seconds(
        self, queued_tokens: float, input_tokens: float, cached_tokens: float, running: float
    ) -> float:
        """Of one more request behind those that are queued, chunk after chunk."""
        left = queued_tokens + input_tokens
        if left <= 0:
            return 0.0
        whole, rest = divmod(left, self.budget_tokens)
        seconds = whole * self.iteration(float(self.budget_tokens), cached_tokens, running) if whole else 0.0
        return seconds + (self.iteration(rest, cached_tokens, running) if rest > 0 else 0.0)

    def sustained(
        self,
        input_tokens: float,
        output_tokens: float,
        bounds: Objectives,
        typical_input: float | None = None,
    ) -> Rate | None:
        """The largest batch within both latencies; the smallest where even that misses one.

        `typical_input` is the prompt of the next request where it differs from the mean.
        """
        if input_tokens <= 0 or output_tokens <= 0 or self.budget_tokens <= 0:
            return None
        context = input_tokens + output_tokens / 2
        own = input_tokens if typical_input is None else typical_input
        best = None
        for batch in range(1, self._largest_batch(input_tokens, output_tokens, context) + 1):
            prefill = min(batch * input_tokens / max(1.0, output_tokens), self.budget_tokens)
            seconds = self.iteration(prefill, batch * context, batch)
            first = self.ttft_seconds(float(int(prefill)), own, float(int(batch * context)), batch)
            missed = seconds > bounds.itl_seconds or first > bounds.ttft_seconds
            if missed and best is not None:
                break
            left = max(0.0, self.budget_tokens - batch)
            best = Rate(
                min(batch / (output_tokens * seconds), left / (input_tokens * seconds)), first, seconds
            )
            if missed:
                break
        return best

    def _largest_batch(self, input_tokens: float, output_tokens: float, context: float) -> int:
        """Within cache, slots, and the prompts that an iteration can take in beside so many answers."""
        by_cache = max(1, int(self.cache_tokens / max(1.0, context))) if self.cache_tokens else _LARGEST_BATCH
        most = max(1, min(by_cache, self.slots or by_cache, self.budget_tokens - 1))
        balanced = self.budget_tokens / (1 + input_tokens / max(1.0, output_tokens))
        return max(1, min(most, math.floor(balanced)))


def engine_model(
    flavour: Flavour, input_tokens: float, budget_tokens: int = CHUNK_TOKENS
) -> EngineModel | None:
    """For one pipeline stage; None without a law. A prompt's tokens attend to `input_tokens` at most."""
    law = flavour.law
    if law is None:
        return None
    stages = max(1, flavour.stages)

    def iteration(prefill_tokens: float, cached_tokens: float, running: float) -> float:
        attending = law.per_pair * prefill_tokens * input_tokens / 2
        return max(1e-6, law.seconds(prefill_tokens + running, running, cached_tokens) + attending)

    return EngineModel(
        iteration, budget_tokens, flavour.cache_tokens // stages, max(1, flavour.slots // stages)
    )
