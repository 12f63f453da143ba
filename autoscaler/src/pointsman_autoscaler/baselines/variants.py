"""What llm-d's saturation scalers see of a flavour ("variant"): its peaks, asked and pending replicas. Pure.

llm-d/llm-d-workload-variant-autoscaler, internal/collector: max_over_time of a minute.
"""

from dataclasses import dataclass

from pointsman_autoscaler.baselines.readings import number, peak, ready_pods, recent
from pointsman_autoscaler.view import Flavour, View

PEAK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Replica:
    """Peaks of the last minute."""

    cache_usage: float
    waiting: float


@dataclass(frozen=True, slots=True)
class Variant:
    """`replicas` are those that are ready and have metrics; `pending` are asked and not ready."""

    name: str
    cost: float
    replicas: tuple[Replica, ...]
    current: int
    pending: int


def variants(view: View) -> dict[str, Variant]:
    seen: dict[str, list[Replica]] = {name: [] for name in view.flavours}
    ready = dict.fromkeys(view.flavours, 0)
    for pod in ready_pods(view):
        ready[pod.flavour] += 1
        samples = list(recent(pod.samples, view.now_seconds, PEAK_SECONDS))
        cache = peak(sample.cache_usage for sample in samples)
        waiting = peak(sample.waiting for sample in samples)
        if cache is not None:
            seen[pod.flavour].append(Replica(cache, waiting or 0.0))
    return {name: _variant(flavour, seen[name], ready[name], view) for name, flavour in view.flavours.items()}


def _variant(flavour: Flavour, replicas: list[Replica], ready: int, view: View) -> Variant:
    current = view.asked.get(flavour.name, 0)
    cost = number(flavour.price_per_hour) or 0.0
    return Variant(flavour.name, cost, tuple(replicas), current, max(0, current - ready))
