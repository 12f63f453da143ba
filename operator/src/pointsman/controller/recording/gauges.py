"""How the record of evidence is doing, as numbers."""

from collections.abc import Callable

from pointsman.controller.metrics import OperatorMetrics
from pointsman.controller.recording.recorder import Recorder


def make_gauges(metrics: OperatorMetrics, recorder: Recorder, leads: Callable[[], bool]) -> None:
    """Who does not lead writes nothing, which is no failure."""

    def failing() -> float:
        return float(leads() and bool(recorder.recording.why))

    metrics.gauge("evidence_entries", "In the record, as it was last.", lambda: recorder.recording.entries)
    heard = recorder.heard
    metrics.gauge("evidence_waiting", "News that are not in the record yet.", lambda: len(heard))
    metrics.gauge("evidence_failing", "Whether the last try failed.", failing)
    metrics.gauge(
        "evidence_lost", "News that were too many to keep while it failed.", lambda: recorder.heard.lost
    )
