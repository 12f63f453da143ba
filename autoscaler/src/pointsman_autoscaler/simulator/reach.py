"""Why promises are missed, where no policy is to blame: bounds that an idle replica breaks. Pure."""

import math
from dataclasses import dataclass, replace

import numpy as np

from pointsman.placement.demand import Bound
from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.run import simulate
from pointsman_autoscaler.simulator.scenario import Controls, Scenario, SimulatedFlavour
from pointsman_autoscaler.simulator.steady import Still

_REQUESTS = 300
# Longer than nearly any answer takes: each finds the replica idle.
_APART_SECONDS = 300.0
_QUIET = Controls(
    missing_scrapes=0.0,
    failing_starts=0.0,
    scrape_seconds=3600.0,
    gateway_scrape_seconds=3600.0,
    patience_seconds=math.inf,
)


@dataclass(frozen=True, slots=True)
class Miss:
    """A bound, and what requests of this load take that each have a replica of their own."""

    bound: Bound
    seconds: float
    """Infinite where a replica cannot serve them at all."""
    flavour: str

    @property
    def times(self) -> float:
        return self.seconds / self.bound.seconds

    def __str__(self) -> str:
        what, asked = self.bound.name, _said(self.bound.seconds)
        if math.isinf(self.seconds):
            return (
                f"no objective can be met at any scale: pool {self.flavour} does not hold requests so large"
            )
        return (
            f"{what} ≤ {asked} cannot be met at any scale: requests that have a replica to themselves take "
            f"{_said(self.seconds)}, {self.times:.1f} times that, in the nearest pool ({self.flavour})"
        )


def nearest_miss(scenario: Scenario) -> Miss | None:
    """The bound that is missed by most in the pool that is nearest; None where some pool can keep all of
    them.
    """
    nearest: Miss | None = None
    for flavour in scenario.flavours:
        worst = max(_misses(scenario, flavour), key=lambda miss: miss.times, default=None)
        if worst is None or worst.times <= 1:
            return None
        if nearest is None or worst.times < nearest.times:
            nearest = worst
    return nearest


def limits(scenario: Scenario, result: Result) -> str:
    """What kept a policy from having more replicas in the minutes it missed; "" where nothing did."""
    settings, missed = scenario.settings, result.timeline.attained < 1
    minutes = int(missed.sum())
    if not minutes:
        return ""
    replicas = np.sum(list(result.timeline.asked.values()), axis=0)
    pools = sum(each.flavour.maximum for each in scenario.flavours)
    # A share of an hour's money of the cheapest replica more is not to be had.
    cheapest = min(each.flavour.price_per_hour for each in scenario.flavours)
    reasons = [
        (
            replicas >= min(settings.maximum, pools),
            "maxReplicas" if settings.maximum <= pools else "the pools",
        ),
    ]
    if settings.budget_per_hour is not None:
        reasons.append((result.timeline.dollars * 60 + cheapest > settings.budget_per_hour, "the budget"))
    for reached, name in reasons:
        share = float((reached & missed).sum()) / minutes
        if share >= 0.5:
            return f"{name} allowed no more replicas in {share * 100:.0f} % of the minutes with late requests"
    return ""


def _misses(scenario: Scenario, flavour: SimulatedFlavour) -> list[Miss]:
    """Each bound, met or missed."""
    alone = simulate(_alone(scenario, flavour), Still(flavour.flavour.name, 1), 0)
    found = {"ttft": alone.ttft_seconds, "itl": alone.tpot_seconds}
    return [
        Miss(bound, found[bound.metric].get(bound.quantile, math.inf), flavour.flavour.name)
        for bound in scenario.settings.bounds
    ]


def _alone(scenario: Scenario, flavour: SimulatedFlavour) -> Scenario:
    """Some of the load's requests, one after another."""
    load = scenario.arrivals
    count = min(_REQUESTS, len(load))
    chosen = np.random.default_rng(0).choice(len(load), count, replace=False)
    arrivals = Arrivals(
        np.arange(count, dtype=np.float64) * _APART_SECONDS,
        load.input_tokens[chosen],
        load.output_tokens[chosen],
        count * _APART_SECONDS,
    )
    name = flavour.flavour.name
    one = replace(flavour, flavour=replace(flavour.flavour, minimum=1, maximum=1), spot=None)
    settings = replace(scenario.settings, minimum=1, maximum=1, idle_after_seconds=None, schedule=())
    return Scenario("alone", arrivals, (one,), settings, _QUIET, {name: 1})


def _said(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 10 else f"{seconds:,.0f} s"
