"""When a schedule's minimum holds: cron windows in time zones, over the changes of clocks."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from pointsman.errors import PointsmanError
from pointsman_autoscaler.decision.calendar import Calendar
from pointsman_autoscaler.settings import Minimum

OFFICE = Minimum("office", "0 7 * * 1-5", "0 19 * * 1-5", "Europe/Berlin", 4)
NIGHT = Minimum("night", "0 22 * * *", "0 6 * * *", "America/New_York", 2)
# Clocks go forward at 02:00 on 29 March and back at 03:00 on 25 October 2026.
IN_THE_GAP = Minimum("gap", "30 2 * * *", "30 4 * * *", "Europe/Berlin", 3)


def seconds(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("entry", "at", "want"),
    [
        (OFFICE, seconds("2026-11-23 06:59:59"), False),
        (OFFICE, seconds("2026-11-23 07:00:00"), True),
        (OFFICE, seconds("2026-11-23 18:59:59"), True),
        (OFFICE, seconds("2026-11-23 19:00:00"), False),
        (OFFICE, seconds("2026-11-22 12:00:00"), False),  # a Sunday
        (OFFICE, seconds("2026-11-23 06:30:00", "Etc/UTC"), True),  # 07:30 in Berlin's winter
        (OFFICE, seconds("2026-07-20 05:30:00", "Etc/UTC"), True),  # 07:30 in its summer
        (OFFICE, seconds("2026-07-20 17:30:00", "Etc/UTC"), False),
        (NIGHT, seconds("2026-11-23 23:00:00", "America/New_York"), True),
        (NIGHT, seconds("2026-11-24 05:59:00", "America/New_York"), True),
        (NIGHT, seconds("2026-11-24 06:00:00", "America/New_York"), False),
        (IN_THE_GAP, seconds("2026-03-29 00:59:59", "Etc/UTC"), False),
        (IN_THE_GAP, seconds("2026-03-29 01:00:00", "Etc/UTC"), True),  # 02:30 is left out: right after it
        (IN_THE_GAP, seconds("2026-03-29 04:30:00"), False),
        (IN_THE_GAP, seconds("2026-10-25 02:29:59", fold=0), False),
        (IN_THE_GAP, seconds("2026-10-25 02:30:00", fold=0), True),
        (IN_THE_GAP, seconds("2026-10-25 02:45:00", fold=1), True),  # the second time round
        (IN_THE_GAP, seconds("2026-10-25 04:30:00"), False),
    ],
)
def test_window(entry: Minimum, at: float, want: bool) -> None:
    assert (Calendar([entry]).minimum(at, 0.0) is not None) == want


def test_replicas_are_asked_for_early_enough_to_be_ready() -> None:
    calendar = Calendar([OFFICE])
    early = seconds("2026-11-23 06:58:00")
    assert calendar.minimum(early, 60.0) is None
    assert calendar.minimum(early, 120.0) == ("office", 4)


def test_the_end_of_a_window_is_not_foreseen() -> None:
    assert Calendar([OFFICE]).minimum(seconds("2026-11-23 18:59:00"), 3600.0) == ("office", 4)


def test_the_largest_of_several_holds() -> None:
    lunch = Minimum("lunch", "0 12 * * *", "0 13 * * *", "Europe/Berlin", 7)
    calendar = Calendar([OFFICE, lunch])
    assert calendar.minimum(seconds("2026-11-23 12:30:00"), 0.0) == ("lunch", 7)
    assert calendar.minimum(seconds("2026-11-23 13:30:00"), 0.0) == ("office", 4)


def test_a_clock_that_jumps_is_followed() -> None:
    calendar = Calendar([OFFICE])
    noon, night = seconds("2026-11-23 12:00:00"), seconds("2026-11-23 23:00:00")
    assert [calendar.minimum(at, 0.0) is not None for at in (noon, night, noon, night)] == [
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        (Minimum("x", "0 25 * * *", "0 7 * * *", "Etc/UTC", 1), '"0 25 * * *" is no time of a calendar'),
        (Minimum("x", "0 7 * * *", "0 7 * * ABC", "Etc/UTC", 1), '"0 7 * * ABC" is no time of a calendar'),
        (Minimum("x", "0 0 30 2 *", "0 1 * * *", "Etc/UTC", 1), '"0 0 30 2 *" is no time of a calendar'),
        (
            Minimum("x", "0 7 * * *", "0 8 * * *", "Europe/Atlantis", 1),
            "there is no time zone Europe/Atlantis",
        ),
    ],
)
def test_what_is_no_time_is_refused_with_the_place(entry: Minimum, want: str) -> None:
    with pytest.raises(PointsmanError, match=r"spec.scaling.schedule\[name=x\]") as error:
        Calendar([entry])
    assert want in str(error.value)
