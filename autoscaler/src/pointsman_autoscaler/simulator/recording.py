"""Minutes and windows as they pass: replicas, dollars, and gaps between tokens beside their bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pointsman_autoscaler.simulator.agenda import Agenda
from pointsman_autoscaler.simulator.cluster import Cluster
from pointsman_autoscaler.simulator.gaps import Judged
from pointsman_autoscaler.simulator.gateway import Gateway

MINUTE = 60.0
WINDOW_MINUTES = 5


@dataclass(slots=True)
class Asked:
    """What one flavour was asked to have: changes, and those against the direction of the one before."""

    changes: int = 0
    reversals: int = 0
    rose: bool | None = None

    def changed(self, before: int, after: int) -> None:
        if before == after:
            return
        rises = after > before
        self.changes += 1
        self.reversals += self.rose is not None and self.rose != rises
        self.rose = rises


@dataclass(slots=True)
class Series:
    """One number for each minute."""

    ready: dict[str, list[float]] = field(default_factory=dict)
    billed: dict[str, list[float]] = field(default_factory=dict)
    asked: dict[str, list[float]] = field(default_factory=dict)
    dollars: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)


class Recording:
    """Writes a line each minute."""

    def __init__(
        self, span_seconds: float, cluster: Cluster, gateway: Gateway, agenda: Agenda, judged: Judged
    ) -> None:
        self._span = span_seconds
        self._cluster = cluster
        self._gateway = gateway
        self._agenda = agenda
        self._judged = judged
        names = list(cluster.pools)
        self.series = Series(_empty(names), _empty(names), _empty(names))
        self.asked = {name: Asked() for name in names}
        self.gaps: list[tuple[int, Sequence[int]]] = []
        """For each minute, gaps between tokens, and those above each bound."""
        self._counted: tuple[int, list[int]] = (0, [0] * len(judged.limits))
        self._dollars = 0.0
        agenda.at(min(MINUTE, span_seconds), self._minute)

    def scaled(self, asked: Mapping[str, int]) -> None:
        """Before the cluster is told."""
        for name, count in asked.items():
            self.asked[name].changed(self._cluster.pools[name].asked, count)

    def _minute(self, now: float, _: object) -> None:
        if now < self._span:
            self._agenda.at(min(now + MINUTE, self._span), self._minute)
        cluster, series = self._cluster, self.series
        cluster.bill(now)
        waiting = 0
        for pod in cluster.pods():
            pod.engine.count(now)
            waiting += pod.engine.waiting
        for name, pool in cluster.pools.items():
            series.ready[name].append(pool.serving)
            series.billed[name].append(pool.allocated)
            series.asked[name].append(pool.asked)
        series.dollars.append(cluster.dollars - self._dollars)
        series.held.append(self._gateway.held)
        series.waiting.append(waiting)
        self._dollars = cluster.dollars
        judged = self._judged
        count, over = self._counted
        self.gaps.append(
            (judged.count - count, [new - old for new, old in zip(judged.over, over, strict=True)])
        )
        self._counted = (judged.count, list(judged.over))


def _empty(names: Sequence[str]) -> dict[str, list[float]]:
    return {name: [] for name in names}
