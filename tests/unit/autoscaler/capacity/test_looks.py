"""What the law is told of a window."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pointsman_autoscaler.capacity import Workload
from pointsman_autoscaler.capacity.law import Look
from pointsman_autoscaler.capacity.looks import look_of
from pointsman_autoscaler.capacity.windows import Window
from pointsman_autoscaler.view import Flavour, Histogram

FLAVOUR = Flavour("f", 1.0, slots=64, cache_tokens=100_000)
NOTHING_ELSE = Workload(1.0, 800.0, 100.0, 1.0, 0.0, 0.0)
# A minute: 60 requests of 1,000 tokens in and 200 out, 50 ms between tokens, so that ten run.
WINDOW = Window(
    pod="p",
    ends_seconds=60.0,
    seconds=60.0,
    running=12.0,
    waiting=0.0,
    cache_usage=0.132,
    prompt_tokens=60_000.0,
    output_tokens=12_000.0,
    requests=60.0,
    itl=Histogram((math.inf,), (12_000.0,), 600.0),
    ttft=Histogram((math.inf,), (60.0,), 6.0),
)
USUAL = Look(10.0, 50.0, 11_000.0, 1000.0, 500.0, 0.05, 12_000.0)


def _look(usual: Workload = NOTHING_ELSE, flavour: Flavour = FLAVOUR, **changes: Any) -> Look | None:
    return look_of(replace(WINDOW, **changes), flavour, usual)


def _near(want: Look) -> Look:
    numbers: dict[str, Any] = {name: pytest.approx(getattr(want, name)) for name in Look.__slots__}
    return Look(**numbers)


# What is special -> (changes of the window, what is different in the look).
CASES: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "nothing": ({}, {}),
    "scrapes saw more or fewer run than did": ({"running": 24.0, "cache_usage": 0.264}, {}),
    "the cache is not told: prompts and half of the answers": ({"cache_usage": None}, {}),
    "no answer ended: as asked about": (
        {"cache_usage": None, "requests": None, "ttft": None},
        {"cached_tokens": 8500.0, "prompt_length": 800.0, "attended": 400.0},
    ),
    "no total of tokens: as scrapes saw": (
        {"output_tokens": None},
        {"running": 12.0, "cached_tokens": 13_200.0, "tokens": 14_400.0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_window_is_a_mean_step(name: str) -> None:
    changes, different = CASES[name]
    assert _look(**changes) == _near(replace(USUAL, **different))


def test_what_the_cache_holds_already_is_attended_to_and_not_worked_on() -> None:
    hit = _look(replace(NOTHING_ELSE, prefix_hit=0.4))
    assert hit == _near(replace(USUAL, prompt_tokens=30.0, prompt_length=600.0, attended=700.0))


def test_prompts_that_differ_attend_to_more() -> None:
    varied = _look(replace(NOTHING_ELSE, input_cv=1.0))
    assert varied == _near(replace(USUAL, attended=1000.0))


def test_a_pipeline_has_its_share_in_each_stage() -> None:
    look = _look(flavour=replace(FLAVOUR, stages=2))
    assert look == _near(replace(USUAL, running=5.0, prompt_tokens=25.0, cached_tokens=5500.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"itl": None},
        {"itl": Histogram((math.inf,), (0.0,), 0.0)},
        {"prompt_tokens": None},
        {"output_tokens": None, "running": None},
        {"output_tokens": 1e6},
    ],
    ids=["no times", "no tokens", "prompts unknown", "nobody knows what ran", "more than fits"],
)
def test_a_window_that_does_not_say_enough_is_none(changes: dict[str, Any]) -> None:
    assert _look(**changes) is None
