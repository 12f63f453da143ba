"""Questions to a Prometheus, and its series as rows again, by scrape. Pure.

What a server was scraped for at one time has one timestamp: samples are put together by it, as they were on
the server's page, and are as old as they are. Labels are those of the chart's monitors.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pointsman.api import ObjectKey
from pointsman.catalog.metrics import MetricName
from pointsman_autoscaler.signals.page import ENGINE, GATEWAY, Row, gateway_rows

POD = "pod"
INSTANCE = "instance"
DEPLOYMENT = "pointsman_dev_deployment"
"""The label pointsman.dev/deployment of pods, as PodMonitors carry it over."""
_ENGINE_NAMES = (
    MetricName.REQUESTS_RUNNING,
    MetricName.REQUESTS_WAITING,
    MetricName.REQUESTS_FINISHED,
    MetricName.CACHE_USAGE,
    MetricName.PROMPT_TOKENS,
    MetricName.GENERATION_TOKENS,
    *(f"{name}_(bucket|sum)" for name in (MetricName.FIRST_TOKEN_TIME, MetricName.INTER_TOKEN_TIME)),
)

Scrapes = Mapping[str, Mapping[float, Sequence[Row]]]
"""By server, then by time."""


def engines(key: ObjectKey, seconds: float) -> str:
    """What the replicas of a deployment said for so long."""
    names = f"{ENGINE}({'|'.join(_ENGINE_NAMES)})"
    labels = f"namespace={quoted(key.namespace)},{DEPLOYMENT}={quoted(key.name)}"
    return f"{{__name__=~{quoted(names)},{labels}}}[{seconds:.0f}s]"


def gateways(key: ObjectKey, seconds: float) -> str:
    """What gateways said of a deployment, and that they were there: that has no target."""
    names = f"{GATEWAY}({'|'.join(name.removeprefix(GATEWAY) for name in gateway_rows())})"
    target = f"{re.escape(str(key))}|"
    return f"{{__name__=~{quoted(names)},target=~{quoted(target)}}}[{seconds:.0f}s]"


def quoted(text: str) -> str:
    """A string of PromQL, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def scrapes(answer: Iterable[Mapping[str, Any]], server: str) -> Scrapes:
    """The matrix that was answered; `server` is the label that tells servers apart. Raises ValueError,
    KeyError or TypeError for what is no matrix.
    """
    found: dict[str, dict[float, list[Row]]] = {}
    for series in answer:
        labels: Mapping[str, str] = series["metric"]
        name = labels.get(server, "")
        if not name:
            continue
        by_time = found.setdefault(name, {})
        for time, value in series["values"]:
            by_time.setdefault(float(time), []).append((labels["__name__"], labels, float(value)))
    return found


def looks(found: Scrapes) -> Sequence[tuple[float, Mapping[str, Sequence[Row]]]]:
    """Scrapes of several servers as looks at all of them: in the time between two scrapes of one, each server
    is scraped once. Oldest first; the time of a look is that of its newest scrape.
    """
    gaps = [
        later - earlier
        for by_time in found.values()
        for earlier, later in zip(sorted(by_time), sorted(by_time)[1:], strict=False)
    ]
    width = max(1.0, sorted(gaps)[len(gaps) // 2]) if gaps else 1e9
    newest = max((max(by_time) for by_time in found.values() if by_time), default=0.0)
    together: dict[int, dict[str, float]] = {}
    for server, by_time in found.items():
        for time in sorted(by_time):
            # Counted from the newest on, so that the last look is whole.
            together.setdefault(int((newest - time) / width), {})[server] = time
    return [
        (max(times.values()), {server: found[server][time] for server, time in times.items()})
        for _, times in sorted(together.items(), reverse=True)
    ]
