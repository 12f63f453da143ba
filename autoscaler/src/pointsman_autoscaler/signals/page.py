"""Metrics pages and series -> samples. Pure.

A value that is no finite number, or a histogram without its last bucket, is one that was not seen.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from pointsman.catalog.metrics import MetricName
from pointsman_autoscaler.view import EngineSample, Histogram

ENGINE = "pointsman_engine_"
GATEWAY = "pointsman_gateway_"
ENVOY_UP = f"{GATEWAY}envoy_up"
GATEWAY_NAMES = ("attempts_total", "active_requests", "held_requests", "first_token_seconds_bucket")
"""What is read of a gateway, each with the label `target`; and the sum of the last one."""
_SUM = "first_token_seconds_sum"

_LINE = re.compile(r"^(pointsman_\w+)(?:\{(.*)\})? (\S+)", re.MULTILINE)
# Possessive, and from the beginning of a name alone: a page of anybody's takes time in its length, not in its
# square.
_LABEL = re.compile(r'\b(\w++)="((?:[^"\\]++|\\.)*+)"')

# How attempts end that say nothing against the replica: `attempt_class` of the gateway.
# A request that was held is one with the attempt that follows.
_HELD = "held"
_NO_FAILURE = frozenset({"ok", "rejected", "client_gone", "context_overflow", "refusal"})

_MOST = 1e15
"""Nothing that is counted comes so far; what is made of larger numbers need not be finite."""

Row = tuple[str, Mapping[str, str], float]
"""Name, labels, value."""


def rows(page: str, names: Iterable[str] = ()) -> Iterator[Row]:
    """The rows of a page that are ours, of these names (with their prefix) alone where any are given."""
    wanted = frozenset(names)
    for found in _LINE.finditer(page):
        name, labels, text = found.groups()
        if wanted and name not in wanted:
            continue
        try:
            value = float(text)
        except ValueError:
            continue
        yield name, dict(_LABEL.findall(labels or "")), value


def engine_sample(at_seconds: float, found: Iterable[Row]) -> EngineSample | None:
    """What one look at one replica saw; None where there was nothing of an engine's."""
    plain: dict[str, float] = {}
    edges: dict[str, dict[str, float]] = {}
    for name, labels, value in found:
        ours = name.removeprefix(ENGINE)
        if ours == name:
            continue
        if "le" in labels:
            edges.setdefault(ours.removesuffix("_bucket"), {})[labels["le"]] = value
        elif 0 <= value <= _MOST:
            plain[ours] = value

    def histogram_of(name: MetricName) -> Histogram | None:
        return histogram(edges.get(name, {}), plain.get(f"{name}_sum"))

    sample = EngineSample(
        at_seconds=at_seconds,
        running=plain.get(MetricName.REQUESTS_RUNNING),
        waiting=plain.get(MetricName.REQUESTS_WAITING),
        cache_usage=plain.get(MetricName.CACHE_USAGE),
        prompt_tokens_total=plain.get(MetricName.PROMPT_TOKENS),
        output_tokens_total=plain.get(MetricName.GENERATION_TOKENS),
        requests_total=plain.get(MetricName.REQUESTS_FINISHED),
        ttft=histogram_of(MetricName.FIRST_TOKEN_TIME),
        itl=histogram_of(MetricName.INTER_TOKEN_TIME),
    )
    return None if sample == EngineSample(at_seconds) else sample


def histogram(edges: Mapping[str, float], total_seconds: float | None) -> Histogram | None:
    """Cumulative counts by the edge's text; None where it is not whole."""
    try:
        by_edge = sorted((float(edge), count) for edge, count in edges.items())
    except ValueError:
        return None
    bounds, counts = _shared(tuple(edge for edge, _ in by_edge)), tuple(count for _, count in by_edge)
    if not bounds or bounds[-1] != math.inf or total_seconds is None:
        return None
    if not all(0 <= count <= _MOST for count in counts) or any(b < a for a, b in pairwise(counts)):
        return None
    return Histogram(bounds, counts, total_seconds)


@lru_cache(256)
def _shared(bounds: tuple[float, ...]) -> tuple[float, ...]:
    """The same for all that are equal: minutes of samples of thousands of replicas are kept."""
    return bounds


@dataclass(slots=True)
class TargetLook:
    """What one gateway says of one target. `counters` count from the start of its Envoy."""

    active: float = 0.0
    held: float | None = None
    counters: dict[str, float] = field(default_factory=dict)

    ATTEMPTS = "attempts"
    FAILED = "failed"
    SUM = "sum"

    def add(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """One row of it, its name without the gateways' prefix."""
        if not 0 <= value <= _MOST:
            return
        if name == "attempts_total":
            if labels.get("class") == _HELD:
                return
            self._count(self.ATTEMPTS, value)
            if labels.get("class") not in _NO_FAILURE:
                self._count(self.FAILED, value)
        elif name == "active_requests":
            self.active += value
        elif name == "held_requests":
            self.held = (self.held or 0.0) + value
        elif name == _SUM:
            self._count(self.SUM, value)
        elif "le" in labels:
            self._count(labels["le"], value)

    def _count(self, name: str, value: float) -> None:
        self.counters[name] = self.counters.get(name, 0.0) + value


def gateway_looks(found: Iterable[Row]) -> dict[str, TargetLook] | None:
    """What a gateway says, by target as `namespace/deployment`; None where its Envoy was away: then it has
    only numbers of its own.
    """
    looks: dict[str, TargetLook] = {}
    for name, labels, value in found:
        if name == ENVOY_UP and not value:
            return None
        target = labels.get("target", "")
        if target:
            # An adapter is served by its deployment's replicas.
            owner = "/".join(target.partition("~")[0].split("/")[:2])
            looks.setdefault(owner, TargetLook()).add(name.removeprefix(GATEWAY), labels, value)
    return looks


def gateway_rows() -> tuple[str, ...]:
    """The names of the rows that `gateway_looks` reads."""
    return (ENVOY_UP, *(f"{GATEWAY}{name}" for name in (*GATEWAY_NAMES, _SUM)))
