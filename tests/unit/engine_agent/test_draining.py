"""When a replica that is to leave may end."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.engine_agent.draining import HEARD_SECONDS, QUIET_LOOKS, Drain

LONGEST = 60.0


@dataclass(frozen=True)
class Case:
    """Looks as (at, running requests); each pause is a look's."""

    looks: Sequence[tuple[float, int | None]]
    now: float
    is_over: bool


CASES = {
    "nobody has looked yet": Case([], 10, False),
    "quiet, but the gateways may not know yet": Case([(1, 0), (2, 0), (3, 0)], 4, False),
    "quiet once since they know": Case([(1, 0), (6, 0)], 6.1, False),
    "quiet twice since they know": Case([(6, 0), (6.5, 0)], 6.6, True),
    "one came between": Case([(6, 0), (6.5, 1), (7, 0)], 7.1, False),
    "one runs": Case([(6, 1), (30, 1)], 59.9, False),
    "one runs on and on": Case([(6, 1), (30, 1)], 60, True),
    "an engine that does not say": Case([(float(at), None) for at in range(59)], 59.9, False),
    "one that said it, and does not any more": Case([(6, 0), (7, None), (8, 0)], 8.1, False),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_when_it_may_end(case: Case) -> None:
    drain = Drain(0.0, LONGEST)
    for at, running in case.looks:
        drain = drain.seen(running, at)
    assert drain.is_over(case.now) is case.is_over


LOOKS = st.lists(st.tuples(st.floats(0, 5), st.one_of(st.none(), st.integers(0, 3))), max_size=60)


@given(LOOKS)
def test_no_answer_is_cut_before_the_time_that_it_was_given(looks: list[tuple[float, int | None]]) -> None:
    drain, at, last = Drain(0.0, LONGEST), 0.0, None
    for pause, running in looks:
        at += pause
        drain, last = drain.seen(running, at), running
        if drain.is_over(at) and at < LONGEST:
            assert last == 0
            assert at >= HEARD_SECONDS
            assert drain.quiet_looks >= QUIET_LOOKS
    assert drain.is_over(LONGEST)
