"""A policy that learns what replicas can do, foresees load, and decides; see `decision` for how."""

from collections.abc import Mapping
from dataclasses import replace

from pointsman_autoscaler.capacity import Learner
from pointsman_autoscaler.decision import Decision, Load, Observation, Pool, Seen, Tuning, decide
from pointsman_autoscaler.decision.calendar import Calendar
from pointsman_autoscaler.decision.need import first_token_budget_seconds
from pointsman_autoscaler.decision.saturation import token_capacity
from pointsman_autoscaler.forecast import Forecaster
from pointsman_autoscaler.scaler.attaining import Attaining
from pointsman_autoscaler.scaler.engines import Engines
from pointsman_autoscaler.scaler.exposing import Exposing
from pointsman_autoscaler.scaler.holding import Holding
from pointsman_autoscaler.scaler.sight import backlog_requests, is_busy, seen, tokens
from pointsman_autoscaler.scaler.starts import Starts
from pointsman_autoscaler.scaler.traffic import Traffic
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.view import Flavour, View

INTERVAL_SECONDS = 15.0
# Calm is so many times as long as what users state, as it is where they state nothing.
_CALMER = 3.0
# Nobody starts so slowly that looking further ahead than this would help.
_FURTHEST_SECONDS = 1800.0


class Scaler:
    """Of one model; not for several threads. What it remembers is bounded, whatever the load."""

    def __init__(
        self, settings: ScalingSettings, tuning: Tuning | None = None, *, name: str = "pointsman"
    ) -> None:
        """Raises PointsmanError for a schedule that is no time of a calendar."""
        self._name = name
        self._stated = tuning or Tuning()
        self._tuning = _tuned(self._stated, settings)
        self._settings = settings
        self._calendar = Calendar(settings.schedule)
        self._learners: dict[str, tuple[Flavour, Learner]] = {}
        self._forecaster = Forecaster()
        self._traffic = Traffic()
        self._engines = Engines()
        self._starts = Starts()
        self._holding = Holding()
        self._exposing = Exposing()
        attainment = self._tuning.attainment
        self._attaining = Attaining(
            settings.bounds, settings.attainment if attainment is None else attainment
        )
        self._busy_seconds: float | None = None
        self.last: Decision | None = None
        """The newest decision, with its reasons."""

    @property
    def name(self) -> str:
        return self._name

    @property
    def interval_seconds(self) -> float:
        return INTERVAL_SECONDS

    @property
    def settings(self) -> ScalingSettings:
        return self._settings

    def follow(self, settings: ScalingSettings) -> None:
        """Others from now on, with all that was learned: capacities, load and the need of the last minutes.
        Only what was seen of other bounds is forgotten with them. Raises PointsmanError as at the start, and
        goes on with the former ones then.
        """
        calendar = Calendar(settings.schedule)
        if settings.bounds != self._settings.bounds:
            for _, learner in self._learners.values():
                learner.follow(settings.bounds)
        if (settings.bounds, settings.attainment) != (self._settings.bounds, self._settings.attainment):
            attainment = self._stated.attainment
            self._attaining = Attaining(
                settings.bounds, settings.attainment if attainment is None else attainment
            )
        self._tuning, self._settings, self._calendar = (
            _tuned(self._stated, settings),
            settings,
            calendar,
        )

    def decide(self, view: View) -> Mapping[str, int]:
        """Replicas of each flavour; `last` then tells why."""
        observation = self.observe(view)
        decision = decide(observation)
        self._holding.add(decision, {name: view.asked.get(name, 0) for name in view.flavours})
        self.last = decision
        return decision.replicas

    def is_urgent(self, view: View) -> bool:
        """Whether requests wait longer than they may: then the next look must not wait for its time.

        Cheap, and changes nothing: for every scrape.
        """
        waiting = backlog_requests(view)
        if waiting < 1:
            return False
        ready = sum(pod.is_ready and not pod.is_draining for pod in view.pods)
        served = self._traffic.rate()
        if not ready or served <= 0:
            return True
        return waiting / served > first_token_budget_seconds(self._settings)

    def observe(self, view: View) -> Observation:
        """Learns from the view what is new in it, and puts together what a decision needs."""
        now = view.now_seconds
        intervals = self._engines.intervals(view.pods)
        for at_seconds, rate, seconds in self._traffic.observe(view, intervals):
            self._forecaster.observe(at_seconds, rate, seconds)
        self._starts.observe(now, view.flavours, view.pods, view.asked)
        pods = [pod for pod in view.pods if not pod.is_draining]
        ready = sum(pod.is_ready for pod in pods)
        self._attaining.observe(now, view.gateway, intervals, is_starting=ready < sum(view.asked.values()))
        sight = seen(view, self._traffic)
        pools = self._pools(view)
        ahead_seconds = _ahead_seconds(pools)
        # A longer start is paid for longer when a replica must come back: ski-rental's break-even.
        hold_seconds = max(self._tuning.hold_seconds, ahead_seconds)
        tuning = self._tuning
        if hold_seconds != tuning.hold_seconds:
            tuning = replace(tuning, hold_seconds=hold_seconds)
        return Observation(
            now_seconds=now,
            settings=self._settings,
            pools=pools,
            load=self._load(view, ahead_seconds) if sight is not Seen.NOTHING else None,
            seen=sight,
            past=self._holding.past(now, tuning.hold_seconds, tuning.calm_seconds),
            scheduled=self._calendar.minimum(now, ahead_seconds),
            trim=self._attaining.trim,
            tuning=tuning,
            may_be_exposed=self._may_be_exposed(now, pools),
        )

    def _may_be_exposed(self, now: float, pools: tuple[Pool, ...]) -> bool:
        attainment = self._tuning.attainment
        return self._exposing.may(
            now,
            pools,
            self._traffic.rate(),
            self._settings.attainment if attainment is None else attainment,
            windows=self._attaining.windows,
            missed=self._attaining.missed,
        )

    def _pools(self, view: View) -> tuple[Pool, ...]:
        workload = self._traffic.workload(self._traffic.rate())
        held_tokens = self._traffic.held_tokens
        pools = []
        for name, flavour in sorted(view.flavours.items()):
            mine = [pod for pod in view.pods if pod.flavour == name]
            learner = self._learner(flavour)
            if self._tuning.has_learned_capacity:
                learner.observe(mine, view.now_seconds)
            staying = [pod for pod in mine if not pod.is_draining]
            pools.append(
                Pool(
                    flavour=flavour,
                    capacity=learner.capacity(workload),
                    asked=view.asked.get(name, 0),
                    ready=sum([pod.is_ready for pod in staying]),
                    pending_seconds=tuple(
                        sorted(
                            [
                                max(0.0, view.now_seconds - pod.created_seconds)
                                for pod in staying
                                if pod.ready_seconds is None
                            ]
                        )
                    ),
                    barred=self._starts.is_barred(name),
                    losses_per_day=self._starts.losses_per_day(name) if flavour.is_spot else 0.0,
                    tokens=token_capacity(flavour, held_tokens),
                )
            )
        for gone in [name for name in self._learners if name not in view.flavours]:
            del self._learners[gone]
        return tuple(pools)

    def _learner(self, flavour: Flavour) -> Learner:
        """Prices and quotas may change; what a replica can do does not change with them."""
        known = self._learners.get(flavour.name)
        if known is None or (known[0] is not flavour and _engine(known[0]) != _engine(flavour)):
            known = (flavour, Learner(flavour, self._settings.bounds))
            self._learners[flavour.name] = known
        return known[1]

    def _load(self, view: View, ahead_seconds: float) -> Load:
        now = view.now_seconds
        newest, deviation = self._traffic.newest()
        backlog = backlog_requests(view)
        if (
            self._busy_seconds is None
            or newest > 0
            or backlog > 0
            or is_busy(view)
            or self._busy_seconds > now
        ):
            self._busy_seconds = now
        forecast = (
            self._forecaster.forecast(ahead_seconds) if self._tuning.has_forecast else self._forecaster.last()
        )
        return Load(
            now=self._traffic.rate(),
            newest=newest,
            newest_deviation=deviation,
            ahead=forecast,
            backlog_requests=backlog,
            tokens=tokens(view, view.flavours, self._traffic.input_tokens),
            idle_seconds=now - self._busy_seconds,
            busy_share=self._forecaster.busy_share(now + ahead_seconds),
        )


def _tuned(tuning: Tuning, settings: ScalingSettings) -> Tuning:
    """What users state of patience counts."""
    hold = settings.hold_seconds
    return tuning if hold is None else replace(tuning, hold_seconds=hold, calm_seconds=_CALMER * hold)


def _ahead_seconds(pools: tuple[Pool, ...]) -> float:
    """How far to look: as long as nine of ten starts of the slowest flavour that is no spot take."""
    steady = [pool.flavour.startup.p90_seconds for pool in pools if not pool.flavour.is_spot]
    every = steady or [pool.flavour.startup.p90_seconds for pool in pools]
    return min(max(every, default=0.0), _FURTHEST_SECONDS)


def _engine(flavour: Flavour) -> tuple[object, ...]:
    """What a flavour's replica is, whatever it costs and however many there may be."""
    return (flavour.law, flavour.stages, flavour.slots, flavour.cache_tokens)
