"""What stands between a replica that has lost its lease, perhaps without knowing, and the API server."""

from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.errors import LeadershipLost


class Fence:
    """Open until a moment that only a renewed lease moves on.

    The moment is counted from before the renewal was sent, by a clock that runs while the process is stopped:
    whoever else waits for the lease began to count later, and counts longer.
    """

    def __init__(self, clock: Clock = elapsed_seconds) -> None:
        self._clock = clock
        self._open_until = 0.0
        self._margin_seconds = 0.0
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        return not self._is_closed and self._clock() < self._open_until

    def check(self) -> None:
        """Called immediately before each write. Raises LeadershipLost."""
        if not self.is_open:
            raise LeadershipLost("this replica does not lead (any more)", todo="nothing was written")

    def remaining_seconds(self) -> float:
        """How long it stays open unless the lease is renewed; 0 where it is closed."""
        return max(0.0, self._open_until - self._clock()) if self.is_open else 0.0

    def patience_seconds(self) -> float:
        """How long a write that begins now may take so that it ends before anyone else may lead."""
        return max(0.1, self._open_until - self._clock() + self._margin_seconds)

    def extend(self, until: float, margin_seconds: float) -> None:
        """Stay open until `until` on the clock; nobody else leads for `margin_seconds` after that."""
        self._open_until = until
        self._margin_seconds = margin_seconds

    def close(self) -> None:
        """For good: a replica that leads again gets a fence of its own."""
        self._is_closed = True
