"""How long to wait before another try."""

import pytest

from pointsman.kube.retrying import Retries


@pytest.mark.parametrize(
    ("failures", "asked", "fraction", "want"),
    [
        (1, None, 0.0, 0.1),
        (1, None, 1.0, 0.2),
        (3, None, 1.0, 0.8),
        (50, None, 1.0, 10.0),
        (5000, None, 0.0, 5.0),
        (1, 3.0, 0.0, 3.0),
        (1, 3.0, 1.0, 3.75),
        (1, 0.0, 0.0, 0.2),
        (1, 3600.0, 0.0, 30.0),
    ],
    ids=[
        "the first wait is short",
        "jitter doubles it at most",
        "it doubles with each failure",
        "it has an end",
        "it never overflows",
        "what the server asks for is kept",
        "and spread to the later side only",
        "no wait at all is not believed",
        "an hour is not believed either",
    ],
)
def test_waits(failures: int, asked: float | None, fraction: float, want: float) -> None:
    assert Retries().pause_seconds(failures, asked, fraction) == pytest.approx(want)
