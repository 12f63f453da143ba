"""What a stage says of its tails: of placement's usual request as ever, and of requests that vary."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from pointsman.placement.demand import Bound, Demand, Traffic
from pointsman.placement.stage import Stage, Variation, lognormal_quantile
from pointsman.placement.steptime import StepTime

DENSE = StepTime(
    fixed=0.0144, per_token=4.46e-5, per_sequence=4.1e-5, per_cached_token=4.1e-8, per_pair=3.5e-9
)
BOUNDS = (
    Bound("ttft", 0.95, 0.8),
    Bound("ttft", 0.5, 0.8),
    Bound("itl", 0.99, 0.06),
    Bound("itl", 0.5, 0.06),
)
# Seconds of each bound with 24.5 running: as the first version of this room had them.
WANT_USUAL = [0.2955789413834391, 0.12154335923469868, 0.07319167823756796, 0.024015812164099527]
WANT_LONG = [1833.8299065868873, 612.285659150807, 0.4288390836125233, 0.4143043125]
VARIED = Variation(prompts=1.0, own_prompt=1.0, answers=1.0)


def _stage(variation: Variation | None = None, prompt: int = 1155, answer: int = 211) -> Stage:
    demand = Demand(BOUNDS, Traffic(prompt, answer), stated=True)
    return Stage(DENSE, demand) if variation is None else Stage(DENSE, demand, variation)


def _tails(stage: Stage, requests: float = 24.5, arrivals: float = 1.0) -> list[float]:
    return [seconds for _, seconds in stage.tails(requests, arrivals)]


def test_without_a_word_of_variation_placement_answers_as_ever() -> None:
    # Worked out before requests could vary.
    assert _tails(_stage()) == WANT_USUAL
    assert _tails(_stage(prompt=12000, answer=50)) == WANT_LONG
    assert _tails(_stage(Variation())) == WANT_USUAL


def test_bursts_make_all_tails_longer_and_leave_the_mean_step() -> None:
    random, bursts = _tails(_stage()), _tails(_stage(), arrivals=4.0)
    assert bursts[0] > 1.3 * random[0]
    assert bursts[1] > random[1]
    assert bursts[2] > random[2]
    assert bursts[3] == random[3]


def test_prompts_that_differ_make_first_tokens_and_gaps_longer() -> None:
    same, varied = _tails(_stage(Variation(prompts=0.0))), _tails(_stage(VARIED))
    assert varied[0] > 1.5 * same[0]
    assert varied[2] > 1.2 * same[2]


def test_the_tail_between_tokens_does_not_jump_where_prompts_become_common() -> None:
    # Half a percent more requests each, around the load at which a hundredth of all gaps carries a prompt.
    loads = [1.9 + 0.01 * step for step in range(60)]
    assert _steepest([_tails(_stage(VARIED), load)[2] for load in loads]) < 1.35
    assert _steepest([_tails(_stage(), load)[2] for load in loads]) > 2


def _steepest(seconds: list[float]) -> float:
    return max(more / less for less, more in pairwise(seconds))


def test_what_is_found_in_the_cache_is_read_but_not_worked_on() -> None:
    nothing, half = _stage(VARIED), _stage(replace(VARIED, prefix_hit=0.5))
    assert half.times(20.0)[1] < 0.7 * nothing.times(20.0)[1]
    assert _tails(half)[0] < _tails(nothing)[0]
    # All that runs is still read in each step.
    nearly_all = _stage(replace(VARIED, prefix_hit=0.99))
    assert nearly_all.times(20.0)[0] > DENSE.fixed + 20 * 1155 * DENSE.per_cached_token


@pytest.mark.parametrize(
    ("variation", "quantile", "want"), [(0.0, 0.95, 1.0), (1.0, 0.5, 0.7071), (1.0, 0.95, 2.781)]
)
def test_lognormal_quantiles(variation: float, quantile: float, want: float) -> None:
    assert lognormal_quantile(variation, quantile) == pytest.approx(want, rel=1e-3)
