"""What a policy gets to see: samples of replicas and of the gateway, late, and with some of them missing."""

from bisect import bisect_right
from collections import deque

from pointsman_autoscaler.simulator.agenda import Agenda
from pointsman_autoscaler.simulator.cluster import Cluster
from pointsman_autoscaler.simulator.gateway import Gateway
from pointsman_autoscaler.simulator.luck import Accidents, Rows, generator
from pointsman_autoscaler.simulator.pods import SimulatedPod
from pointsman_autoscaler.simulator.scenario import Controls, Scenario
from pointsman_autoscaler.view import EngineSample, GatewaySample, View

# Enough numbers to tell which pods a partial blackout takes.
_SHARES = 1 << 12


class Scraping:
    """Scrapes replicas and the gateway at their intervals, and puts together views."""

    def __init__(
        self, scenario: Scenario, seed: int, cluster: Cluster, gateway: Gateway, agenda: Agenda
    ) -> None:
        controls = scenario.controls
        self._controls: Controls = controls
        self._begins = scenario.begins_seconds
        self._span = scenario.arrivals.span_seconds
        self._cluster = cluster
        self._gateway = gateway
        self._agenda = agenda
        self._missing = Accidents(generator(seed, "missing scrapes"), controls.missing_scrapes)
        self._offsets = Rows(generator(seed, "scrape offsets"), 1)
        self._dark: list[float] = generator(seed, "blackouts").random(_SHARES).tolist()
        self._samples: deque[GatewaySample] = deque(
            maxlen=int(controls.history_seconds / controls.gateway_scrape_seconds) + 4
        )
        cluster.on_ready.append(self._expect)
        agenda.at(controls.gateway_scrape_seconds, self._scrape_gateway)

    def view(self, now: float) -> View:
        """What can be seen at `now`."""
        until = self._begins + now - self._controls.scrape_delay_seconds
        samples = list(self._samples)
        return View(
            now_seconds=self._begins + now,
            flavours={name: pool.flavour for name, pool in self._cluster.pools.items()},
            pods=[pod.view(until, self._begins) for pod in self._cluster.pods()],
            gateway=samples[: bisect_right(samples, until, key=_at)],
            asked={name: pool.asked for name, pool in self._cluster.pools.items()},
        )

    def _expect(self, now: float, pod: SimulatedPod) -> None:
        """A replica is ready: scrape it from now on, at its own moment of the interval."""
        offset = self._offsets.row(pod.ordinal)[0] * self._controls.scrape_seconds
        self._agenda.at(now + offset, self._scrape, pod)

    def _scrape(self, now: float, pod: SimulatedPod) -> None:
        if pod.gone:
            return
        every = self._controls.scrape_seconds
        if now + every <= self._span:
            self._agenda.at(now + every, self._scrape, pod)
        engine = pod.engine
        engine.count(now)
        engine.forget_impatient(now)
        if engine.abandoned:
            self._gateway.collect(now, pod)
        if self._missing.happens(pod.ordinal, int(now / every)) or self._is_dark(now, pod.ordinal):
            return
        pod.fresh.append(
            EngineSample(
                at_seconds=self._begins + now,
                running=engine.running,
                waiting=engine.waiting,
                cache_usage=engine.cache_usage,
                prompt_tokens_total=engine.prompt_tokens,
                output_tokens_total=engine.output_tokens,
                requests_total=engine.requests,
                preemptions_total=engine.preemptions,
                ttft=engine.ttft.histogram(),
                itl=engine.itl.histogram(),
            )
        )

    def _scrape_gateway(self, now: float, _: object) -> None:
        every = self._controls.gateway_scrape_seconds
        if now + every <= self._span:
            self._agenda.at(now + every, self._scrape_gateway)
        self._gateway.forget_impatient(now)
        if not self._missing.happens(-1, int(now / every)) and not self._is_dark(now, -1):
            self._samples.append(self._gateway.sample(self._begins + now))

    def _is_dark(self, now: float, which: int) -> bool:
        return bool(self._controls.blackouts) and any(
            blackout.begins_seconds <= now < blackout.ends_seconds
            and self._dark[which % _SHARES] < blackout.share
            for blackout in self._controls.blackouts
        )


def _at(sample: GatewaySample) -> float:
    return sample.at_seconds
