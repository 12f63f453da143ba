"""The outcome as rows of text: for a terminal and for the page."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pointsman_autoscaler.simulator.report.comparison import Comparison
from pointsman_autoscaler.simulator.result import Result


@dataclass(frozen=True, slots=True)
class Table:
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """Aligned columns; the first to the left."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        return "\n".join(_line(row, widths) for row in (self.header, *self.rows))


def outcome(comparison: Comparison) -> Table:
    """A line a policy; with several seeds, from the least to the most that any of them gave."""
    columns: dict[str, Callable[[Result], str]] = {
        "attainment": lambda result: f"{_floor(result.attained_windows)} %",
        "worst 5 min": lambda result: f"{result.worst_window * 100:.0f} %",
        "requests met": lambda result: f"{_floor(result.met_share)} %",
        f"{comparison.currency}/{comparison.span_name}": lambda result: _money(result.dollars),
        "against the bound": lambda result: _against(comparison.against_least(result)),
        "reversals/day": lambda result: f"{result.reversals_per_day:.0f}",
    }
    if any(run.recovery_seconds is not None for runs in comparison.runs for run in runs):
        columns["recovery"] = lambda result: _recovery(result.recovery_seconds)
    rows = tuple(
        (runs[0].policy, *(_spread(map(said, runs)) for said in columns.values())) for runs in comparison.runs
    )
    return Table(("policy", *columns), rows)


def _spread(said: Iterable[str]) -> str:
    """`96.1 - 98.4 %`, or what all of them say."""
    told = sorted(set(said), key=_number)
    if len(told) <= 1:
        return told[0]
    return f"{told[0].removesuffix(' %')} - {told[-1]}"


def _number(text: str) -> float:
    """What a cell counts as, to find the least and the most."""
    try:
        return float(text.rstrip(" %s").replace(",", ""))
    except ValueError:
        return math.inf


def _money(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:,.2f}"


def _against(times: float | None) -> str:
    return "-" if times is None else f"{times:.2f}"


def _floor(share: float) -> str:
    """One digit of per cent, never rounded up to what was not reached."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f}"


def _recovery(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return "never" if math.isinf(seconds) else f"{seconds:.0f} s"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()
