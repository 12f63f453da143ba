"""What came out: how well, for how much, how calmly; and the minutes to draw it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """A number for each minute from the beginning; what happened in it, or what was at its end."""

    requests_per_second: Floats
    ready: Mapping[str, Floats]
    """Replicas that serve, by flavour."""
    billed: Mapping[str, Floats]
    """Replicas that are paid for: starting, serving or draining."""
    asked: Mapping[str, Floats]
    attained: Floats
    """The share of the minute's arrivals that met every bound; NaN without arrivals."""
    dollars: Floats
    """Spent in the minute."""
    held: Floats
    waiting: Floats
    """Requests in the engines' queues."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeline) and all(
            len(ours) == len(theirs) and np.array_equal(ours, theirs, equal_nan=True)
            for ours, theirs in zip(self._arrays(), other._arrays(), strict=True)
        )

    def _arrays(self) -> list[Floats]:
        by_flavour = [
            series[name] for series in (self.ready, self.billed, self.asked) for name in sorted(series)
        ]
        return [self.requests_per_second, self.attained, self.dollars, self.held, self.waiting, *by_flavour]


@dataclass(frozen=True, slots=True)
class Result:
    """Of one policy in one scenario with one seed. Requests count at their arrival."""

    policy: str
    scenario: str
    seed: int
    requests: int
    """Each of which finished, was abandoned, refused or lost."""
    finished: int
    met_requests: int
    """Finished with a first token and a mean time between tokens within the loosest bound of each."""
    abandoned: int
    """Whose clients lost their patience before the first token."""
    refused: int
    """Which the gateway did not hold, or which no cache is large enough for."""
    lost: int
    """Cut off: a drain that took too long, a machine that was taken back."""
    preemptions: int
    attained_windows: float
    """The share of 5-minute windows with arrivals in which every bound's quantile holds.

    First tokens by the requests that arrived in it, of which those that did not finish are late; gaps between
    tokens by those that lie in it.
    """
    worst_window: float
    """The least share of met requests among those windows."""
    ttft_seconds: Mapping[float, float]
    """By quantile, over all requests; infinite where so many never had a first token."""
    tpot_seconds: Mapping[float, float]
    """By quantile, over the mean time between tokens of each finished request."""
    bounds_held: Mapping[str, float]
    """By the bound's name, the share of windows in which its quantile holds."""
    dollars: float
    accelerator_hours: float
    scalings: int
    """Changes of what a flavour is asked to have."""
    reversals_per_day: float
    """Of those, the ones against the direction of the flavour's change before."""
    recovery_seconds: float | None
    """The longest time from a jump of the load until five minutes begin in which every bound holds; None
    without a jump, infinite if never."""
    output_tokens: int
    """Of all finished requests."""
    timeline: Timeline
    decisions: int
    decision_cpu_seconds: float = field(compare=False)
    simulation_cpu_seconds: float = field(compare=False)

    @property
    def met_share(self) -> float:
        return self.met_requests / self.requests if self.requests else 1.0

    @property
    def dollars_per_million_tokens(self) -> float:
        return self.dollars / self.output_tokens * 1e6 if self.output_tokens else float("inf")
