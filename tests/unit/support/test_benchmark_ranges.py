"""Benchmarks are held to their ranges, and the ranges to sense."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from tests.bench.load_generator import load
from tests.bench.measurement import Measurement, quantile
from tests.bench.ranges import RANGES_FILE, judge, load_ranges
from tests.bench.table import table
from tests.support.behaviour import Behaviour, Fault
from tests.support.clients import chat_body
from tests.support.engine_stand_in import EngineStandIn

RANGE = """
programs:
  p:
    ratio:
      {unit: ratio, at_least: 0.55, measured: 0.6, spread: [0.58, 0.62], tolerance: 0.02,
       date: 2026-11-22, why: issue}
"""

JUDGED = {
    "inside the range": ((0.6, 0.6, 0.6), "", False),
    "one bad round does not move the median": ((0.1, 0.6, 0.6), "", False),
    "inside, but not what it was": ((0.7, 0.7), "", True),
    "below the range": ((0.5, 0.5), "below 0.55", False),
}


@pytest.mark.parametrize("name", JUDGED)
def test_a_measurement_is_judged_by_its_range(name: str) -> None:
    samples, want_problem, want_drifted = JUDGED[name]
    (verdict,) = judge("p", [Measurement("ratio", "ratio", samples)], load_ranges(RANGE))
    assert (verdict.problem, verdict.drifted) == (want_problem, want_drifted)
    assert (want_problem or "ok") in table([verdict])


def test_a_quantity_without_a_range_is_shown_and_not_judged() -> None:
    verdicts = judge(
        "p", [Measurement("ratio", "ratio", (0.6,)), Measurement("x", "ms", (9.0,))], load_ranges(RANGE)
    )
    assert [verdict.problem for verdict in verdicts] == ["", ""]
    assert verdicts[1].range is None


def test_another_unit_is_a_problem() -> None:
    (verdict,) = judge("p", [Measurement("ratio", "percent", (60.0,))], load_ranges(RANGE))
    assert "percent" in verdict.problem


def test_a_range_that_nothing_was_measured_for_is_an_error() -> None:
    with pytest.raises(ValueError, match="ratio"):
        judge("p", [], load_ranges(RANGE))


BROKEN = {
    "no limit": ("at_least: 0.55, ", ""),
    "half of a run": ("measured: 0.6", "measured: null"),
    "a spread the wrong way round": ("[0.58, 0.62]", "[0.62, 0.58]"),
    "no reason": ("why: issue", "why: ''"),
    "a field that no one reads": ("why: issue", "why: issue, because: x"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_range_that_makes_no_sense_is_refused(name: str) -> None:
    was, becomes = BROKEN[name]
    with pytest.raises(ValidationError):
        load_ranges(RANGE.replace(was, becomes))


def test_the_ranges_in_the_tree_are_read_and_belong_to_programs() -> None:
    ranges = load_ranges(RANGES_FILE.read_text())
    programs = {path.stem for path in RANGES_FILE.parent.glob("*.py")}
    assert set(ranges) <= programs


def test_p99_of_a_hundred_is_the_second_worst() -> None:
    samples = [float(n) for n in range(1, 101)]
    assert (quantile(samples, 0.99), quantile(samples, 0.5), quantile([7.0], 0.99)) == (99.0, 50.0, 7.0)


@pytest.mark.parametrize("generator", ["own", "wrk"])
async def test_load_is_counted_and_a_failed_request_is_not_passed_over(
    generator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if generator == "own":
        monkeypatch.setattr("tests.bench.load_generator.shutil.which", lambda name: None)
    body = json.dumps(chat_body("m")).encode()
    async with EngineStandIn() as engine:
        url = f"{engine.url}/v1/chat/completions"
        done = await load(url, body, connections=4, seconds=1, api_key="k")
        assert engine.log.total >= done.requests > 10
        assert {seen.api_key for seen in engine.log.records()} == {"k"}
        assert 0 < done.p50_ms <= done.p99_ms
        engine.script.default = Behaviour(Fault.STATUS, status=503)
        with pytest.raises(AssertionError, match="failed"):
            await load(url, body, connections=1, seconds=1)
