"""Replicas of a flavour, and what is kept of each: its place in life, its engine, what was seen of it."""

from collections import deque
from itertools import islice

from pointsman_autoscaler.simulator.engine import Engine, Limits
from pointsman_autoscaler.simulator.gaps import INFINITY
from pointsman_autoscaler.simulator.luck import Rows
from pointsman_autoscaler.simulator.scenario import SimulatedFlavour
from pointsman_autoscaler.view import EngineSample, Flavour, Pod


class SimulatedPod:
    """One replica. Seconds since the beginning of the scenario."""

    __slots__ = (
        "allocated_seconds", "created_seconds", "drains", "due", "due_seconds", "engine", "fresh", "gone",
        "is_ready", "name", "ordinal", "outstanding", "pool", "ready_seconds", "samples", "seen", "starts",
    )  # fmt: skip

    def __init__(self, pool: "Pool", ordinal: int, now: float, engine: Engine, kept: int) -> None:
        self.name = f"{pool.flavour.name}-{ordinal}"
        self.pool = pool
        self.ordinal = ordinal
        self.engine = engine
        self.created_seconds = now
        self.allocated_seconds: float | None = None
        """When it got its accelerators, for which it is paid from then on."""
        self.ready_seconds: float | None = None
        self.is_ready = False
        self.drains = False
        self.gone = False
        self.starts = 0
        """How often its engine began."""
        self.outstanding = 0
        self.due = 0
        self.due_seconds = INFINITY
        self.fresh: deque[EngineSample] = deque()
        """Samples that no policy can see yet."""
        self.samples: deque[EngineSample] = deque(maxlen=kept)
        self.seen: Pod | None = None
        """What a policy sees, until something of it changes."""

    def view(self, until: float, begins: float) -> Pod:
        """What can be seen of it with samples up to `until`; `begins` is the Unix time of the beginning."""
        fresh = self.fresh
        while fresh and fresh[0].at_seconds <= until:
            self.samples.append(fresh.popleft())
            self.seen = None
        if self.seen is None:
            ready = self.ready_seconds
            self.seen = Pod(
                name=self.name,
                flavour=self.pool.flavour.name,
                created_seconds=begins + self.created_seconds,
                ready_seconds=None if ready is None else begins + ready,
                is_ready=self.is_ready and not self.drains,
                is_draining=self.drains,
                samples=tuple(self.samples),
            )
        return self.seen


class Pool:
    """All replicas of one flavour."""

    def __init__(self, simulated: SimulatedFlavour, starts: Rows) -> None:
        flavour = simulated.flavour
        self.simulated = simulated
        self.flavour: Flavour = flavour
        """With today's price and quota."""
        self.limits = Limits(simulated.truth, flavour.slots, flavour.cache_tokens, simulated.chunk_tokens)
        self.starts = starts
        self.asked = 0
        self.made = 0
        self.pods: dict[str, SimulatedPod] = {}
        self.pending: deque[SimulatedPod] = deque()
        """Those that wait for accelerators."""
        self.allocated = 0
        self.unavailable_until = 0.0

    @property
    def kept(self) -> list[SimulatedPod]:
        """Those that are not on their way out."""
        return [pod for pod in self.pods.values() if not pod.drains]

    @property
    def serving(self) -> int:
        return sum(pod.is_ready and not pod.drains for pod in self.pods.values())

    def victims(self, count: int) -> list[SimulatedPod]:
        """Those that Kubernetes would remove first: not ready, the youngest, those with the least to do."""
        ordered = sorted(
            self.kept,
            key=lambda pod: (
                pod.is_ready,
                pod.allocated_seconds is not None,
                -(pod.ready_seconds or 0.0),
                pod.outstanding,
                -pod.ordinal,
            ),
        )
        return list(islice(ordered, count))
