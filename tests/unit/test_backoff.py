"""What failed is tried again later each time, and never later than is said."""

import pytest

from pointsman.backoff import Backoff

WAITS = {
    "the first wait": (1, 1.0, 0.5),
    "chance takes off a quarter": (1, 0.0, 0.375),
    "it doubles": (2, 1.0, 1.0),
    "and doubles": (5, 1.0, 8.0),
    "it has an end": (8, 1.0, 60.0),
    "chance takes off the end as well": (8, 0.5, 52.5),
    "it never overflows": (5000, 1.0, 60.0),
    "no failure is the first": (0, 1.0, 0.5),
}


@pytest.mark.parametrize(("failures", "fraction", "want"), WAITS.values(), ids=WAITS.keys())
def test_waits(failures: int, fraction: float, want: float) -> None:
    assert Backoff(0.5, 60.0, 0.25).wait_seconds(failures, fraction) == pytest.approx(want)
