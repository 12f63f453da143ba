"""The tables of a comparison: each load, each policy at its best, and what parts of ours are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean
from typing import Any

from pointsman_autoscaler.simulator.contenders import OURS
from pointsman_autoscaler.simulator.result import Result
from tests.bench.scaling_scenarios import Case
from tests.bench.scaling_tuning import ORACLE, Entry, mean, paired_ratio

_AS_MUCH = 0.0025
"""Of windows: less is no difference in attainment, with 720 of them."""

_COLUMNS = (
    "policy",
    "seeds",
    "attained",
    "worst seed",
    "requests met",
    "USD",
    "against the bound",
    "ours to it (95 %)",
    "reversals/day",
    "recovery",
)
_SUMMARY = (
    "load",
    "ours attains",
    "USD",
    "ours to the clairvoyant (attains)",
    "to one who attains as much (headroom)",
    "cheapest peer that attains as much",
    "ours to it (95 %)",
    "reversals/day, ours and theirs",
)
_OVER_ALL = (
    "policy, at its best for each load",
    "loads in which it attains as much as ours",
    "ours to it there, in the mean",
    "from … to",
)


def _header(columns: Sequence[str]) -> str:
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


@dataclass(frozen=True)
class Judged:
    """What ten seeds of each policy came to on one load."""

    case: Case
    results: Mapping[Entry, Sequence[Result]]
    least: float
    promised: float

    def tuned(self, name: str) -> Entry:
        """The tuned one, which stands first."""
        return next(entry for entry in self.results if entry.name == name and not entry.without)

    def attained(self, name: str) -> float:
        return self.attained_by(self.tuned(name))

    def attained_by(self, entry: Entry) -> float:
        return mean([result.attained_windows for result in self.results[entry]])

    def dollars(self, entry: Entry) -> list[float]:
        return [result.dollars for result in self.results[entry]]

    def against(self, name: str) -> float:
        """Our dollars to theirs."""
        return mean(self.dollars(self.tuned(OURS))) / mean(self.dollars(self.tuned(name)))

    def attains_as_much(self, entry: Entry) -> bool:
        """As ours, or as was promised."""
        return self.attained_by(entry) >= min(self.promised, self.attained(OURS)) - _AS_MUCH

    @property
    def best_peer(self) -> Entry:
        """The cheapest of those that attain as much as ours, or as was promised; else who attains most."""
        peers = [self.tuned(name) for name in dict.fromkeys(entry.name for entry in self.results)]
        peers = [entry for entry in peers if entry.name not in (OURS, ORACLE)]
        as_good = [entry for entry in peers if self.attains_as_much(entry)]
        if as_good:
            return min(as_good, key=lambda entry: mean(self.dollars(entry)))
        return max(peers, key=self.attained_by)

    @property
    def clairvoyant_as_good(self) -> Entry | None:
        """The cheapest clairvoyant that attains as much, of all headrooms that were judged."""
        as_good = [entry for entry in self.results if entry.name == ORACLE and self.attains_as_much(entry)]
        return min(as_good, key=lambda entry: mean(self.dollars(entry)), default=None)

    @property
    def against_best_peer(self) -> float:
        return self.against(self.best_peer.name)


def written(judged: Sequence[Judged]) -> tuple[str, dict[str, Any]]:
    """Markdown, and the numbers."""
    parts = ["# Scaling policies compared", "", _header(_SUMMARY), *map(_summary, judged), ""]
    parts += [_header(_OVER_ALL), *_over_all(judged), ""]
    numbers: dict[str, Any] = {}
    for one in judged:
        rows = [_row(one, entry) for entry in _ordered(one)]
        parts += [f"## {one.case.name}", "", _header(_COLUMNS), *[_line(row) for row in rows], ""]
        peer = one.best_peer
        parts += [f"Best peer: {peer.title}. The bound: {one.least:,.2f} USD.", ""]
        numbers[one.case.name] = {"least": one.least, "bestPeer": peer.title, "policies": rows}
    return "\n".join(parts), numbers


def _summary(one: Judged) -> str:
    ours, oracle, peer = one.tuned(OURS), one.tuned(ORACLE), one.best_peer
    ratio, low, high = paired_ratio(one.dollars(ours), one.dollars(peer))
    as_much = one.attains_as_much(peer)
    reversals = [mean([result.reversals_per_day for result in one.results[entry]]) for entry in (ours, peer)]
    cells = (
        one.case.name,
        f"{one.attained_by(ours):.1%}",
        f"{mean(one.dollars(ours)):,.1f}",
        f"{one.against(ORACLE):.2f} ({one.attained_by(oracle):.1%})",
        _as_good(one),
        f"{peer.title}, {one.attained_by(peer):.1%}{'' if as_much else ' (none does)'}",
        f"{ratio:.2f} ({low:.2f}-{high:.2f})",
        " and ".join(f"{rate:.0f}" for rate in reversals),
    )
    return f"| {' | '.join(cells)} |"


def _as_good(one: Judged) -> str:
    entry = one.clairvoyant_as_good
    if entry is None:
        return "none does"
    ratio = mean(one.dollars(one.tuned(OURS))) / mean(one.dollars(entry))
    return f"{ratio:.2f} ({entry.value or 0:g}, {one.attained_by(entry):.1%})"


def _over_all(judged: Sequence[Judged]) -> list[str]:
    """A line for each peer; the mean is that of ratios, the geometric one."""
    lines = []
    for name in dict.fromkeys(entry.name for one in judged for entry in one.results):
        if name in (OURS, ORACLE):
            continue
        ratios = [one.against(name) for one in judged if one.attains_as_much(one.tuned(name))]
        mean_of = f"{geometric_mean(ratios):.2f}" if ratios else "-"
        ends = f"{min(ratios):.2f} … {max(ratios):.2f}" if ratios else "-"
        lines.append(f"| {name} | {len(ratios)} of {len(judged)} | {mean_of} | {ends} |")
    return lines


def _ordered(one: Judged) -> list[Entry]:
    """Ours and its parts, the oracle, then peers by cost."""
    ours = [entry for entry in one.results if entry.name == OURS]
    peers = [entry for entry in one.results if entry.name not in (OURS, ORACLE)]
    peers.sort(key=lambda entry: mean(one.dollars(entry)))
    oracles = dict.fromkeys((one.tuned(ORACLE), one.clairvoyant_as_good))
    return [*ours, *(entry for entry in oracles if entry is not None), *peers]


def _row(one: Judged, entry: Entry) -> dict[str, Any]:
    results = one.results[entry]
    # Parts of ours are tried with the first seeds alone.
    ours = one.dollars(one.tuned(OURS))[: len(results)]
    recoveries = [result.recovery_seconds for result in results if result.recovery_seconds is not None]
    return {
        "policy": entry.title,
        "seeds": len(results),
        "attained": mean([result.attained_windows for result in results]),
        "worstSeed": min(result.attained_windows for result in results),
        "met": mean([result.met_share for result in results]),
        "dollars": mean(one.dollars(entry)),
        "againstBound": mean(one.dollars(entry)) / one.least,
        "oursToIt": paired_ratio(ours, one.dollars(entry)),
        "reversalsPerDay": mean([result.reversals_per_day for result in results]),
        "recoverySeconds": mean(recoveries) if recoveries else None,
    }


def _line(row: Mapping[str, Any]) -> str:
    ratio, low, high = row["oursToIt"]
    recovery = row["recoverySeconds"]
    cells = (
        row["policy"],
        str(row["seeds"]),
        f"{row['attained']:.1%}",
        f"{row['worstSeed']:.1%}",
        f"{row['met']:.2%}",
        f"{row['dollars']:,.1f}",
        f"{row['againstBound']:.2f}",
        f"{ratio:.2f} ({low:.2f}-{high:.2f})",
        f"{row['reversalsPerDay']:.0f}",
        "-" if recovery is None else f"{recovery:.0f} s",
    )
    return f"| {' | '.join(cells)} |"
