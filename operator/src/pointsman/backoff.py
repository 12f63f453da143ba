"""How long to wait before what failed is tried again. Pure: the randomness comes in."""

from dataclasses import dataclass

# 2.0 ** 2000 overflows.
_LARGEST_EXPONENT = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double with each failure in a row, up to a bound.

    `jitter` is the share of a wait that chance may take off: what failed together must not come back so.
    """

    first_seconds: float
    longest_seconds: float
    jitter: float

    def wait_seconds(self, failures: int, fraction: float) -> float:
        """After this many failures in a row (1 or more); `fraction` is the chance, from 0 to 1."""
        doubled = self.first_seconds * 2.0 ** min(max(failures, 1) - 1, _LARGEST_EXPONENT)
        return min(doubled, self.longest_seconds) * (1 - self.jitter * (1 - fraction))
