"""Where requests arrive: to the replica with the least to do of two, held while there is none."""

from collections import deque

from pointsman_autoscaler.simulator.agenda import Agenda
from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.cluster import Cluster
from pointsman_autoscaler.simulator.gaps import Buckets
from pointsman_autoscaler.simulator.job import Job
from pointsman_autoscaler.simulator.luck import generator
from pointsman_autoscaler.simulator.outcomes import Outcomes
from pointsman_autoscaler.simulator.pods import SimulatedPod
from pointsman_autoscaler.simulator.scenario import Controls
from pointsman_autoscaler.view import GatewaySample


class Gateway:
    """One of them, as if all saw the same: Envoy's LEAST_REQUEST takes the idler of two that it draws."""

    def __init__(
        self,
        arrivals: Arrivals,
        controls: Controls,
        seed: int,
        cluster: Cluster,
        agenda: Agenda,
        outcomes: Outcomes,
        ttft: Buckets,
    ) -> None:
        count = len(arrivals)
        self._at = arrivals.at_seconds.tolist()
        self._prompts = arrivals.input_tokens.tolist()
        self._answers = arrivals.output_tokens.tolist()
        random = generator(seed, "choices")
        self._one: list[float] = random.random(count).tolist()
        self._other: list[float] = random.random(count).tolist()
        self._patience = min(controls.patience_seconds, controls.hold_seconds)
        self._most_held = controls.hold_requests
        self._cluster = cluster
        self._ready = cluster.ready
        self._agenda = agenda
        self._outcomes = outcomes
        self._ttft = ttft
        self._held: deque[Job] = deque()
        self.requests = 0
        self.in_flight = 0
        cluster.on_ready.append(self._release)
        cluster.on_cut = self._cut

    @property
    def held(self) -> int:
        return len(self._held)

    def arrive(self, now: float, index: int) -> None:
        self.requests += 1
        self.in_flight += 1
        self._place(now, Job(index, now, self._prompts[index], self._answers[index]))

    def advance(self, now: float, pod: SimulatedPod) -> None:
        """A replica's engine is due."""
        engine = pod.engine
        engine.advance(now)
        if engine.ended or engine.abandoned:
            self.collect(now, pod)
        self._agenda.engine(pod)

    def collect(self, now: float, pod: SimulatedPod) -> None:
        """Take the requests that have ended in a replica."""
        engine, outcomes = pod.engine, self._outcomes
        count = len(engine.ended) + len(engine.abandoned)
        for job in engine.ended:
            outcomes.finished(job)
        for job in engine.abandoned:
            outcomes.abandoned(job)
        engine.ended.clear()
        engine.abandoned.clear()
        self.in_flight -= count
        pod.outstanding -= count
        if not pod.outstanding and pod.drains:
            self._cluster.emptied(now, pod)

    def forget_impatient(self, now: float) -> None:
        """Clients of held requests leave, or are sent away."""
        held = self._held
        while held and held[0].arrived < now - self._patience:
            self.in_flight -= 1
            self._outcomes.abandoned(held.popleft())

    def close(self) -> None:
        """No replica will come any more: those that are held leave."""
        while self._held:
            self.in_flight -= 1
            self._outcomes.abandoned(self._held.popleft())

    def sample(self, at_seconds: float) -> GatewaySample:
        return GatewaySample(
            at_seconds=at_seconds,
            requests_total=self.requests,
            in_flight=self.in_flight,
            held=len(self._held),
            failed_total=self._outcomes.failed,
            ttft=self._ttft.histogram(),
        )

    def _place(self, now: float, job: Job) -> None:
        ready = self._ready
        count = len(ready)
        if not count:
            self._hold(now, job)
            return
        pod = ready[0]
        if count > 1:
            pod = ready[int(self._one[job.index] * count)]
            other = ready[int(self._other[job.index] * count)]
            if other.outstanding < pod.outstanding:
                pod = other
        engine = pod.engine
        if not engine.fits(job):
            self.in_flight -= 1
            self._outcomes.refused(job)
            return
        pod.outstanding += 1
        engine.submit(now, job)
        if engine.abandoned:
            self.collect(now, pod)
        self._agenda.engine(pod)

    def _hold(self, now: float, job: Job) -> None:
        self.forget_impatient(now)
        if len(self._held) >= self._most_held:
            self.in_flight -= 1
            self._outcomes.refused(job)
        else:
            self._held.append(job)

    def _release(self, now: float, pod: SimulatedPod) -> None:
        """A replica is there for those that wait."""
        self.forget_impatient(now)
        waiting = list(self._held)
        self._held.clear()
        for job in waiting:
            self._place(now, job)

    def _cut(self, now: float, fresh: list[Job], begun: list[Job]) -> None:
        """Requests without a token are tried again elsewhere, as after any reset; answers are lost."""
        for job in begun:
            self.in_flight -= 1
            self._outcomes.lost(job)
        for job in fresh:
            job.past = job.todo = job.generated = 0
            self._place(now, job)
