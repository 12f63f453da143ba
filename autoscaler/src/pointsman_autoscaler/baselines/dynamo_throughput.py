"""Dynamo's planner 1.6, throughput mode: predicted requests over what one engine sustains.

ai-dynamo 1.6.1, dynamo/planner/core/throughput_scaling.py, for engines that do prefill and decode.
"""

import math
from dataclasses import dataclass

from pointsman_autoscaler.baselines.engine_model import engine_model
from pointsman_autoscaler.baselines.interval import interval
from pointsman_autoscaler.baselines.objectives import objectives
from pointsman_autoscaler.baselines.predictors import PredictorName, predictor
from pointsman_autoscaler.baselines.readings import ready_pods
from pointsman_autoscaler.baselines.setup import Setup, asked, unchanged
from pointsman_autoscaler.view import View


def wanted_replicas(
    requests_per_second: float, engine_requests_per_second: float, current: int, least: int, most_change: int
) -> int:
    """At most so many more or fewer than now, and never below the least."""
    wanted = max(math.ceil(requests_per_second / engine_requests_per_second), least)
    return max(min(max(wanted, current - most_change), current + most_change), least)


@dataclass
class DynamoThroughput:
    """`sla_factor` tightens or loosens both latencies."""

    setup: Setup
    sla_factor: float = 1.0
    predictor_name: PredictorName = "kalman"
    most_change: int = 8
    interval_seconds: float = 180.0
    name: str = "dynamo"

    def __post_init__(self) -> None:
        self._requests = predictor(self.predictor_name)
        self._inputs = predictor(self.predictor_name)
        self._outputs = predictor(self.predictor_name)

    def decide(self, view: View) -> dict[str, int]:
        wanted, ready = self.wanted(view), len(ready_pods(view))
        current = asked(view)
        if wanted is None or (current > ready and wanted > ready):
            # Nothing to size with; or more is wanted while replicas start, which it waits for.
            return unchanged(view, self.setup)
        return self.setup.place(wanted, view)

    def wanted(self, view: View) -> int | None:
        """Replicas for the next interval; None where no load or no engine is known."""
        first = self.setup.first(view)
        past = interval(view, self.interval_seconds)
        if first is None or past.requests is None:
            return None
        self._requests.observe(past.requests)
        # An idle interval has no mean request: the shape stays that of the last one that had.
        if past.input_tokens is not None and past.output_tokens is not None:
            self._inputs.observe(past.input_tokens)
            self._outputs.observe(past.output_tokens)
        inputs, outputs = self._inputs.next(), self._outputs.next()
        model = engine_model(first, inputs)
        bounds = objectives(self.setup.settings, self.sla_factor)
        rate = None if model is None else model.sustained(inputs, outputs, bounds)
        if rate is None or rate.requests_per_second <= 0:
            return None
        return wanted_replicas(
            self._requests.next() / self.interval_seconds,
            rate.requests_per_second * max(1, first.stages),
            len(ready_pods(view)),
            self.setup.least,
            self.most_change,
        )
