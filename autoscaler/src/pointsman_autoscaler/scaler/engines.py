"""What replicas say between two looks: requests that came, tokens that they read and wrote, latencies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pointsman_autoscaler.view import EngineSample, Pod


@dataclass(frozen=True, slots=True)
class Interval:
    """Two samples of one replica, one after the other."""

    flavour: str
    before: EngineSample
    after: EngineSample

    @property
    def seconds(self) -> float:
        return self.after.at_seconds - self.before.at_seconds


class Engines:
    """Remembers the newest sample of each replica; those that are gone are forgotten."""

    def __init__(self) -> None:
        self._newest: dict[str, EngineSample] = {}

    def intervals(self, pods: Sequence[Pod]) -> list[Interval]:
        """What is there since the last look. A clock that goes back begins anew."""
        found = [interval for pod in pods for interval in self._of(pod)]
        here = {pod.name for pod in pods}
        for name in [name for name in self._newest if name not in here]:
            del self._newest[name]
        return found

    def _of(self, pod: Pod) -> Iterator[Interval]:
        if not pod.samples:
            return
        before = self._newest.get(pod.name)
        self._newest[pod.name] = pod.samples[-1]
        if before is None:
            return
        if pod.samples[-1].at_seconds <= before.at_seconds:
            return
        fresh = []
        for sample in reversed(pod.samples):
            if sample.at_seconds <= before.at_seconds:
                break
            fresh.append(sample)
        for sample in reversed(fresh):
            yield Interval(pod.flavour, before, sample)
            before = sample


def grown(before: float | None, after: float | None) -> float | None:
    """By how much a total grew; one that is smaller than before began anew. None where it was not seen."""
    if before is None or after is None:
        return None
    return after - before if after >= before else after
