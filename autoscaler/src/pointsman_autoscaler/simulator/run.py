"""One policy in one scenario. The same scenario, policy and seed give the same result."""

import time
from collections.abc import Callable, Mapping
from heapq import heappop

import numpy as np

from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.simulator.agenda import Agenda
from pointsman_autoscaler.simulator.clipping import clipped, initial
from pointsman_autoscaler.simulator.cluster import Cluster
from pointsman_autoscaler.simulator.gaps import INFINITY, TTFT_BUCKETS, Buckets, Judged
from pointsman_autoscaler.simulator.gateway import Gateway
from pointsman_autoscaler.simulator.outcomes import ABANDONED, FINISHED, LOST, OPEN, REFUSED, Outcomes
from pointsman_autoscaler.simulator.recording import MINUTE, Recording
from pointsman_autoscaler.simulator.result import Floats, Result, Timeline
from pointsman_autoscaler.simulator.scenario import Scenario
from pointsman_autoscaler.simulator.scoring import Score, judge, quantiles
from pointsman_autoscaler.simulator.scraping import Scraping

_DAY = 86_400.0
Shares = Callable[[float], None]
"""Told the share of the work that is done, 0 to 1."""

# How often progress is told, in seconds of the scenario.
_TOLD_SECONDS = 3600.0


def simulate(
    scenario: Scenario, policy: Policy, seed: int, progress: Callable[[float], None] | None = None
) -> Result:
    """Run it to the end of its last request. `progress` is told the seconds that have passed, hour by hour.

    Raises what the policy raises, and RuntimeError where a request would have ended never or twice.
    """
    return _Simulation(scenario, policy, seed, progress).run()


class _Simulation:
    def __init__(
        self, scenario: Scenario, policy: Policy, seed: int, progress: Callable[[float], None] | None
    ) -> None:
        arrivals, bounds = scenario.arrivals, scenario.settings.bounds
        self._scenario, self._policy, self._seed, self._progress = scenario, policy, seed, progress
        self._span = arrivals.span_seconds
        self._agenda = agenda = Agenda()
        judged = Judged(tuple(bound.seconds for bound in bounds if bound.metric == "itl"))
        ttft = Buckets(TTFT_BUCKETS)
        self._outcomes = Outcomes(len(arrivals))
        self._cluster = cluster = Cluster(scenario, seed, agenda, judged, ttft)
        self._gateway = gateway = Gateway(
            arrivals, scenario.controls, seed, cluster, agenda, self._outcomes, ttft
        )
        self._scraping = Scraping(scenario, seed, cluster, gateway, agenda)
        self._recording = Recording(self._span, cluster, gateway, agenda, judged)
        self._decisions = 0
        self._decision_seconds = 0.0
        agenda.at(policy.interval_seconds, self._decide)
        if progress is not None:
            agenda.at(_TOLD_SECONDS, self._tell)

    def run(self) -> Result:
        began = time.process_time()
        self._cluster.begin(initial(self._scenario))
        self._play()
        self._gateway.close()
        return self._result(time.process_time() - began)

    def _play(self) -> None:
        """Arrivals and the agenda, in the order of their times."""
        heap = self._agenda.heap
        gateway = self._gateway
        arrive, advance = gateway.arrive, gateway.advance
        for index, at in enumerate((*self._scenario.arrivals.at_seconds.tolist(), INFINITY)):
            while heap and heap[0][0] < at:
                now, made, action, subject = heappop(heap)
                if action is not None:
                    action(now, subject)
                elif subject.due == made:
                    advance(now, subject)
            if at != INFINITY:
                arrive(at, index)

    def _decide(self, now: float, _: object) -> None:
        policy, view = self._policy, self._scraping.view(now)
        began = time.process_time()
        answer = policy.decide(view)
        self._decision_seconds += time.process_time() - began
        self._decisions += 1
        pools = self._cluster.pools
        asked = clipped(
            answer,
            {name: pool.asked for name, pool in pools.items()},
            {name: pool.flavour for name, pool in pools.items()},
            self._scenario.settings,
        )
        self._recording.scaled(asked)
        self._cluster.scale(now, asked)
        if now + policy.interval_seconds < self._span:
            self._agenda.at(now + policy.interval_seconds, self._decide)

    def _tell(self, now: float, _: object) -> None:
        if self._progress is not None and now <= self._span:
            self._progress(now)
            self._agenda.at(now + _TOLD_SECONDS, self._tell)

    def _result(self, cpu_seconds: float) -> Result:
        scenario, outcomes, recording = self._scenario, self._outcomes, self._recording
        arrivals, cluster = scenario.arrivals, self._cluster
        score = judge(arrivals, outcomes, recording.gaps, scenario.settings.bounds, scenario.steps_seconds)
        ends = np.frombuffer(outcomes.ends, dtype=np.uint8)
        finished = ends == FINISHED
        if OPEN in outcomes.ends:
            raise RuntimeError(f"{int((ends == OPEN).sum())} requests never ended")
        ttft = np.frombuffer(outcomes.ttft_seconds, dtype=np.float64)
        tpot = np.frombuffer(outcomes.tpot_seconds, dtype=np.float64)
        asked = recording.asked.values()
        return Result(
            policy=self._policy.name,
            scenario=scenario.name,
            seed=self._seed,
            requests=len(arrivals),
            finished=int(finished.sum()),
            met_requests=int(score.met.sum()),
            abandoned=int((ends == ABANDONED).sum()),
            refused=int((ends == REFUSED).sum()),
            lost=int((ends == LOST).sum()),
            preemptions=cluster.preemptions_of_gone + sum(pod.engine.preemptions for pod in cluster.pods()),
            attained_windows=score.attained_windows,
            worst_window=score.worst_window,
            ttft_seconds=quantiles(ttft),
            tpot_seconds=quantiles(tpot[finished]),
            bounds_held=score.held,
            dollars=cluster.dollars,
            accelerator_hours=cluster.accelerator_seconds / 3600,
            scalings=sum(each.changes for each in asked),
            reversals_per_day=sum(each.reversals for each in asked) / (self._span / _DAY),
            recovery_seconds=score.recovery_seconds,
            output_tokens=int(np.maximum(arrivals.output_tokens, 1)[finished].sum(dtype=np.int64)),
            timeline=self._timeline(score),
            decisions=self._decisions,
            decision_cpu_seconds=self._decision_seconds,
            simulation_cpu_seconds=cpu_seconds,
        )

    def _timeline(self, score: Score) -> Timeline:
        series = self._recording.series
        minutes = len(score.met_share_by_minute)
        at = self._scenario.arrivals.at_seconds
        arrived = np.bincount(np.minimum((at / MINUTE).astype(np.int64), minutes - 1), minlength=minutes)
        return Timeline(
            requests_per_second=arrived / MINUTE,
            ready=_arrays(series.ready),
            billed=_arrays(series.billed),
            asked=_arrays(series.asked),
            attained=score.met_share_by_minute,
            dollars=np.array(series.dollars),
            held=np.array(series.held),
            waiting=np.array(series.waiting),
        )


def _arrays(series: Mapping[str, list[float]]) -> dict[str, Floats]:
    return {name: np.array(values, dtype=np.float64) for name, values in series.items()}
