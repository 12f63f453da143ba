"""Dynamo's planner of 2025 (0.x): predicted load over profiled throughput, corrected by what was observed.

ai-dynamo/dynamo, docs/planner/sla_planner.md and components/planner/src/dynamo/planner/utils/planner_core.py.
"""

import math
from dataclasses import dataclass

from pointsman_autoscaler.baselines.interval import Interval, interval
from pointsman_autoscaler.baselines.objectives import objectives
from pointsman_autoscaler.baselines.predictors import PredictorName, predictor
from pointsman_autoscaler.baselines.profiled import Profiled, profiled
from pointsman_autoscaler.baselines.setup import Setup, unchanged
from pointsman_autoscaler.view import View


def prefill_load(
    requests: float, input_tokens: float, seconds: float, correction: float, tokens_per_second: float
) -> float:
    """Replicas, not rounded. A correction above one, which queues make, does not count."""
    return requests * input_tokens / seconds * min(1.0, correction) / tokens_per_second


def decode_load(requests: float, output_tokens: float, seconds: float, tokens_per_second: float) -> float:
    return requests * output_tokens / seconds / tokens_per_second


@dataclass
class DynamoSla:
    """`sla_factor` tightens or loosens both latencies.

    The planner sizes prefill and decode workers apart; a replica that does both is kept busy by the sum.
    """

    setup: Setup
    sla_factor: float = 1.0
    predictor_name: PredictorName = "kalman"
    interval_seconds: float = 180.0
    name: str = "dynamo0"

    def __post_init__(self) -> None:
        self._requests = predictor(self.predictor_name)
        self._inputs = predictor(self.predictor_name)
        self._outputs = predictor(self.predictor_name)

    def decide(self, view: View) -> dict[str, int]:
        first = self.setup.first(view)
        tables = None if first is None else profiled(first)
        past = interval(view, self.interval_seconds)
        if tables is None or not past.requests or past.input_tokens is None or past.output_tokens is None:
            return unchanged(view, self.setup)
        self._requests.observe(past.requests)
        self._inputs.observe(past.input_tokens)
        self._outputs.observe(past.output_tokens)
        return self.setup.place(max(math.ceil(self._load(tables, past)), self.setup.least), view)

    def _load(self, tables: Profiled, past: Interval) -> float:
        requests = self._requests.next()
        inputs, outputs = max(1.0, self._inputs.next()), max(1.0, self._outputs.next())
        ttft, itl = corrections(tables, past)
        bounds = objectives(self.setup.settings, self.sla_factor)
        context = inputs + outputs / 2
        aimed = bounds.itl_seconds / itl if itl > 0 else bounds.itl_seconds
        return prefill_load(
            requests, inputs, self.interval_seconds, ttft, tables.prefill_tokens_per_second(inputs)
        ) + decode_load(
            requests, outputs, self.interval_seconds, tables.decode_tokens_per_second(aimed, context)
        )


def corrections(tables: Profiled, past: Interval) -> tuple[float, float]:
    """Observed over profiled, of the times to first and between tokens; 1 where not observed."""
    if past.input_tokens is None or past.output_tokens is None:
        return 1.0, 1.0
    context = past.input_tokens + past.output_tokens / 2
    first = itl = 1.0
    if past.ttft_seconds is not None:
        first = past.ttft_seconds / tables.ttft_seconds(past.input_tokens)
    if past.itl_seconds is not None and past.running is not None:
        itl = past.itl_seconds / tables.itl_seconds(past.running, context)
    return first, itl
