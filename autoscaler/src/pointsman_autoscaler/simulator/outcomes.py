"""How each request ended."""

from array import array

from pointsman_autoscaler.simulator.gaps import INFINITY
from pointsman_autoscaler.simulator.job import Job

OPEN, FINISHED, ABANDONED, REFUSED, LOST = range(5)


class Outcomes:
    """One entry a request, in the order of their arrival."""

    __slots__ = ("ends", "failed", "tpot_seconds", "ttft_seconds")

    def __init__(self, count: int) -> None:
        self.ends = bytearray(count)
        self.ttft_seconds = array("d", [INFINITY]) * count
        """From the arrival; infinite where no token came."""
        self.tpot_seconds = array("d", [INFINITY]) * count
        self.failed = 0
        """Those that did not finish."""

    def finished(self, job: Job) -> None:
        index = job.index
        self._end(index, FINISHED)
        self.ttft_seconds[index] = job.first - job.arrived
        self.tpot_seconds[index] = job.mean_gap

    def abandoned(self, job: Job) -> None:
        self._fail(job, ABANDONED)

    def refused(self, job: Job) -> None:
        self._fail(job, REFUSED)

    def lost(self, job: Job) -> None:
        self._fail(job, LOST)
        self.ttft_seconds[job.index] = job.first - job.arrived

    def _fail(self, job: Job, how: int) -> None:
        self._end(job.index, how)
        self.failed += 1

    def _end(self, index: int, how: int) -> None:
        """Raises RuntimeError where it ended before: no request ends twice."""
        if self.ends[index]:
            raise RuntimeError(f"request {index} ended twice")
        self.ends[index] = how
