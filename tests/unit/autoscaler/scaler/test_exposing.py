"""Spot without a hedge: for as long as windows were saved for its losses, and no longer."""

from __future__ import annotations

from pointsman_autoscaler.decision import Pool
from pointsman_autoscaler.scaler.exposing import Exposing
from tests.support.observations import pool

MINUTE, DAY = 60.0, 86_400.0
WINDOW = 300.0


def hedged(losses: float = 4.0) -> tuple[Pool, ...]:
    return pool("od", asked=3), pool("spot", price=1.0, spot=True, asked=1, losses=losses)


def exposed(losses: float = 4.0) -> tuple[Pool, ...]:
    return pool("od"), pool("spot", price=1.0, spot=True, asked=4, losses=losses)


def shares(losses: float, days: float = 4.0, missed: int = 0, attainment: float = 0.99) -> float:
    """The share of the time in which spot goes without a hedge, by one who uses what may be used."""
    exposing, may, times = Exposing(), False, 0
    steps = int(days * DAY / MINUTE)
    for step in range(steps):
        now = step * MINUTE
        may = exposing.may(
            now,
            exposed(losses) if may else hedged(losses),
            9.0,
            attainment,
            windows=int(now / WINDOW),
            missed=missed,
        )
        times += may
    return times / steps


def test_losses_are_expected_to_spoil_no_more_windows_than_their_share_of_the_promise() -> None:
    # A loss spoils a window, and half of one for a start: 4 a day are 2.1 windows of 100.
    spoiled = 4.0 * (150.0 + WINDOW) / DAY
    assert 0.9 < shares(4.0) * spoiled / 0.0075 <= 1.0
    assert shares(8.0) < 0.6 * shares(4.0)
    assert shares(4.0, attainment=0.999) < 0.12 * shares(4.0)


def test_nothing_is_spent_before_it_was_saved_and_then_for_an_hour_at_least() -> None:
    exposing = Exposing()
    seen = [exposing.may(step * MINUTE, hedged(), 9.0, 0.99, windows=0, missed=0) for step in range(4 * 60)]
    opened = seen.index(True)
    assert opened > 60
    still = [
        exposing.may((4 * 60 + step) * MINUTE, exposed(), 9.0, 0.99, windows=0, missed=0)
        for step in range(4 * 60)
    ]
    assert 60 <= still.index(False) < 4 * 60


def test_who_has_missed_more_than_was_promised_stands_by_until_that_is_made_up_for() -> None:
    # Of 100 windows one may be missed, of 1152 in four days eleven.
    assert shares(4.0, missed=12) == 0.0
    assert 0.0 < shares(4.0, missed=4) < shares(4.0)
