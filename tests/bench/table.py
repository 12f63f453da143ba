"""The table that a benchmark run prints."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.ranges import Verdict

_HEAD = (
    "program",
    "quantity",
    "unit",
    "judged",
    "value",
    "min",
    "median",
    "max",
    "n",
    "range",
    "before",
    "verdict",
)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _row(verdict: Verdict) -> tuple[str, ...]:
    measurement, known = verdict.measurement, verdict.range
    if known is None:
        word = "-"
    elif verdict.problem:
        word = f"OUT OF RANGE: {verdict.problem}"
    else:
        word = "ok, drifted" if verdict.drifted else "ok"
    return (
        verdict.program,
        measurement.name,
        measurement.unit,
        measurement.judged,
        *(_number(n) for n in (measurement.value, measurement.least, measurement.median, measurement.most)),
        str(len(measurement.samples)),
        known.limit() if known else "-",
        _number(known.measured) if known and known.measured is not None else "-",
        word,
    )


def table(verdicts: Sequence[Verdict]) -> str:
    """One line a measurement, columns aligned."""
    rows = [_HEAD, *(_row(verdict) for verdict in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
