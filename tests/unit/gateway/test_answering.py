"""When a silent Envoy gets no more requests, and when it is given up."""

from __future__ import annotations

import pytest

from pointsman.gateway.answering import PATIENCE, Answering


@pytest.mark.parametrize(
    ("heard", "at", "is_ready", "hangs"),
    [
        ([], 0.0, True, False),
        ([(True, 0.0)], 100.0, True, False),
        ([(False, 0.0)], 100.0, True, False),
        ([(False, 0.0), (False, 7.0)], 12.0, False, False),
        ([(False, 0.0), (False, 7.0)], 29.9, False, False),
        ([(False, 0.0), (False, 7.0)], 30.0, False, True),
        ([(False, 0.0), (True, 7.0), (False, 9.0), (False, 16.0)], 31.0, False, False),
        ([(False, 0.0), (False, 7.0), (True, 14.0)], 60.0, True, False),
    ],
    ids=[
        "has just begun",
        "answers",
        "one silence says nothing",
        "two in a row",
        "not yet for long enough",
        "for long enough",
        "an answer begins the time anew",
        "an answer heals",
    ],
)
def test_silence(heard: list[tuple[bool, float]], at: float, is_ready: bool, hangs: bool) -> None:
    known = Answering()
    for answered, asked_at in heard:
        known = known.heard(answered, asked_at)
    assert (known.is_ready(PATIENCE), known.hangs(at, PATIENCE)) == (is_ready, hangs)


def test_one_after_others_that_were_ended_gets_more_time() -> None:
    silent = Answering(failures=2, silent_since=0.0)
    given_up = [PATIENCE.after(hangs).restart_seconds for hangs in (0, 1, 2, 9)]
    assert given_up == [30.0, 60.0, 120.0, 480.0]
    assert not silent.hangs(59.9, PATIENCE.after(1))
    assert silent.hangs(60.0, PATIENCE.after(1))
