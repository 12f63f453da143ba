"""How long to wait before a request is sent again. Pure: the jitter comes in."""

from dataclasses import dataclass

from pointsman.backoff import Backoff

# Requests that failed together come back over half of their wait.
_JITTER = 0.5
# Of a wait that the server asked for, on top: a storm of clients must not come back as one.
_SPREAD = 0.25


@dataclass(frozen=True, slots=True)
class Retries:
    """Exponential waits with jitter, or what the server asks for where it says so.

    With the defaults a request is given up after about 5 s of failing at once; what called it has a queue
    with a backoff of its own.
    """

    attempts: int = 6
    first_seconds: float = 0.2
    longest_seconds: float = 10.0
    longest_asked_seconds: float = 30.0  # a Retry-After beyond this is cut: a wrong one must not stall us

    def pause_seconds(self, failures: int, asked_seconds: float | None, fraction: float) -> float:
        """The wait after the n-th failure in a row (n from 1); `fraction` from 0 to 1."""
        if asked_seconds is not None:
            asked = min(max(asked_seconds, self.first_seconds), self.longest_asked_seconds)
            return asked * (1 + _SPREAD * fraction)
        backoff = Backoff(self.first_seconds, self.longest_seconds, _JITTER)
        return backoff.wait_seconds(failures, fraction)
