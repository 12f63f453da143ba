"""What the operator says of its own work, as a Prometheus page. Counters only go up; nothing is labelled by
object: a thousand objects must not make a thousand series.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

_PREFIX = "pointsman_operator"
_EDGES = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
"""Seconds: a look that changes nothing takes a millisecond, one that writes as long as the API server."""

Gauge = Callable[[], float]


class OperatorMetrics:
    """Counted on one event loop. `gauges` are read when the page is."""

    def __init__(self) -> None:
        self._reconciles: dict[tuple[str, str], int] = defaultdict(int)
        self._seconds: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_EDGES) + 1))
        self._sums: dict[str, float] = defaultdict(float)
        self._requests: dict[tuple[str, str, str], int] = defaultdict(int)
        self._gauges: dict[str, tuple[str, Gauge]] = {}
        self._ages: dict[str, Gauge] = {}

    def reconciled(self, kind: str, seconds: float, outcome: str) -> None:
        """One look at one object ended: done, retried or failed."""
        self._reconciles[kind, outcome] += 1
        self._sums[kind] += seconds
        place = next((i for i, edge in enumerate(_EDGES) if seconds <= edge), len(_EDGES))
        self._seconds[kind][place] += 1

    def requested(self, method: str, path: str, status: int, seconds: float) -> None:
        """One request to the API server was answered; 0 is no answer."""
        self._requests[method, _resource(path), str(status)] += 1

    def gauge(self, name: str, help_text: str, read: Gauge) -> None:
        self._gauges[name] = (help_text, read)

    def watch_age(self, resource: str, read: Gauge) -> None:
        """Seconds since the API server last said anything of these objects."""
        self._ages[resource] = read

    def page(self) -> str:
        """The whole page in Prometheus' text format."""
        lines: list[str] = []
        lines += _family("reconciles_total", "counter", "Looks at objects, by how they ended.")
        for (kind, outcome), count in sorted(self._reconciles.items()):
            lines.append(_sample("reconciles_total", {"kind": kind, "outcome": outcome}, count))
        lines += _family("reconcile_seconds", "histogram", "How long one look took.")
        for kind, counts in sorted(self._seconds.items()):
            lines += self._histogram(kind, counts)
        lines += _family("requests_total", "counter", "Requests to the API server; code 0 is no answer.")
        for (method, resource, code), count in sorted(self._requests.items()):
            labels = {"method": method, "resource": resource, "code": code}
            lines.append(_sample("requests_total", labels, count))
        lines += _family("watch_age_seconds", "gauge", "Since the API server last said anything of these.")
        for resource, read in sorted(self._ages.items()):
            lines.append(_sample("watch_age_seconds", {"resource": resource}, read()))
        for name, (help_text, read) in sorted(self._gauges.items()):
            lines += [*_family(name, "gauge", help_text), _sample(name, {}, read())]
        return "\n".join(lines) + "\n"

    def _histogram(self, kind: str, counts: list[int]) -> Iterable[str]:
        below = 0
        for edge, count in zip((*map(str, _EDGES), "+Inf"), counts, strict=True):
            below += count
            yield _sample("reconcile_seconds_bucket", {"kind": kind, "le": edge}, below)
        yield _sample("reconcile_seconds_sum", {"kind": kind}, self._sums[kind])
        yield _sample("reconcile_seconds_count", {"kind": kind}, below)


def _family(name: str, kind: str, help_text: str) -> list[str]:
    return [f"# HELP {_PREFIX}_{name} {help_text}", f"# TYPE {_PREFIX}_{name} {kind}"]


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    said = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{_PREFIX}_{name}{{{said}}} {value:g}" if said else f"{_PREFIX}_{name} {value:g}"


def _resource(path: str) -> str:
    """The plural in an API path, with its subresource: no name of an object is ever a label."""
    parts = path.split("?")[0].strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join((parts[0], *parts[2:])) if parts else ""
