"""What a view says at this moment and over the last seconds; what was not seen is None. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol, TypeVar

from pointsman_autoscaler.view import EngineSample, GatewaySample, Pod, View

# A sample older than four usual scrapes is gone: Prometheus ends a series when a scrape of it fails.
FRESH_SECONDS = 60.0

PodMetric = Literal["requests", "cache"]
"""What engines are scaled by: requests that run or wait, or the share of the KV cache that is used."""


class _Timed(Protocol):
    @property
    def at_seconds(self) -> float: ...


_Sample = TypeVar("_Sample", bound=_Timed)


def number(value: float | None) -> float | None:
    """A number that can be reckoned with; what is not finite was not seen."""
    return value if value is not None and math.isfinite(value) else None


def recent(samples: Sequence[_Sample], now_seconds: float, seconds: float) -> Iterator[_Sample]:
    """Those of the last so many seconds, the latest first."""
    for sample in reversed(samples):
        if sample.at_seconds <= now_seconds - seconds:
            return
        if sample.at_seconds <= now_seconds:
            yield sample


def load_of(sample: EngineSample) -> float | None:
    """Requests that the engine has, running or waiting."""
    running = number(sample.running)
    return None if running is None else running + (number(sample.waiting) or 0.0)


def of(sample: EngineSample, metric: PodMetric) -> float | None:
    return load_of(sample) if metric == "requests" else number(sample.cache_usage)


def latest(pod: Pod, metric: PodMetric, now_seconds: float) -> float | None:
    """The newest value that is not stale."""
    return _first(of(sample, metric) for sample in recent(pod.samples, now_seconds, FRESH_SECONDS))


def latest_sample(pod: Pod, now_seconds: float) -> EngineSample | None:
    return next(recent(pod.samples, now_seconds, FRESH_SECONDS), None)


def peak(values: Iterable[float | None]) -> float | None:
    """The largest of those that were seen."""
    return max((value for value in map(number, values) if value is not None), default=None)


def ready_pods(view: View) -> list[Pod]:
    return [pod for pod in view.pods if pod.is_ready and not pod.is_draining and pod.flavour in view.flavours]


def concurrency(sample: GatewaySample) -> float | None:
    """Requests that are under way, those that are held included."""
    seen = [value for value in (number(sample.in_flight), number(sample.held)) if value is not None]
    return max(seen, default=None)


def gateway_latest(view: View) -> float | None:
    """Requests under way at the gateways, not stale."""
    return _first(concurrency(sample) for sample in recent(view.gateway, view.now_seconds, FRESH_SECONDS))


def gateway_mean(view: View, seconds: float) -> float | None:
    """Requests under way at the gateways on the mean over a window, or the newest where it has no sample."""
    seen = [concurrency(sample) for sample in recent(view.gateway, view.now_seconds, seconds)]
    values = [value for value in seen if value is not None]
    return sum(values) / len(values) if values else gateway_latest(view)


def total_load(view: View) -> float | None:
    """Requests under way: at the gateways, or at the engines where no gateway is seen."""
    seen = gateway_latest(view)
    if seen is not None:
        return seen
    loads = [latest(pod, "requests", view.now_seconds) for pod in ready_pods(view)]
    known = [load for load in loads if load is not None]
    return sum(known) if known else None


def _first(values: Iterable[float | None]) -> float | None:
    return next((value for value in values if value is not None), None)
