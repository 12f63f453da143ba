"""Whether an Envoy that runs still answers, decided from the answers of its admin interface. Pure.

A crash ends the process and everybody sees it; an Envoy that hangs lives on, holds its port and its requests.
The admin interface is served by the thread that takes in resources: what keeps it busy is no hang.
"""

from dataclasses import dataclass, replace
from typing import Self

from pointsman.silence import Silence

INTERVAL_SECONDS = 2.0
"""Between an answer and the next question, which costs Envoy less than a millisecond."""

TIMEOUT_SECONDS = 5.0
"""For one answer. Taking in 1,000 routes at once, the most that it does without a pause, takes 1 to 3 s."""

NOT_READY_FAILURES = 2
"""In a row. With two, requests would wait here that other gateways can answer."""

RESTART_SECONDS = 30.0
"""At least so long without an answer: Kubernetes' own default for a liveness probe (three failures ten
seconds apart). Ending it cuts what it carries, so it gets the benefit of the doubt.
"""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a silence is borne."""

    interval_seconds: float = INTERVAL_SECONDS
    timeout_seconds: float = TIMEOUT_SECONDS
    not_ready_failures: int = NOT_READY_FAILURES
    restart_seconds: float = RESTART_SECONDS

    def after(self, hangs: int) -> Self:
        """With one that comes after so many in a row that were ended: each gets twice the time, 16 times at
        most. Else one that is slow, with more routes or a busier machine than was thought of, would be ended
        for ever.
        """
        return replace(self, restart_seconds=self.restart_seconds * 2 ** min(hangs, 4))


PATIENCE = Patience()


class Answering(Silence):
    """What asking one Envoy has brought."""

    def is_ready(self, patience: Patience) -> bool:
        return self.failures < patience.not_ready_failures

    def hangs(self, now: float, patience: Patience) -> bool:
        """Whether it will not answer again by itself."""
        return not self.is_ready(patience) and now - self.silent_since >= patience.restart_seconds
