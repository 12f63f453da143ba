"""Whether an engine that was ready still is, decided from the answers to a cheap question. Pure.

A crash ends the process and everybody sees it; an engine that hangs lives on and holds its requests. Killing
one that is only busy costs every answer that it works on, so the thresholds are generous.
"""

from dataclasses import dataclass
from enum import StrEnum

from pointsman.silence import Silence


class Verdict(StrEnum):
    READY = "Ready"
    NOT_READY = "NotReady"
    """Gets no more requests until it answers again."""
    RESTART = "Restart"
    """Will not answer again by itself."""


INTERVAL_SECONDS = 2.0
"""Between an answer and the next question: one costs an engine less than a millisecond."""

TIMEOUT_SECONDS = 5.0
"""For one answer. llama.cpp answers from threads that do not compute: the slowest of 700 answers took 64 ms
while it worked on 4 to 40 streams with 4 slots, and 0.95 s with 250, on two cores with a load of 3.
"""

NOT_READY_FAILURES = 2
"""In a row. One can be a moment in which the machine swaps or whoever asks was stopped; with two, requests
would wait for this engine that others can answer, and it costs nothing to take them elsewhere for a while.
"""

RESTART_FAILURES = 5
"""In a row, with the timeout and the interval half a minute: Kubernetes' own default for a liveness probe
(three failures ten seconds apart).
"""

RESTART_SECONDS = 30.0
"""At least so long without an answer, however quickly the questions fail: an engine that refuses connections
may be about to listen again.
"""

LOOK_SECONDS = 10.0
"""Between two looks at the metrics: some pages have thousands of lines."""

STALLED_SECONDS = 300.0
"""At least so long with requests and without a step. The longest step is a piece of a long prompt: seconds on
an accelerator, a minute for a large model on CPUs.
"""


@dataclass(frozen=True)
class Patience:
    """How long a silence is borne."""

    interval_seconds: float = INTERVAL_SECONDS
    timeout_seconds: float = TIMEOUT_SECONDS
    not_ready_failures: int = NOT_READY_FAILURES
    restart_failures: int = RESTART_FAILURES
    restart_seconds: float = RESTART_SECONDS
    look_seconds: float = LOOK_SECONDS
    stalled_seconds: float = STALLED_SECONDS


PATIENCE = Patience()


class Liveness(Silence):
    """What asking one engine has brought."""

    def verdict(self, now: float, patience: Patience) -> Verdict:
        """What follows from it now."""
        is_long = self.failures > 0 and now - self.silent_since >= patience.restart_seconds
        if self.failures >= patience.restart_failures and is_long:
            return Verdict.RESTART
        return Verdict.NOT_READY if self.failures >= patience.not_ready_failures else Verdict.READY
