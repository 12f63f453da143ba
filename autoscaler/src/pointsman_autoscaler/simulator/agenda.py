"""What comes next: things to do at their times, and replicas that want to be asked."""

from collections.abc import Callable
from heapq import heappush
from typing import Any

from pointsman_autoscaler.simulator.gaps import INFINITY
from pointsman_autoscaler.simulator.pods import SimulatedPod

Entry = tuple[float, int, Callable[[float, Any], None] | None, Any]


class Agenda:
    """Entries in the order of their time, and of their making where that is the same.

    An entry without something to do is a replica whose engine is due; only a replica's latest one counts.
    """

    __slots__ = ("_made", "heap")

    def __init__(self) -> None:
        self.heap: list[Entry] = []
        self._made = 0

    def at(self, seconds: float, action: Callable[[float, Any], None], subject: Any = None) -> None:
        self._made += 1
        heappush(self.heap, (seconds, self._made, action, subject))

    def engine(self, pod: SimulatedPod) -> None:
        """Its engine's plan may have changed."""
        ends = pod.engine.ends
        if ends != pod.due_seconds:
            pod.due_seconds = ends
            pod.due = self._made = self._made + 1
            if ends != INFINITY:
                heappush(self.heap, (ends, self._made, None, pod))
