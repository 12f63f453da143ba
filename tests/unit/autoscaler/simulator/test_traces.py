"""Recorded load is read from the files that people have, and a wrong one is named by its line."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.errors import PointsmanError
from pointsman_autoscaler.simulator.traces import RateTrace, RequestTrace, read_trace

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:04.0319600,3180,8
2023-11-16 18:17:03.9799600,4808,10
"""
RATES = """# a remark
t_seconds,arrivals_per_second,interarrival_cv
0,2.5,1.5
600,,
1800,4,
"""


def test_azures_requests_are_read_in_the_order_of_their_arrival() -> None:
    trace = read_trace(AZURE, "code.csv")
    assert isinstance(trace, RequestTrace)
    np.testing.assert_allclose(trace.at_seconds, [0.0, 0.052], atol=1e-6)
    assert trace.input_tokens.tolist() == [4808, 3180]
    assert trace.output_tokens.tolist() == [10, 8]


def test_rates_keep_their_gaps_and_an_unknown_variation_is_that_of_chance() -> None:
    trace = read_trace(RATES, "week.csv")
    assert isinstance(trace, RateTrace)
    assert trace.interval_seconds == 600.0
    np.testing.assert_array_equal(trace.requests_per_second, [2.5, np.nan, np.nan, 4.0])
    np.testing.assert_array_equal(trace.interarrival_cv, [1.5, 1.0, 1.0, 1.0])
    assert trace.span_seconds == 2400.0


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_a_spreadsheet_saves_is_read(separator: str) -> None:
    rows = ['"time"', '"rate"'], ["0", "1"], ["60", "2"], ["120", "3"]
    text = "\ufeff" + "".join(f"{separator.join(row)}\r\n" for row in rows)
    trace = read_trace(text, "sheet.csv")
    assert isinstance(trace, RateTrace)
    assert trace.requests_per_second.tolist() == [1.0, 2.0, 3.0]


def test_jitter_of_the_times_makes_no_gaps() -> None:
    rows = "".join(f"{minute * 60 + (0.4 if minute % 7 else 0)},1\n" for minute in range(1000))
    trace = read_trace(f"time,rate\n{rows}", "t.csv")
    assert isinstance(trace, RateTrace)
    assert trace.requests_per_second.tolist() == [1.0] * 1000


def test_a_time_zone_is_read() -> None:
    trace = read_trace("time,rate\n2026-01-01T00:00:00+01:00,1\n2025-12-31T23:10:00Z,2\n", "t.csv")
    assert isinstance(trace, RateTrace)
    assert trace.interval_seconds == 600.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "t.csv: the trace is empty"),
        ("# only a remark\n", "t.csv: the trace is empty"),
        ("t_seconds,arrivals_per_second\n", "t.csv: the trace has a header and no rows"),
        ("a,b\n1,2\n", "t.csv:1: no column of times and none of rates or tokens in 'a,b'; name them"),
        ("time,input_tokens\n1,2\n", "t.csv:1: no column of tokens of answers in 'time,input_tokens'"),
        ("TIMESTAMP,input_tokens,output_tokens\n5,1,NaN\n", "t.csv:2: output_tokens: 'NaN' is no number"),
        ("time,rate\n0,1\n60000,1\n99999999,1\n", "t.csv: from the first to the last row are 1,157 days;"),
        (
            "time,input_tokens,output_tokens\n0,1,1\n9e6,1,1\n",
            "t.csv: from the first to the last row are 104",
        ),
        ("time,rate\n0,1\nx,2\n", "t.csv:3: time: 'x' is neither seconds nor a date with a time"),
        ("time,rate\n0,1\n\n60,fast\n", "t.csv:4: rate: 'fast' is no number"),
        ("time,rate\n0,-1\n", "t.csv:2: rate: '-1' is below zero"),
        ("time,rate,cv\n0,1,-1\n", "t.csv:2: cv: '-1' is below zero"),
        ("time,rate\n0\n", None),
        ("time,rate\nnan,1\n", "t.csv:2: time: 'nan' is neither seconds nor a date with a time"),
        ("time,rate\n5,1\n5,1\n", "t.csv: two rows have the same time (5 s)"),
        (
            "time,rate\n0,1\n60,5\n90,1\n200,3\n1000,1\n",
            "t.csv: the rates are of intervals between 30 and 800 s",
        ),
        (
            "time,rate\n45000.0000,1\n45000.0007,1\n",
            "t.csv: the rates are of intervals between 0.0007 and 0.0007 s",
        ),
        (
            "time,rate\n1700000000000,1\n",
            "t.csv:2: time: '1700000000000' is too large for seconds; divide milli",
        ),
        (
            "time,rate\n11/22/2026 14:00,1\n",
            "t.csv:2: time: '11/22/2026 14:00' is neither seconds nor a date",
        ),
        ('time,rate\n0,"2\n60,2\n', "t.csv:2: no row of a CSV (unexpected end of data)"),
        ("time,rate\n0," + "1" * 200_000, "t.csv:2: no row of a CSV (field larger than field limit"),
        ("time;rate\n0;2,5\n", "t.csv:2: rate: '2,5' is no number"),
        (
            "time,input_tokens,output_tokens\n5,1,1\n5,1,1\n",
            "t.csv: all requests come at one moment; give it",
        ),
        ("time,rate\n0,1\n0.001,1\n86400,1\n", "t.csv: the rates are of intervals between 0.001 and 86400 s"),
        ("time,input_tokens,output_tokens\n0,-1,2\n", "t.csv:2: input_tokens: '-1' is no number of tokens"),
        ("time,input_tokens,output_tokens\n0,1\n", "t.csv:2: the row has no output_tokens"),
    ],
)
def test_what_is_no_trace_is_one_line_with_its_place(text: str, said: str | None) -> None:
    if said is None:
        gap = read_trace(text, "t.csv")
        assert isinstance(gap, RateTrace)
        assert np.isnan(gap.requests_per_second).all()
        return
    with pytest.raises(PointsmanError) as raised:
        read_trace(text, "t.csv")
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)
