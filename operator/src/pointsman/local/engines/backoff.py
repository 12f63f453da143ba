"""How long to wait before something that failed is tried again."""

from random import Random

FIRST_SECONDS = 0.5
"""After a first failure: a crash of something that worked should cost seconds."""
LONGEST_SECONDS = 60.0
"""What is broken for good costs one attempt a minute, and is back within a minute of being repaired."""
STABLE_SECONDS = 60.0
"""After this long without failure, the next failure counts as the first."""


def delay_seconds(failures: int, rng: Random) -> float:
    """The wait after this many failures in a row (1 or more): doubled each time, with a jitter of a quarter
    around it, so that replicas that fell together do not start together.
    """
    doubled = FIRST_SECONDS * 2.0 ** min(max(0, failures - 1), 16)
    return min(LONGEST_SECONDS, doubled) * rng.uniform(0.75, 1.25)
