"""Recorded load from text: one row a request, or one row an interval with its rate. Pure."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import PointsmanError

Floats = NDArray[np.float64]
Tokens = NDArray[np.int32]

_DAY = 86_400.0
_INTERVAL_SECONDS = 600.0
"""Of a trace with one row."""
_MOST_INTERVALS = 5_000_000
_SHORTEST_SECONDS = 1.0
_LONGEST_DAYS = 100
"""Longer ones take hours to play, and are mostly milliseconds."""
LARGEST_BYTES = 128 * 2**20
"""Of a file: some four million requests, more than are played in a minute."""
_LATEST_SECONDS = 1e11
"""Beyond it are milliseconds: in seconds it is the year 5138."""
# Names of columns as the traces of Azure, Vidur and ServeGen have them, and what Prometheus exports.
_TIME = ("timestamp", "t_seconds", "arrived_at", "time", "at_seconds")
_INPUT = ("contexttokens", "num_prefill_tokens", "input_tokens", "input_length", "prompt_tokens")
_OUTPUT = ("generatedtokens", "num_decode_tokens", "output_tokens", "output_length", "completion_tokens")
_RATE = ("arrivals_per_second", "requests_per_second", "rate", "value")
_VARIATION = ("interarrival_cv", "cv")
_COLUMNS = (
    "TIMESTAMP,ContextTokens,GeneratedTokens for requests, or "
    "t_seconds,arrivals_per_second[,interarrival_cv] for rates"
)


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """Requests in the order of their arrival; seconds since the first one."""

    at_seconds: Floats
    input_tokens: Tokens
    output_tokens: Tokens

    @property
    def span_seconds(self) -> float:
        return float(self.at_seconds[-1])


@dataclass(frozen=True, slots=True)
class RateTrace:
    """Mean rates of intervals of one length; seconds since the first one began. A gap is NaN."""

    interval_seconds: float
    requests_per_second: Floats
    interarrival_cv: Floats
    """Standard deviation of the time between two arrivals, divided by its mean; 1 where it is not known."""

    @property
    def span_seconds(self) -> float:
        return self.interval_seconds * len(self.requests_per_second)


def read_trace(text: str, where: str) -> RequestTrace | RateTrace:
    """A CSV file with a header. Raises PointsmanError that names the line."""
    told = text.removeprefix("\ufeff").splitlines()
    lines = [(number, line) for number, line in enumerate(told, 1) if _has_content(line)]
    if not lines:
        raise PointsmanError("the trace is empty", where=where, todo=f"give it columns {_COLUMNS}")
    separator = max(",;\t", key=lines[0][1].count)
    names = [name.strip() for name in lines[0][1].replace('"', "").split(separator)]
    header = [name.lower() for name in names]
    at = _column(header, _TIME)
    wanted, rate = (_column(header, _INPUT), _column(header, _OUTPUT)), _column(header, _RATE)
    rows = _Rows(where, names, lines[1:], separator)
    if at is not None and wanted[0] is not None and wanted[1] is not None:
        return _requests(rows, at, wanted[0], wanted[1])
    if at is not None and rate is not None:
        return _rates(rows, at, rate, _column(header, _VARIATION))
    lacks = ["times"] if at is None else []
    if wanted == (None, None):
        lacks += ["rates or tokens"] if rate is None else []
    else:
        lacks += [
            f"tokens of {kind}"
            for kind, one in zip(("prompts", "answers"), wanted, strict=True)
            if one is None
        ]
    raise PointsmanError(
        f"no column of {' and none of '.join(lacks)} in {lines[0][1].strip()[:200]!r}",
        where=f"{where}:{lines[0][0]}",
        todo=f"name them {_COLUMNS}",
    )


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


class _Rows:
    """The lines below a header, read field by field."""

    def __init__(
        self, where: str, header: Sequence[str], lines: Sequence[tuple[int, str]], separator: str
    ) -> None:
        self.where = where
        self._header = header
        self._lines = lines
        self._separator = separator
        if not lines:
            raise PointsmanError("the trace has a header and no rows", where=where)

    def read(self, readers: Mapping[int, Callable[[str], float]]) -> list[list[float]]:
        return [self._row(number, line, readers) for number, line in self._lines]

    def _row(self, number: int, line: str, readers: Mapping[int, Callable[[str], float]]) -> list[float]:
        try:
            fields = next(csv.reader([line], delimiter=self._separator, strict=True))
        except csv.Error as error:
            raise PointsmanError(f"no row of a CSV ({error})", where=f"{self.where}:{number}") from None
        found = []
        for column, reader in readers.items():
            text = fields[column].strip() if column < len(fields) else ""
            try:
                found.append(reader(text))
            except ValueError as error:
                what = f"{self._header[column]}: {text[:80]!r} {error}"
                if column >= len(fields):
                    what = f"the row has no {self._header[column]}"
                raise PointsmanError(what, where=f"{self.where}:{number}") from None
        return found


def _requests(rows: _Rows, at: int, given: int, taken: int) -> RequestTrace:
    found = np.array(rows.read({at: _moment, given: _count, taken: _count}))
    found = found[np.argsort(found[:, 0], kind="stable")]
    if found[-1, 0] <= found[0, 0]:
        raise PointsmanError(
            "all requests come at one moment", where=rows.where, todo="give it some minutes of requests"
        )
    _no_longer_than_can_be(rows.where, float(found[-1, 0] - found[0, 0]))
    return RequestTrace(
        found[:, 0] - found[0, 0],
        np.maximum(found[:, 1], 1).astype(np.int32),
        np.maximum(found[:, 2], 1).astype(np.int32),
    )


def _rates(rows: _Rows, at: int, rate: int, variation: int | None) -> RateTrace:
    readers = {at: _moment, rate: _rate} | ({} if variation is None else {variation: _variation})
    found = np.array(rows.read(readers))
    found = found[np.argsort(found[:, 0], kind="stable")]
    steps = np.diff(found[:, 0])
    _no_longer_than_can_be(rows.where, float(steps.sum()))
    interval = float(steps.min()) if len(steps) else _INTERVAL_SECONDS
    if interval <= 0:
        twice = found[int(steps.argmin()), 0]
        raise PointsmanError(f"two rows have the same time ({_said(twice)})", where=rows.where)
    # Rows are a step apart, or several where some lack, but for some jitter.
    apart = np.round(steps / interval)
    interval = float(steps.sum() / apart.sum()) if len(steps) else interval
    usual = np.sort(apart)[(len(apart) - 1) // 2] if len(apart) else 1
    if apart.sum() > _MOST_INTERVALS or interval < _SHORTEST_SECONDS or usual > 1:
        raise PointsmanError(
            f"the rates are of intervals between {steps.min():g} and {steps.max():g} s",
            where=rows.where,
            todo="give one row an interval, all of one length, their times in seconds or as dates",
        )
    places = np.round((found[:, 0] - found[0, 0]) / interval).astype(int)
    rates = np.full(places[-1] + 1, np.nan)
    variations = np.ones(places[-1] + 1)
    rates[places] = found[:, 1]
    if variation is not None:
        variations[places] = found[:, 2]
    return RateTrace(interval, rates, variations)


def _no_longer_than_can_be(where: str, seconds: float) -> None:
    if seconds > _LONGEST_DAYS * _DAY:
        raise PointsmanError(
            f"from the first to the last row are {seconds / _DAY:,.0f} days",
            where=where,
            todo=f"at most {_LONGEST_DAYS} can be played; divide by 1000 if times are milliseconds",
        )


def _moment(text: str) -> float:
    """Seconds, or a date with a time (UTC where it names no zone)."""
    try:
        seconds = _finite(float(text))
    except ValueError:
        pass
    else:
        if abs(seconds) > _LATEST_SECONDS:
            raise ValueError("is too large for seconds; divide milliseconds by 1000")
        return seconds
    try:
        # Azure writes seven digits of a second.
        head, dot, fraction = text.partition(".")
        moment = datetime.fromisoformat(head + dot + fraction[:6] if dot and fraction.isdigit() else text)
    except ValueError:
        raise ValueError("is neither seconds nor a date with a time, such as 2026-11-22 14:05:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _said(seconds: float) -> str:
    """As a date where it is one."""
    if seconds < 1e8:
        return f"{seconds:g} s"
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ").removesuffix("+00:00")


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("is not finite")
    return value


def _number(text: str) -> float:
    try:
        return _finite(float(text))
    except ValueError:
        raise ValueError("is no number") from None


def _count(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 10_000_000:
        raise ValueError("is no number of tokens from 0 to 10,000,000")
    return value


def _rate(text: str) -> float:
    """Empty or NaN is a gap."""
    if text.lower() in ("", "nan"):
        return math.nan
    return _at_least_zero(text)


def _variation(text: str) -> float:
    """Empty or NaN is that of chance alone."""
    if text.lower() in ("", "nan"):
        return 1.0
    return _at_least_zero(text)


def _at_least_zero(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise ValueError("is below zero")
    return value
