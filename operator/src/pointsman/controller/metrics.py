"""What the operator says of its own work, for Prometheus.

Nothing is labelled by object, as a thousand objects must not make a thousand series; but policies, which are
few, by name.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_PREFIX = "pointsman_operator"
_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
"""A look that changes nothing takes a millisecond, one that writes as long as the API server."""


class OperatorMetrics:
    """One process's. Values that are read when the page is come by `gauge` and `watch_age`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._reconciles = Counter(
            "reconciles",
            "Looks at objects, by how they ended.",
            ("kind", "outcome"),
            namespace=_PREFIX,
            registry=self._registry,
        )
        self._seconds = Histogram(
            "reconcile_seconds",
            "How long one look took.",
            ("kind",),
            buckets=_SECONDS,
            namespace=_PREFIX,
            registry=self._registry,
        )
        self._requests = Counter(
            "requests",
            "Requests to the API server; code 0 is no answer.",
            ("method", "resource", "code"),
            namespace=_PREFIX,
            registry=self._registry,
        )
        self._ages = _Ages()
        self._registry.register(self._ages)

    def reconciled(self, kind: str, seconds: float, outcome: str) -> None:
        """One look at one object ended: done, retried or failed."""
        self._reconciles.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)

    def requested(self, method: str, path: str, status: int, seconds: float) -> None:
        """One request to the API server was answered; 0 is no answer."""
        self._requests.labels(method, _resource(path), status).inc()

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        Gauge(name, help_text, namespace=_PREFIX, registry=self._registry).set_function(read)

    def gauge_by(
        self, name: str, help_text: str, label: str, read: Callable[[], Mapping[str, float]]
    ) -> None:
        """A gauge for each value of a label, and none for a value that `read` does not give."""
        self._registry.register(_By(f"{_PREFIX}_{name}", help_text, label, read))

    def watch_age(self, resource: str, read: Callable[[], float]) -> None:
        """Seconds since the API server last said anything of these objects; the oldest of a resource's
        watches counts.
        """
        self._ages.add(resource, read)

    def page(self) -> bytes:
        """The whole page in Prometheus' text format."""
        return generate_latest(self._registry)


class _By(Collector):
    def __init__(
        self, name: str, help_text: str, label: str, read: Callable[[], Mapping[str, float]]
    ) -> None:
        self._name = name
        self._help = help_text
        self._label = label
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._help, labels=(self._label,))
        for value, number in sorted(self._read().items()):
            family.add_metric((value,), number)
        yield family


class _Ages(Collector):
    def __init__(self) -> None:
        self._reads: dict[str, list[Callable[[], float]]] = {}

    def add(self, resource: str, read: Callable[[], float]) -> None:
        self._reads.setdefault(resource, []).append(read)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            f"{_PREFIX}_watch_age_seconds",
            "Since the API server last said anything of these objects.",
            labels=("resource",),
        )
        for resource, reads in sorted(self._reads.items()):
            family.add_metric((resource,), max(read() for read in reads))
        yield family


def _resource(path: str) -> str:
    """The plural in an API path, with its subresource: no name of an object is ever a label."""
    parts = path.split("?")[0].strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join((parts[0], *parts[2:])) if parts else ""
