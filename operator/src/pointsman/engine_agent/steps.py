"""Whether an engine that has requests gets on with them, decided from its own count of steps. Pure.

An engine has two halves: one speaks HTTP and answers that all is well, the other computes. Where only the
second hangs, the first one says so nowhere; but the count stands still, or the page that holds it, which the
second half fills, does not come.
"""

from dataclasses import dataclass

from pointsman.catalog import MetricName
from pointsman.engine_agent.engine_metrics import Readings
from pointsman.engine_agent.liveness import Patience


@dataclass(frozen=True)
class Steps:
    """What looking at one engine has brought: its count, None where it has none or had no requests, and since
    when the count is so, in seconds of any clock that does not jump.
    """

    count: float | None = None
    since: float = 0.0

    def seen(self, readings: Readings | None, now: float) -> "Steps":
        """With one more look; None where no page came, which changes nothing."""
        if readings is None:
            return self
        count = readings.values.get(MetricName.STEPS)
        if not readings.values.get(MetricName.REQUESTS_RUNNING):
            # Nothing to do is no reason to judge.
            return Steps()
        return self if count is not None and count == self.count else Steps(count, now)

    def stand_still(self, now: float, patience: Patience) -> bool:
        """Whether it will not go on by itself."""
        return self.count is not None and now - self.since >= patience.stalled_seconds
