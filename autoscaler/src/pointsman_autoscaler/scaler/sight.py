"""How much of what should be seen was seen, and what replicas hold."""

from collections.abc import Mapping

from pointsman_autoscaler.decision import Seen
from pointsman_autoscaler.scaler.traffic import Traffic
from pointsman_autoscaler.view import EngineSample, Flavour, Pod, View

# Three scrapes of 15 s, and what they take to arrive.
FRESH_SECONDS = 60.0
# After so long, what was seen says nothing of now.
BLIND_SECONDS = 180.0
# Half of the replicas without data: their sum says nothing of all.
_PART = 0.5


def newest(pod: Pod, now_seconds: float) -> EngineSample | None:
    """The newest sample, if it is fresh."""
    if not pod.samples:
        return None
    sample = pod.samples[-1]
    return sample if now_seconds - sample.at_seconds <= FRESH_SECONDS else None


def seen(view: View, traffic: Traffic) -> Seen:
    """Gateways tell how much comes; without them engines do, if there are any."""
    at_seconds = traffic.newest_seconds
    age = view.now_seconds - at_seconds if at_seconds is not None else float("inf")
    if age > BLIND_SECONDS:
        return Seen.NOTHING
    if age > FRESH_SECONDS:
        return Seen.STALE
    ready = [pod for pod in view.pods if pod.is_ready and not pod.is_draining]
    silent = sum(newest(pod, view.now_seconds) is None for pod in ready)
    return Seen.PART if ready and silent >= _PART * len(ready) else Seen.ALL


def backlog_requests(view: View) -> float:
    """Requests that wait: in gateways, where no replica runs, and in engines."""
    held = next(
        (
            sample.held
            for sample in reversed(view.gateway)
            if sample.held is not None and view.now_seconds - sample.at_seconds <= FRESH_SECONDS
        ),
        0.0,
    )
    samples = (newest(pod, view.now_seconds) for pod in view.pods if not pod.is_draining)
    return held + sum(sample.waiting or 0.0 for sample in samples if sample is not None)


def is_busy(view: View) -> bool:
    """Whether any request runs or waits, as far as is seen."""
    for sample in reversed(view.gateway):
        if view.now_seconds - sample.at_seconds > FRESH_SECONDS:
            break
        if sample.in_flight is not None:
            if sample.in_flight > 0 or (sample.held or 0.0) > 0:
                return True
            break
    samples = (newest(pod, view.now_seconds) for pod in view.pods)
    return any(
        (sample.running or 0.0) > 0 or (sample.waiting or 0.0) > 0 for sample in samples if sample is not None
    )


def tokens(view: View, flavours: Mapping[str, Flavour], input_tokens: float) -> float:
    """Tokens in caches and queues; replicas that say nothing are taken to hold what the others do, those that
    are ready since the last scrapes nothing."""
    held, speaking, ready = 0.0, 0, 0
    for pod in view.pods:
        flavour = flavours.get(pod.flavour)
        if flavour is None or not pod.is_ready or pod.is_draining:
            continue
        sample = newest(pod, view.now_seconds)
        if sample is None and view.now_seconds - (pod.ready_seconds or 0.0) <= FRESH_SECONDS:
            continue
        ready += 1
        if sample is None or sample.cache_usage is None:
            continue
        speaking += 1
        held += sample.cache_usage * flavour.cache_tokens + (sample.waiting or 0.0) * input_tokens
    return held * ready / speaking if speaking else 0.0
