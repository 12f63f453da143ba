"""When a replica that is to leave may end. Pure.

The gateways hear a moment later than the pod that it ends; until then requests still come, and some engines
answer late ones as aborted. Then what runs is let finish.
"""

from dataclasses import dataclass

HEARD_SECONDS = 5.0
"""After so long every gateway has taken the replica out: its watch tells within a second, and three more are
borne for a slow one."""

QUIET_LOOKS = 2
"""In a row without a request: between two of them one may have been on its way."""


@dataclass(frozen=True)
class Drain:
    """A drain that began at `since`, in seconds of any clock that does not jump."""

    since: float
    longest_seconds: float
    quiet_looks: int = 0

    def seen(self, running: int | None, now: float) -> "Drain":
        """With one more look: how many requests the engine has, None where it does not say."""
        is_quiet = running == 0 and now - self.since >= HEARD_SECONDS
        return Drain(self.since, self.longest_seconds, self.quiet_looks + 1 if is_quiet else 0)

    def is_over(self, now: float) -> bool:
        """Whether the engine may be ended. One that does not say what runs gets the whole time."""
        return self.quiet_looks >= QUIET_LOOKS or now - self.since >= self.longest_seconds
