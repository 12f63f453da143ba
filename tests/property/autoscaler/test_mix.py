"""The integer programme of a mix: looking at all, and the solver, find the same price."""

import itertools
import math

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pointsman_autoscaler.decision.programme import (
    Programme,
    Row,
    alone,
    by_looking,
    by_solver,
    most,
)


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    count = draw(st.integers(1, 3))

    def each(least: float, most: float) -> tuple[float, ...]:
        return tuple(round(draw(st.floats(least, most)), 1) for _ in range(count))

    lows = tuple(draw(st.integers(0, 2)) for _ in range(count))
    highs = tuple(low + draw(st.integers(0, 6)) for low in lows)
    rows = tuple(Row(each(0.0, 5.0), draw(st.integers(0, 30))) for _ in range(draw(st.integers(1, 2))))
    total_low = max(sum(lows), min(draw(st.integers(0, 6)), sum(highs)))
    return Programme(
        prices=each(0.5, 9.0),
        switch=each(0.0, 1.0),
        now=tuple(draw(st.integers(0, 6)) for _ in range(count)),
        lows=lows,
        highs=highs,
        rows=rows,
        total_low=total_low,
        total_high=total_low + draw(st.integers(0, 10)),
        budget=draw(st.one_of(st.none(), st.integers(1, 60).map(float))),
    )


@examples(max_examples=80)
@given(programmes())
def test_both_ways_agree(programme: Programme) -> None:
    looked, solved = by_looking(programme), by_solver(programme)
    assert (looked is None) == (solved is None)
    if looked is not None and solved is not None:
        assert programme.is_allowed(looked)
        assert programme.carries(looked)
        assert math.isclose(programme.cost(looked), programme.cost(solved), rel_tol=1e-4, abs_tol=1e-4)


@examples(max_examples=80)
@given(programmes())
def test_mixes_that_are_passed_over_are_none_that_would_be_taken(programme: Programme) -> None:
    ranges = [range(low, high + 1) for low, high in zip(programme.lows, programme.highs, strict=True)]
    every = [
        mix for mix in itertools.product(*ranges) if programme.is_allowed(mix) and programme.carries(mix)
    ]
    looked = by_looking(programme)
    assert (looked is None) == (not every)
    if looked is not None:
        assert looked in every
        assert programme.cost(looked) <= min(map(programme.cost, every)) + 1e-8


@examples(max_examples=80)
@given(programmes(), st.integers(0, 2))
def test_one_pool_alone_is_the_mix_in_which_no_other_may_grow(programme: Programme, place: int) -> None:
    pool = min(place, len(programme.prices) - 1)
    highs = (*programme.lows[:pool], programme.highs[pool], *programme.lows[pool + 1 :])
    assert alone(programme, pool) == by_looking(programme.between(programme.lows, highs))


@examples(max_examples=80)
@given(programmes())
def test_the_most_keeps_limits_and_is_near_what_is_asked(programme: Programme) -> None:
    lows = programme.price(programme.lows)
    if programme.budget is not None and programme.budget < lows:
        return
    replicas = most(programme)
    for low, count, high in zip(programme.lows, replicas, programme.highs, strict=True):
        assert low <= count <= high
    assert sum(replicas) <= programme.total_high
    assert programme.budget is None or programme.price(replicas) <= programme.budget + 1e-6


def test_what_carries_next_to_nothing_is_one_that_carries_too_little() -> None:
    """A capacity that was learned from garbage may be any number above zero."""
    rows = (Row((5e-324, 5e-324), 9.0),)
    programme = Programme((1.0, 1.0), (0.0, 0.0), (1, 1), (1, 0), (3, 5), rows, 1, 6, None)
    assert by_looking(programme) is None
    assert most(programme) == (3, 3)
