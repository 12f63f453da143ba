"""A policy's answer is made one that the cluster would accept."""

from __future__ import annotations

import pytest

from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator.clipping import clipped, initial
from pointsman_autoscaler.view import Flavour
from tests.support.simulated import BOUNDS, arrivals, flavour, scenario

_FLAVOURS = {
    "dear": Flavour("dear", 4.0, minimum=1, maximum=5),
    "cheap": Flavour("cheap", 1.0, maximum=3),
    "middle": Flavour("middle", 2.0),
}
_ASKED = {"dear": 2, "cheap": 2, "middle": 2}


@pytest.mark.parametrize(
    ("answer", "limits", "want"),
    [
        ({"dear": 2, "cheap": 1, "middle": 0}, (1, 100), (2, 1, 0)),
        ({"cheap": 0}, (1, 100), (2, 0, 2)),
        ({"dear": 9, "cheap": 9, "middle": -3}, (1, 100), (5, 3, 0)),
        ({"dear": 0, "cheap": 0, "middle": 0}, (8, 100), (1, 3, 4)),
        ({"dear": 5, "cheap": 3, "middle": 4}, (1, 6), (1, 3, 2)),
        ({"dear": 5, "cheap": 3, "middle": 4}, (1, 2), (1, 1, 0)),
    ],
    ids=[
        "what fits is kept",
        "what is not named stays",
        "each flavour has limits",
        "the cheapest make up for the least",
        "the dearest give way to the most",
        "a flavour's least is kept before cheaper ones",
    ],
)
def test_an_answer_is_clipped(
    answer: dict[str, int], limits: tuple[int, int], want: tuple[int, int, int]
) -> None:
    settings = ScalingSettings(BOUNDS, minimum=limits[0], maximum=limits[1])
    found = clipped(answer, _ASKED, _FLAVOURS, settings)
    assert (found["dear"], found["cheap"], found["middle"]) == want


def test_nothing_at_all_is_kept_where_idling_is_allowed() -> None:
    flavours = {"cheap": _FLAVOURS["cheap"]}
    idle = ScalingSettings(BOUNDS, minimum=2, idle_after_seconds=600.0)
    assert clipped({"cheap": 0}, {"cheap": 1}, flavours, idle) == {"cheap": 0}
    assert clipped({"cheap": 1}, {"cheap": 1}, flavours, idle) == {"cheap": 2}


def test_a_scenario_begins_with_what_it_states_or_the_least_of_the_cheapest() -> None:
    load, two = arrivals([], 60.0), (flavour("dear", price=2.0), flavour("cheap", price=1.0))
    assert initial(scenario(load, *two, initial={"dear": 3})) == {"dear": 3, "cheap": 0}
    assert initial(scenario(load, *two, initial={})) == {"dear": 0, "cheap": 1}
