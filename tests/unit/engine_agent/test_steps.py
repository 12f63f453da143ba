"""When an engine that answers, and does nothing, is found to hang."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.engine_agent.engine_metrics import Readings
from pointsman.engine_agent.liveness import Patience
from pointsman.engine_agent.steps import Steps

PATIENCE = Patience(stalled_seconds=300)


def page(running: float | None, steps: float | None) -> Readings:
    stated = {"requests_running": running, "steps_total": steps}
    return Readings((), {name: value for name, value in stated.items() if value is not None}, ())


@dataclass(frozen=True)
class Case:
    looks: Sequence[tuple[float, Readings | None]]
    now: float
    stands_still: bool


CASES = {
    "nobody has looked": Case([], 1000, False),
    "it makes steps": Case([(0, page(1, 1)), (299, page(1, 2))], 310, False),
    "no step for as long as the longest may take": Case([(0, page(1, 1)), (290, page(1, 1))], 299, False),
    "no step for longer": Case([(0, page(1, 1)), (290, page(1, 1))], 300, True),
    "nothing to do": Case([(0, page(0, 1)), (290, page(0, 1))], 1000, False),
    "a pause between two requests": Case([(0, page(1, 1)), (100, page(0, 1)), (200, page(1, 1))], 310, False),
    "a page that does not come while requests run": Case([(0, page(1, 1)), (200, None)], 300, True),
    "a page that never came": Case([(0, None), (200, None)], 1000, False),
    "an engine that counts no steps": Case([(0, page(1, None)), (290, page(1, None))], 1000, False),
    "one that does not say what runs": Case([(0, page(None, 1)), (290, page(None, 1))], 1000, False),
    "it was started again": Case([(0, page(1, 500)), (200, page(1, 3))], 310, False),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_when_it_stands_still(case: Case) -> None:
    known = Steps()
    for at, readings in case.looks:
        known = known.seen(readings, at)
    assert known.stand_still(case.now, PATIENCE) is case.stands_still


@given(st.lists(st.tuples(st.floats(0, 600), st.integers(0, 4)), max_size=40))
def test_one_that_steps_at_every_look_is_left_alone(looks: list[tuple[float, int]]) -> None:
    known, at = Steps(), 0.0
    for count, (pause, running) in enumerate(looks):
        at += pause
        known = known.seen(page(running, count), at)
        assert not known.stand_still(at, PATIENCE)
