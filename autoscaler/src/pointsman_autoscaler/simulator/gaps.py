"""Latencies as they are counted: in the buckets that engines export, and beside the bounds that judge."""

from bisect import bisect_left
from itertools import accumulate

from pointsman_autoscaler.view import Histogram

INFINITY = float("inf")

# The buckets of vLLM 0.11 and later: time to first token and time between tokens.
TTFT_BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5),
    *(10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0, INFINITY),
)
ITL_BUCKETS = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, INFINITY),
)


class Buckets:
    """A histogram that is added to."""

    __slots__ = ("_made", "bounds", "counts", "seconds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * len(bounds)
        self.seconds = 0.0
        self._made = Histogram(bounds, (0,) * len(bounds), 0.0)

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def histogram(self) -> Histogram:
        """As it is now; the same object while nothing is added, as what is added takes time."""
        if self._made.sum_seconds != self.seconds:
            self._made = Histogram(self.bounds, tuple(accumulate(self.counts)), self.seconds)
        return self._made


class Judged:
    """Gaps between tokens of all replicas, and how many of them were longer than each bound."""

    __slots__ = ("count", "limits", "over")

    def __init__(self, limits: tuple[float, ...] = ()) -> None:
        self.limits = limits
        self.count = 0
        self.over = [0] * len(limits)


def steps_up_to(limit: float, first: float, growth: float, steps: int) -> int:
    """How many of `steps` steps take at most `limit` seconds.

    The first of them takes `first` seconds, each next one `growth` more.
    """
    if first > limit:
        return 0
    if growth <= 0 or first + growth * (steps - 1) <= limit:
        return steps
    count = int((limit - first) / growth) + 1
    # The quotient may be rounded over a whole number.
    while count > 0 and first + growth * (count - 1) > limit:
        count -= 1
    while count < steps and first + growth * count <= limit:
        count += 1
    return min(count, steps)


def add_steps(
    buckets: Buckets, judged: Judged, first: float, growth: float, steps: int, sequences: int, seconds: float
) -> None:
    """Count the gaps of `steps` steps, in each of which `sequences` requests get a token.

    The first takes `first` seconds, each next one `growth` more, all of them `seconds`.
    """
    bounds, counts = buckets.bounds, buckets.counts
    last = first + growth * (steps - 1)
    index = bisect_left(bounds, first)
    if last <= bounds[index]:
        counts[index] += sequences * steps
    else:
        below = 0
        while below < steps:
            upto = steps_up_to(bounds[index], first, growth, steps)
            counts[index] += sequences * (upto - below)
            below = upto
            index += 1
    buckets.seconds += sequences * seconds
    judged.count += sequences * steps
    for place, limit in enumerate(judged.limits):
        if last > limit:
            judged.over[place] += sequences * (steps - steps_up_to(limit, first, growth, steps))
