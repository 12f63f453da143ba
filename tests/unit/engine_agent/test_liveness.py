"""When an engine that hangs is noticed, and that one which is only slow is left alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.engine_agent.liveness import Liveness, Patience, Verdict
from pointsman.engine_agent.watching import until_silent

PATIENCE = Patience()
READY, NOT_READY, RESTART = Verdict.READY, Verdict.NOT_READY, Verdict.RESTART


@dataclass(frozen=True)
class Case:
    """Questions as (asked at, answered); each was answered, or given up, just before the next."""

    asked: Sequence[tuple[float, bool]]
    now: float
    want: Verdict


HUNG = [(7.0 * turn, False) for turn in range(5)]
CASES = {
    "nothing was asked yet": Case([], 100.0, READY),
    "it answers": Case([(0, True), (2, True)], 3, READY),
    "one answer is missing": Case([(0, True), (2, False)], 7, READY),
    "two in a row are missing": Case([(0, False), (7, False)], 12, NOT_READY),
    "two are missing with one between": Case([(0, False), (7, True), (9, False)], 14, READY),
    "it is back": Case([*HUNG[:4], (28, True)], 29, READY),
    "a long silence before it was asked often enough": Case([(0, False), (300, False)], 305, NOT_READY),
    "refused quickly and often, and not for long": Case([(2.0 * n, False) for n in range(12)], 24, NOT_READY),
    "refused quickly for half a minute": Case([(2.0 * n, False) for n in range(16)], 30, RESTART),
    "silent for five questions": Case(HUNG, 33, RESTART),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_verdicts(case: Case) -> None:
    known = Liveness()
    for asked_at, answered in case.asked:
        known = known.heard(answered, asked_at)
    assert known.verdict(case.now, PATIENCE) is case.want


@given(st.lists(st.tuples(st.floats(0, 60), st.booleans()), max_size=40), st.floats(0, 1e4))
def test_one_answer_makes_up_for_everything(past: list[tuple[float, bool]], now: float) -> None:
    known, at = Liveness(), 0.0
    for pause, answered in past:
        at += pause
        known = known.heard(answered, at)
    assert known.heard(True, at).verdict(at + now, PATIENCE) is READY


@given(st.lists(st.floats(0, 60), min_size=1, max_size=40))
def test_it_is_taken_out_of_use_before_it_is_restarted(pauses: list[float]) -> None:
    known, at, told = Liveness(), 0.0, []
    for pause in pauses:
        at += pause
        known = known.heard(False, at)
        told.append(known.verdict(at + PATIENCE.timeout_seconds, PATIENCE))
    assert told == sorted(told, key=[READY, NOT_READY, RESTART].index)
    assert told.count(RESTART) < len(told)


QUICK = Patience(0.001, 0.02, 2, 4, 0.05)


async def test_an_engine_is_asked_until_it_stays_silent() -> None:
    answers = iter([True, False, False, True, False])
    told: list[Verdict] = []
    asked = 0

    async def ask() -> bool:
        nonlocal asked
        asked += 1
        answer = next(answers, None)
        if answer is None:
            await asyncio.Event().wait()
        return bool(answer)

    async with asyncio.timeout(10):
        await until_silent(ask, told.append, QUICK)
    assert told == [NOT_READY, READY, NOT_READY]
    assert asked >= 8
