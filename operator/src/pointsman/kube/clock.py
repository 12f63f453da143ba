"""The one way to read elapsed time here, and the default source of jitter."""

import random
import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since some fixed moment; never goes back."""

Fraction = Callable[[], float]
"""A number from 0 to 1, for jitter."""


def elapsed_seconds() -> float:
    """Seconds that passed, also while this process was stopped or the whole machine was suspended.

    CLOCK_BOOTTIME goes on during suspend, which CLOCK_MONOTONIC does not on Linux; a lease runs out anyway.
    """
    return time.clock_gettime(_CLOCK)


# Not everywhere: other systems than Linux count suspend in their monotonic clock, or not at all.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

fraction: Fraction = random.random
