"""The outcome as rows of text: for a terminal and for the page."""

import math
from collections.abc import Sequence
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
    """A line a policy."""
    header = (
        "policy",
        "attainment",
        "worst 5 min",
        "requests met",
        f"{comparison.currency}/{comparison.span_name}",
        "against the bound",
        "reversals/day",
        "recovery",
    )
    return Table(header, tuple(_row(comparison, result) for result in comparison.results))


def _row(comparison: Comparison, result: Result) -> tuple[str, ...]:
    against = comparison.against_least(result)
    return (
        result.policy,
        f"{_floor(result.attained_windows)} %",
        f"{result.worst_window * 100:.0f} %",
        f"{_floor(result.met_share)} %",
        f"{result.dollars:,.0f}" if result.dollars >= 100 else f"{result.dollars:,.2f}",
        "-" if against is None else f"{against:.2f}",
        f"{result.reversals_per_day:.0f}",
        _recovery(result.recovery_seconds),
    )


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
