"""What an interval saw of a model: requests, tokens, latencies and how many ran, of all replicas. Pure."""

from dataclasses import dataclass

from pointsman_autoscaler.baselines.counters import increase, mean_of
from pointsman_autoscaler.baselines.readings import number, ready_pods, recent
from pointsman_autoscaler.view import View


@dataclass(frozen=True, slots=True)
class Interval:
    """Means are None where nothing was seen or nothing happened."""

    seconds: float
    requests: float | None
    """That arrived; at engines, that ended."""
    input_tokens: float | None
    output_tokens: float | None
    ttft_seconds: float | None
    itl_seconds: float | None
    running: float | None
    """The mean number of requests that ran in one replica."""


def interval(view: View, seconds: float) -> Interval:
    now, since = view.now_seconds, view.now_seconds - seconds
    arrived = increase(view.gateway, lambda sample: sample.requests_total, since, now)
    first = mean_of(view.gateway, lambda sample: sample.ttft, since, now)
    first_engines, gaps = (0.0, 0.0), (0.0, 0.0)
    ended = prompts = answers = 0.0
    seen = False
    for pod in view.pods:
        of_pod = increase(pod.samples, lambda sample: sample.requests_total, since, now)
        if of_pod is not None:
            seen = True
            ended += of_pod
            prompts += increase(pod.samples, lambda sample: sample.prompt_tokens_total, since, now) or 0.0
            answers += increase(pod.samples, lambda sample: sample.output_tokens_total, since, now) or 0.0
        first_engines = _sum(first_engines, mean_of(pod.samples, lambda sample: sample.ttft, since, now))
        gaps = _sum(gaps, mean_of(pod.samples, lambda sample: sample.itl, since, now))
    return Interval(
        seconds=seconds,
        requests=arrived if arrived is not None else ended if seen else None,
        input_tokens=prompts / ended if ended and prompts else None,
        output_tokens=answers / ended if ended and answers else None,
        ttft_seconds=_mean(first) if first[0] else _mean(first_engines),
        itl_seconds=_mean(gaps),
        running=_running(view, seconds),
    )


def _sum(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def _mean(counted: tuple[float, float]) -> float | None:
    return counted[1] / counted[0] if counted[0] > 0 else None


def _running(view: View, seconds: float) -> float | None:
    """By Little's law the rate times the duration of requests, by replica."""
    means = []
    for pod in ready_pods(view):
        seen = [number(sample.running) for sample in recent(pod.samples, view.now_seconds, seconds)]
        values = [value for value in seen if value is not None]
        if values:
            means.append(sum(values) / len(values))
    return sum(means) / len(means) if means else None
