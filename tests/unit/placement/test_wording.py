"""Numbers are said so that they agree with what they are said for."""

import pytest

from pointsman.placement import wording

SECONDS = {0.0714: "71.4 ms", 1.25: "1.25 s", 640.0: "640 s", 1234.5: "1,234 s"}


@pytest.mark.parametrize(("duration", "want"), SECONDS.items())
def test_a_duration_is_never_an_exponent(duration: float, want: str) -> None:
    assert wording.seconds(duration) == want


BEYOND = {
    "far": (0.2314, 0.1, "230 ms"),
    "near": (0.1034, 0.1, "103 ms"),
    "nearer": (1.0004, 1.0, "just above 1 s"),
}


@pytest.mark.parametrize(("duration", "bound", "want"), BEYOND.values(), ids=BEYOND.keys())
def test_what_misses_a_bound_is_not_said_to_be_the_bound(duration: float, bound: float, want: str) -> None:
    assert wording.beyond(duration, bound) == want


def test_memory_that_is_not_enough_is_not_said_to_be() -> None:
    assert wording.apart(136.08e9, 135.68e9) == ("136.08 GB", "135.68 GB")
    assert wording.apart(99.2e9, 77.1e9) == ("99 GB", "77 GB")
