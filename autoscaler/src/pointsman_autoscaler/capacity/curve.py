"""Latency by concurrency, for engines that say nothing of their steps: llama.cpp, Triton, hosted. Pure."""

from pointsman.placement.demand import Bound
from pointsman_autoscaler.capacity.station import Point
from pointsman_autoscaler.capacity.workload import Workload

# Before anything was measured: as fast as people read twice, and a quarter of a second for a prompt; from memory.
TOKEN_SECONDS = 0.05
FIRST_TOKEN_SECONDS = 0.25
_MEDIAN = 0.5


class Measured:
    """Requests in slots of their own that slow each other down."""

    def __init__(self, workload: Workload, bounds: tuple[Bound, ...]) -> None:
        self._answer = workload.output_tokens
        self._bounds = bounds

    def rate(self, requests: float) -> float:
        return requests / self._seconds(requests)

    def point(self, requests: float, arrivals: float) -> Point:
        tails = tuple(
            (bound, FIRST_TOKEN_SECONDS if bound.metric == "ttft" else TOKEN_SECONDS)
            for bound in self._bounds
        )
        return Point(self.rate(requests), self._seconds(requests), tails)

    def _seconds(self, requests: float) -> float:
        return FIRST_TOKEN_SECONDS + self._answer * TOKEN_SECONDS
