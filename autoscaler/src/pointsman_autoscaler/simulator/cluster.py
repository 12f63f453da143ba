"""Replicas come and go: starts that take time or fail, drains, quotas, losses, and the bill for it all."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pointsman_autoscaler.simulator.agenda import Agenda
from pointsman_autoscaler.simulator.engine import Engine
from pointsman_autoscaler.simulator.gaps import Buckets, Judged
from pointsman_autoscaler.simulator.job import Job
from pointsman_autoscaler.simulator.losses import domain_of, losses
from pointsman_autoscaler.simulator.luck import Accidents, Rows, generator
from pointsman_autoscaler.simulator.pods import Pool, SimulatedPod
from pointsman_autoscaler.simulator.scenario import Change, Scenario, Spot
from pointsman_autoscaler.simulator.startup import PIECES

_HOUR = 3600.0


class Cluster:
    """Told how many replicas of each flavour to have. `on_ready` and `on_cut` are told."""

    def __init__(
        self, scenario: Scenario, seed: int, agenda: Agenda, judged: Judged, gateway_ttft: Buckets
    ) -> None:
        controls = scenario.controls
        self._controls = controls
        self._span = scenario.arrivals.span_seconds
        self._agenda = agenda
        self._judged = judged
        self._gateway_ttft = gateway_ttft
        self._history = int(controls.history_seconds / controls.scrape_seconds) + 1
        self.pools: dict[str, Pool] = {}
        self.ready: list[SimulatedPod] = []
        """Those that requests go to."""
        self.on_ready: list[Callable[[float, SimulatedPod], None]] = []
        self.on_cut: Callable[[float, list[Job], list[Job]], None]
        self.preemptions_of_gone = 0
        self.dollars = 0.0
        self.accelerator_seconds = 0.0
        self._billed_seconds = 0.0
        for simulated in scenario.flavours:
            name = simulated.flavour.name
            self.pools[name] = Pool(simulated, Rows(generator(seed, "starts", name), PIECES + 1))
            if simulated.spot is not None:
                self._expect_losses(simulated.spot, self.pools[name], seed)
        for stuck in controls.stuck:
            agenda.at(
                stuck.begins_seconds, self._begin_stuck, (self.pools[stuck.flavour], stuck.ends_seconds)
            )
        for change in controls.changes:
            agenda.at(change.at_seconds, self._change, change)

    def pods(self) -> Iterator[SimulatedPod]:
        for pool in self.pools.values():
            yield from pool.pods.values()

    def begin(self, initial: Mapping[str, int]) -> None:
        """Replicas that are ready already."""
        for name, count in initial.items():
            pool = self.pools[name]
            pool.asked = count
            for _ in range(count):
                pod = self._make(0.0, pool)
                self._give(0.0, pod)
                self._serve(0.0, pod)

    def scale(self, now: float, asked: Mapping[str, int]) -> None:
        for name, count in asked.items():
            pool = self.pools[name]
            if count != pool.asked:
                pool.asked = count
                self._reconcile(now, pool)

    def bill(self, now: float) -> None:
        """Charge what was used since the last time; nothing after the span."""
        until = min(now, self._span)
        seconds = until - self._billed_seconds
        if seconds <= 0:
            return
        self._billed_seconds = until
        for pool in self.pools.values():
            self.dollars += pool.allocated * pool.flavour.price_per_hour * seconds / _HOUR
            self.accelerator_seconds += pool.allocated * pool.simulated.accelerators * seconds

    def emptied(self, now: float, pod: SimulatedPod) -> None:
        """A replica has nothing more to do."""
        if pod.drains and not pod.gone:
            self._remove(now, pod)

    def _reconcile(self, now: float, pool: Pool) -> None:
        missing = pool.asked - len(pool.kept)
        for _ in range(missing):
            pod = self._make(now, pool)
            pool.pending.append(pod)
        for pod in pool.victims(max(0, -missing)):
            self._drain(now, pod, self._controls.drain_seconds)
        self._allocate(now, pool)

    def _make(self, now: float, pool: Pool) -> SimulatedPod:
        engine = Engine(pool.limits, self._judged, self._gateway_ttft, self._controls.patience_seconds)
        pod = SimulatedPod(pool, pool.made, now, engine, self._history)
        pool.made += 1
        pool.pods[pod.name] = pod
        return pod

    def _allocate(self, now: float, pool: Pool) -> None:
        """Give accelerators to those that wait, as far as there are any."""
        while pool.pending and pool.allocated < pool.flavour.maximum and now >= pool.unavailable_until:
            pod = pool.pending.popleft()
            self._give(now, pod)
            seconds = pool.simulated.startup.pieces(_four(pool.starts.row(pod.ordinal))).seconds
            self._agenda.at(now + seconds, self._started, pod)

    def _give(self, now: float, pod: SimulatedPod) -> None:
        self.bill(now)
        pod.allocated_seconds = now
        pod.pool.allocated += 1

    def _started(self, now: float, pod: SimulatedPod) -> None:
        """Its engine has come up, or has died of it."""
        if pod.gone:
            return
        pod.starts += 1
        pool = pod.pool
        row = pool.starts.row(pod.ordinal)
        # The k-th start fails where the number is below the k-th power: each has the same probability.
        if row[PIECES] < self._controls.failing_starts**pod.starts:
            engine = pool.simulated.startup.pieces(_four(row)).engine
            self._agenda.at(now + self._controls.restart_seconds + engine, self._started, pod)
            return
        self._serve(now, pod)

    def _serve(self, now: float, pod: SimulatedPod) -> None:
        pod.ready_seconds = now
        pod.is_ready = True
        pod.seen = None
        self.ready.append(pod)
        for told in self.on_ready:
            told(now, pod)

    def _drain(self, now: float, pod: SimulatedPod, seconds: float) -> None:
        """No more requests; what runs has so long."""
        pod.drains = True
        pod.seen = None
        if pod.allocated_seconds is None:
            pod.pool.pending.remove(pod)
        if pod.is_ready:
            self.ready.remove(pod)
        if pod.outstanding:
            self._agenda.at(now + seconds, self._cut, pod)
        else:
            self._remove(now, pod)

    def _cut(self, now: float, pod: SimulatedPod) -> None:
        if pod.gone:
            return
        pod.engine.count(now)
        fresh, begun = pod.engine.withdraw()
        pod.outstanding = 0
        self._agenda.engine(pod)
        self._remove(now, pod)
        self.on_cut(now, fresh, begun)

    def _remove(self, now: float, pod: SimulatedPod) -> None:
        pool = pod.pool
        pod.gone = True
        pod.is_ready = False
        self.preemptions_of_gone += pod.engine.preemptions
        del pool.pods[pod.name]
        if pod.allocated_seconds is not None:
            self.bill(now)
            pool.allocated -= 1
            self._allocate(now, pool)

    def _expect_losses(self, spot: Spot, pool: Pool, seed: int) -> None:
        taken = Accidents(generator(seed, "taken", domain_of(pool.flavour)), spot.share)
        for number, (at, unavailable) in enumerate(losses(seed, pool.flavour, spot, self._span)):
            self._agenda.at(at, self._lose, (pool, spot, taken, number, unavailable))

    def _lose(self, now: float, loss: tuple[Pool, Spot, Accidents, int, float]) -> None:
        pool, spot, taken, number, unavailable = loss
        self._hold_back(now + spot.notice_seconds + unavailable, pool)
        for pod in pool.kept:
            if pod.allocated_seconds is not None and taken.happens(pod.ordinal, number):
                self._drain(now, pod, spot.notice_seconds)
        for pod in list(pool.pods.values()):
            # One that drains already loses the rest of its time.
            if pod.drains and taken.happens(pod.ordinal, number):
                self._agenda.at(now + spot.notice_seconds, self._cut, pod)
        self._reconcile(now, pool)

    def _begin_stuck(self, now: float, stuck: tuple[Pool, float]) -> None:
        pool, ends = stuck
        self._hold_back(ends, pool)

    def _hold_back(self, until: float, pool: Pool) -> None:
        pool.unavailable_until = max(pool.unavailable_until, until)
        self._agenda.at(pool.unavailable_until, self._allocate, pool)

    def _change(self, now: float, change: Change) -> None:
        self.bill(now)
        pool = self.pools[change.flavour]
        if change.price_per_hour is not None:
            pool.flavour = replace(pool.flavour, price_per_hour=change.price_per_hour)
        if change.maximum is not None:
            pool.flavour = replace(pool.flavour, maximum=change.maximum)
            pool.asked = min(pool.asked, change.maximum)
            self._reconcile(now, pool)


def _four(row: list[float]) -> tuple[float, float, float, float]:
    return row[0], row[1], row[2], row[3]
