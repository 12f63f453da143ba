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
        ("a,b\n1,2\n", "t.csv:1: no known columns in 'a,b'"),
        ("time,rate\n0,1\nx,2\n", "t.csv:3: time: 'x' is neither seconds nor a date with a time"),
        ("time,rate\n0,1\n\n60,fast\n", "t.csv:4: rate: 'fast' is no number"),
        ("time,rate\n0,-1\n", "t.csv:2: rate: '-1' is below zero"),
        ("time,rate\n0\n", None),
        ("time,rate\nnan,1\n", "t.csv:2: time: 'nan' is neither seconds nor a date with a time"),
        ("time,rate\n5,1\n5,1\n", "t.csv: two rows have the same time"),
        ("time,rate\n0,1\n0.001,1\n86400,1\n", "t.csv: the rates are of intervals between 0.001 and 86400 s"),
        ("time,input_tokens,output_tokens\n0,-1,2\n", "t.csv:2: input_tokens: '-1' is no number of tokens"),
        ("time,input_tokens,output_tokens\n0,1\n", "t.csv:2: output_tokens: '' is no number"),
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
