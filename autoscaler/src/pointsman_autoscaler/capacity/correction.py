"""What was seen of each bound against what was predicted: a bounded factor on the prediction. Pure.

After so many requests the seen quantile is compared with the predicted one at the same load. The factor
follows their ratio as online conformal prediction does, faster up than down: it settles where windows above
the corrected prediction are a third of the others by their distance. Loads far below the bound say nothing
about the load at it, and a queue that is worked off says nothing about a steady one. What raised the factor
at some load is refuted at such a load: bursts end. What was seen is believed less as time goes by: replicas
that were added for it keep latencies away from the bound.
"""

import math
from dataclasses import dataclass, field

from pointsman.placement.demand import Bound
from pointsman_autoscaler.capacity.windows import Window
from pointsman_autoscaler.view import Histogram

# No correction takes the law's place: beyond these it is wrong, not biased.
LEAST, MOST = 0.7, 3.0
# Steps towards what was seen; 3 : 1 is the expectile of 0.75.
_UP, _DOWN = 0.3, 0.1
# Requests beyond the quantile that a comparison needs: with 10, its own error is some 15 %.
_BEYOND = 10
# The same with fewer, when so much time has passed; older is another load.
_LONGEST_SECONDS = 900.0
# Shares of the bound between which a latency begins to say something about the load at the bound.
_SILENT, _TELLING = 0.4, 0.9
# A queue this long is worked off, it is no tail: where the mean wait is half of what the tail may be, the
# tail is far above it (three times the mean at p95, of waits that fall exponentially). A few always wait.
_BACKLOG, _MEAN_WAIT_SHARE = 4.0, 0.5
# Of bounds without a time to the first token: people wait two seconds for a beginning, as placement has it.
_USUAL_WAIT_SECONDS = 2.0
_MOST_PODS = 4096
# What was seen counts half after so long.
_HALF_LIFE_SECONDS = 3600.0


@dataclass(slots=True)
class Seen:
    """Windows of one bound until there are enough requests."""

    pod_seconds: float = 0.0
    requests: float = 0.0
    prompt_tokens: float = 0.0
    output_tokens: float = 0.0
    begins_seconds: float = math.inf
    ends_seconds: float = -math.inf
    edges: tuple[float, ...] = ()
    counts: list[float] = field(default_factory=list)

    def add(self, window: Window, histogram: Histogram) -> None:
        if histogram.bounds != self.edges:
            self.edges, self.counts = histogram.bounds, [0.0] * len(histogram.bounds)
        self.counts = [had + came for had, came in zip(self.counts, histogram.counts, strict=True)]
        self.pod_seconds += window.seconds
        self.requests += window.arrived or 0.0
        self.prompt_tokens += window.prompt_tokens or 0.0
        self.output_tokens += window.output_tokens or 0.0
        self.begins_seconds = min(self.begins_seconds, window.ends_seconds - window.seconds)
        self.ends_seconds = max(self.ends_seconds, window.ends_seconds)

    def quantile(self, quantile: float) -> tuple[float, float] | None:
        """Between which latencies it lies: the middle half (in logarithms) of where the bucket has it."""
        total = self.counts[-1] if self.counts else 0.0
        if total <= 0:
            return None
        rank, below, lower = quantile * total, 0.0, 0.0
        for edge, count in zip(self.edges, self.counts, strict=True):
            if count >= rank:
                if math.isinf(edge):
                    return lower, math.inf
                low = lower or edge / 2
                width = math.log(edge / low)
                at = math.log(low) + (rank - below) / (count - below) * width
                return math.exp(at - width / 4), math.exp(at + width / 4)
            below, lower = count, edge
        return None


class Correction:
    """Of one bound."""

    def __init__(self, bound: Bound, first_token_seconds: float = _USUAL_WAIT_SECONDS) -> None:
        """`first_token_seconds` is what a wait is bounded by, whatever this bound is of."""
        self._bound = bound
        self._most_wait = first_token_seconds * _MEAN_WAIT_SHARE
        self._log = 0.0
        self._raised_at, self._raised_by = math.inf, 0.0
        self._last_seconds: float | None = None
        self._unsettled: dict[str, float] = {}
        self._seen = Seen()

    @property
    def factor(self) -> float:
        return math.exp(self._log)

    def add(self, window: Window) -> Seen | None:
        """What is to be compared, once there is enough of it."""
        self._forget(window.ends_seconds)
        histogram = window.ttft if self._bound.metric == "ttft" else window.itl
        if histogram is None or not histogram.count or not window.arrived or not self._is_settled(window):
            return None
        seen = self._seen
        if window.ends_seconds - seen.begins_seconds > 2 * _LONGEST_SECONDS:
            seen = self._seen = Seen()
        seen.add(window, histogram)
        needed = _BEYOND / (1 - self._bound.quantile)
        has_waited = seen.ends_seconds - seen.begins_seconds >= _LONGEST_SECONDS
        if seen.requests < needed and not (has_waited and seen.requests >= needed / 4):
            if has_waited:
                self._seen = Seen()
            return None
        self._seen = Seen()
        return seen

    def compare(self, seen: Seen, predicted_seconds: float) -> None:
        """`predicted_seconds` is without this correction, at the load that was seen."""
        between = seen.quantile(self._bound.quantile)
        if between is None or not 0 < predicted_seconds < math.inf:
            return
        low, high = between
        expected = predicted_seconds * self.factor
        near = max(expected, low) / self._bound.seconds
        weight = min(1.0, max(0.0, (near - _SILENT) / (_TELLING - _SILENT)))
        nearest = min(max(expected, low), high)
        off = min(max(math.log(nearest / predicted_seconds), math.log(LEAST)), math.log(MOST)) - self._log
        if off > 0:
            self._raise(predicted_seconds, weight)
        elif self._log > 0 and predicted_seconds >= self._raised_at:
            weight, off = max(weight, self._raised_by), max(off, -self._log)
        self._log += weight * (_UP if off > 0 else _DOWN) * off

    def _raise(self, predicted_seconds: float, weight: float) -> None:
        """Remembers at what load, and how surely, latencies were longer than predicted."""
        if self._log <= 0:
            self._raised_at, self._raised_by = predicted_seconds, weight
        step = weight * _UP
        self._raised_at += step * (predicted_seconds - self._raised_at)
        self._raised_by += step * (weight - self._raised_by)

    def _forget(self, now_seconds: float) -> None:
        passed = now_seconds - self._last_seconds if self._last_seconds is not None else 0.0
        if passed > 0:
            self._log *= 0.5 ** (passed / _HALF_LIFE_SECONDS)
        if passed >= 0 or -passed > _LONGEST_SECONDS:  # windows of several pods are not quite in order
            self._last_seconds = now_seconds

    def _is_settled(self, window: Window) -> bool:
        """Whether no queue is worked off, nor was in the window before: its first tokens come in this one."""
        per_second = (window.arrived or 0.0) / window.seconds
        if (window.waiting or 0.0) > max(_BACKLOG, per_second * self._most_wait):
            self._unsettled[window.pod] = window.ends_seconds
            return False
        until = self._unsettled.pop(window.pod, -math.inf)
        if len(self._unsettled) > _MOST_PODS:
            self._unsettled.clear()
        return window.ends_seconds - window.seconds > until + window.seconds / 2
