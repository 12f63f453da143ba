"""The tables that Dynamo's planner profiles before it runs, here from a flavour's step-time law. Pure.

Prompts by themselves: time to first token and tokens a second by length. Answers by themselves: time between
tokens and tokens a second by running requests and length. With pipeline stages as many batches run at once.
"""

import math
from dataclasses import dataclass

from pointsman.placement.stage import CHUNK_TOKENS
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.view import Flavour


@dataclass(frozen=True, slots=True)
class Profiled:
    """One replica."""

    law: StepTime
    stages: int
    slots: int
    cache_tokens: int

    def ttft_seconds(self, input_tokens: float) -> float:
        """One prompt alone."""
        chunks = max(1, math.ceil(input_tokens / CHUNK_TOKENS))
        each = input_tokens / chunks
        attending = self.law.per_pair * input_tokens * input_tokens / 2
        return chunks * self.law.seconds(each, 1.0, 0.0) + attending

    def prefill_tokens_per_second(self, input_tokens: float) -> float:
        return self.stages * input_tokens / self.ttft_seconds(input_tokens)

    def itl_seconds(self, running: float, context_tokens: float) -> float:
        batch = max(running, 1.0) / self.stages
        return self.law.seconds(batch, batch, batch * context_tokens)

    def decode_tokens_per_second(self, itl_seconds: float, context_tokens: float) -> float:
        """The most within the target; where one request alone misses it, what that one gets."""
        fitting = math.inf if not self.cache_tokens else self.cache_tokens / max(context_tokens, 1.0)
        most = max(1, int(min(self.slots, fitting)))
        least = 1
        while least < most:
            middle = (least + most + 1) // 2
            if self.itl_seconds(middle, context_tokens) <= itl_seconds:
                least = middle
            else:
                most = middle - 1
        return least / self.itl_seconds(least, context_tokens)


def profiled(flavour: Flavour) -> Profiled | None:
    """None: no law, no tables."""
    if flavour.law is None:
        return None
    return Profiled(flavour.law, max(1, flavour.stages), max(1, flavour.slots), flavour.cache_tokens)
