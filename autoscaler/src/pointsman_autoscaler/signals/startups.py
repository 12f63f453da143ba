"""How long replicas of a flavour take until they are ready, as seen. Pure."""

from collections import deque
from statistics import median

from pointsman_autoscaler.view import Startup

_KEPT = 20
"""The last ones: what is cached on nodes, and how fast nodes come, changes over weeks."""
_ENOUGH = 5
_SPREAD = 1.5
"""Slow starts take so many times the usual one where too few were seen to know: 110 s and 180 s are the usual
ones of published start-ups."""
_SLOW = 0.9


class Startups:
    """Of one flavour of one model."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_KEPT)

    def observe(self, seconds: float) -> None:
        """One replica was ready so long after it was made."""
        if seconds > 0:
            self._seen.append(seconds)

    def startup(self, otherwise: Startup) -> Startup:
        """What to count on; `otherwise` where none was seen."""
        if not self._seen:
            return otherwise
        found = sorted(self._seen)
        usual = median(found)
        slow = found[min(len(found) - 1, int(_SLOW * len(found)))]
        return Startup(usual, slow if len(found) >= _ENOUGH else max(slow, usual * _SPREAD))
