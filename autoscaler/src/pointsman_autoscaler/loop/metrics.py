"""What the autoscaler says of its decisions and its own work, for Prometheus, HPA and KEDA.

The recommendation is a series of its own, so that others may scale by it. Labels name deployments: there is
one decision for each, and none without `spec.scaling`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pointsman.api import ObjectKey

_PREFIX = "pointsman_autoscaler"
_OF = ("deployment_namespace", "deployment")


@dataclass(frozen=True, slots=True)
class Recommended:
    """The last decision on one deployment; None is what its policy does not say."""

    replicas: Mapping[str, int]
    attainment: float | None = None
    cost_per_hour: float | None = None


class AutoscalerMetrics:
    """One process's. A replica that does not lead recommends nothing."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._recommendations = _Recommendations()
        self._registry.register(self._recommendations)
        self._decisions = Counter(
            "decisions",
            "Looks at deployments, by how they ended: decided, settling, blind, not_placed or failed.",
            ("outcome",),
            namespace=_PREFIX,
            registry=self._registry,
        )
        self._seconds = Counter(
            "decision_cpu_seconds",
            "Processor time of the policy.",
            namespace=_PREFIX,
            registry=self._registry,
        )
        self._writes = Counter(
            "writes",
            "Writes to deployments: scale or status.",
            ("resource",),
            namespace=_PREFIX,
            registry=self._registry,
        )

    def looked(self, outcome: str) -> None:
        self._decisions.labels(outcome).inc()

    def decided(self, key: ObjectKey, made: Recommended, cpu_seconds: float) -> None:
        self._recommendations.made[key] = made
        self._recommendations.blind.discard(key)
        self._seconds.inc(cpu_seconds)

    def is_blind(self, key: ObjectKey) -> None:
        """The last recommendation stays: whoever scales by it holds, too."""
        self._recommendations.blind.add(key)

    def wrote(self, resource: str) -> None:
        self._writes.labels(resource).inc()

    def forget(self, key: ObjectKey) -> None:
        self._recommendations.made.pop(key, None)
        self._recommendations.blind.discard(key)

    def forget_all(self) -> None:
        self._recommendations.made.clear()
        self._recommendations.blind.clear()

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        Gauge(name, help_text, namespace=_PREFIX, registry=self._registry).set_function(read)

    def page(self) -> bytes:
        """The whole page in Prometheus' text format."""
        return generate_latest(self._registry)


class _Recommendations(Collector):
    def __init__(self) -> None:
        self.made: dict[ObjectKey, Recommended] = {}
        self.blind: set[ObjectKey] = set()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        def family(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"{_PREFIX}_{name}", help_text, labels=(*_OF, *labels))

        desired = family("desired_replicas", "Replicas that there should be.", "flavour")
        attainment = family("predicted_attainment", "Share of time in which every objective should hold.")
        cost = family("cost_per_hour", "What the desired replicas cost, in the fleet's currency.")
        blind = family("metrics_blind", "Whether nothing can be said of the load, so that what runs is held.")
        for key, made in sorted(self.made.items()):
            for flavour, count in sorted(made.replicas.items()):
                desired.add_metric((key.namespace, key.name, flavour), count)
            if made.attainment is not None:
                attainment.add_metric((key.namespace, key.name), made.attainment)
            if made.cost_per_hour is not None:
                cost.add_metric((key.namespace, key.name), made.cost_per_hour)
        for key in sorted(self.made.keys() | self.blind):
            blind.add_metric((key.namespace, key.name), float(key in self.blind))
        yield from (desired, attainment, cost, blind)
