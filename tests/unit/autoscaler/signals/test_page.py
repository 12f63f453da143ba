"""What a page does not say is not zero."""

from __future__ import annotations

import math
import time

import pytest

from pointsman_autoscaler.signals.page import (
    TargetLook,
    engine_sample,
    gateway_looks,
    gateway_rows,
    histogram,
    rows,
)
from pointsman_autoscaler.view import EngineSample, Histogram

ENGINE = """# HELP pointsman_engine_requests_running Running.
# TYPE pointsman_engine_requests_running gauge
pointsman_engine_metric_available{name="requests_running"} 1.0
pointsman_engine_requests_running 3.0
pointsman_engine_requests_waiting 2.0
pointsman_engine_cache_usage_ratio NaN
pointsman_engine_generation_tokens_total 1200.0
pointsman_engine_first_token_seconds_bucket{le="0.5"} 4.0
pointsman_engine_first_token_seconds_bucket{le="+Inf"} 6.0
pointsman_engine_first_token_seconds_sum 5.5
pointsman_engine_first_token_seconds_count 6.0
pointsman_engine_inter_token_seconds_bucket{le="0.05"} 9.0
pointsman_engine_inter_token_seconds_sum 0.2
garbage that is no row
"""


def test_an_engine_is_read_as_far_as_it_speaks() -> None:
    assert engine_sample(5.0, rows(ENGINE)) == EngineSample(
        at_seconds=5.0,
        running=3.0,
        waiting=2.0,
        output_tokens_total=1200.0,
        ttft=Histogram((0.5, math.inf), (4.0, 6.0), 5.5),
    )


@pytest.mark.parametrize("page", ["", "<html>", 'pointsman_engine_metric_available{name="x"} 0'])
def test_a_page_of_no_engine_is_no_sample(page: str) -> None:
    assert engine_sample(5.0, rows(page)) is None


@pytest.mark.parametrize("text", ["1e308", "-1", "NaN", "+Inf", "2e15"])
def test_what_no_engine_counts_was_not_seen(text: str) -> None:
    page = f"pointsman_engine_requests_waiting {text}\npointsman_engine_requests_running 1\n"
    assert engine_sample(5.0, rows(page)) == EngineSample(5.0, running=1.0)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param("a" * 200_000, id="a name without an end"),
        pytest.param('a="' + "\\" * 200_000, id="a value without an end"),
        pytest.param('a="\\' * 60_000, id="values within values"),
        pytest.param("a{} " * 60_000, id="many that may be the last bracket"),
    ],
)
def test_whoever_writes_a_page_does_not_choose_how_long_it_takes(labels: str) -> None:
    """Anybody's pod may have our labels, and its page is read between the renewals of a lease."""
    began = time.process_time()
    list(rows(f"pointsman_engine_x{{{labels}}} 1\n"))
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param({"0.5": 1.0}, id="no last bucket"),
        pytest.param({"0.5": 3.0, "+Inf": 2.0}, id="counts that fall"),
        pytest.param({"0.5": math.nan, "+Inf": 2.0}, id="a count that is no number"),
        pytest.param({"half": 1.0, "+Inf": 2.0}, id="an edge that is no number"),
    ],
)
def test_a_histogram_that_is_not_whole_was_not_seen(edges: dict[str, float]) -> None:
    assert histogram(edges, 1.0) is None


def test_bounds_are_kept_once() -> None:
    """A replica's samples would be twice as large."""
    first, second = (histogram({"0.5": count, "+Inf": count}, 1.0) for count in (1.0, 2.0))
    assert first is not None
    assert second is not None
    assert first.bounds is second.bounds


GATEWAY = """pointsman_gateway_active_requests{target="chat/a"} 4
pointsman_gateway_attempts_total{route="chat/r",rule="0",target="chat/a",code="200",class="ok"} 10
pointsman_gateway_attempts_total{route="chat/r",rule="1",target="chat/a",adapter="x",code="200",class="ok"} 5
pointsman_gateway_attempts_total{route="chat/r",rule="0",target="chat/a",code="503",class="server_error"} 2
pointsman_gateway_attempts_total{route="chat/r",rule="0",target="chat/b",code="400",class="rejected"} 7
pointsman_gateway_first_token_seconds_bucket{route="r",rule="0",target="chat/a",stream="true",le="1"} 3
pointsman_gateway_first_token_seconds_bucket{route="r",rule="0",target="chat/a",stream="true",le="+Inf"} 4
pointsman_gateway_first_token_seconds_bucket{route="r",rule="0",target="chat/a",stream="false",le="1"} 1
pointsman_gateway_first_token_seconds_bucket{route="r",rule="0",target="chat/a",stream="false",le="+Inf"} 1
pointsman_gateway_first_token_seconds_sum{route="r",rule="0",target="chat/a",stream="true"} 3.5
pointsman_gateway_cost_total{target="chat/a"} 3
pointsman_gateway_envoy_up{} 1
"""


def test_what_a_gateway_says_is_added_up_by_target() -> None:
    looks = gateway_looks(rows(GATEWAY, gateway_rows()))
    assert looks is not None
    assert sorted(looks) == ["chat/a", "chat/b"]
    a, b = looks["chat/a"], looks["chat/b"]
    assert (a.active, a.held) == (4.0, None)
    assert a.counters == {"attempts": 17.0, "failed": 2.0, "1": 4.0, "+Inf": 5.0, "sum": 3.5}
    assert b.counters == {"attempts": 7.0}


def test_a_gateway_whose_envoy_is_away_says_nothing_of_requests() -> None:
    assert gateway_looks(rows("pointsman_gateway_envoy_up{} 0\n", gateway_rows())) is None


def test_a_request_that_was_held_has_arrived_once() -> None:
    page = """
pointsman_gateway_attempts_total{target="chat/a",code="503",class="held"} 5
pointsman_gateway_attempts_total{target="chat/a",code="200",class="ok"} 5
pointsman_gateway_attempts_total{target="chat/a",code="503",class="no_capacity"} 2
"""
    looks = gateway_looks(rows(page, gateway_rows()))
    assert looks is not None
    assert looks["chat/a"].counters == {TargetLook.ATTEMPTS: 7.0, TargetLook.FAILED: 2.0}


def test_requests_that_are_held_are_seen_where_a_gateway_holds_any() -> None:
    looks = gateway_looks(rows('pointsman_gateway_held_requests{target="chat/a"} 2\n', gateway_rows()))
    assert looks is not None
    assert looks["chat/a"].held == 2.0
