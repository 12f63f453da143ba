"""A scenario from what a platform has written: a deployment, its fleet and a recorded load. Pure."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.catalog import Catalog
from pointsman.errors import PointsmanError
from pointsman.placement import Inventory, NotPlaced, Placement, place
from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.scenario import Controls, Scenario, SimulatedFlavour, Spot
from pointsman_autoscaler.simulator.startup import StartupDistribution, cached, cold_node, warm_node
from pointsman_autoscaler.simulator.traces import RateTrace, RequestTrace
from pointsman_autoscaler.simulator.workloads import Lengths, coding, conversation, from_rates, from_requests
from pointsman_autoscaler.stated import flavours_of, settings_of
from pointsman_autoscaler.view import Startup

STARTUPS: Mapping[str, Callable[[float], StartupDistribution]] = {
    "cached": cached,
    "warm": warm_node,
    "cold": cold_node,
}
LENGTHS: Mapping[str, Callable[[], Lengths]] = {"conversation": conversation, "code": coding}

MOST_REQUESTS = 700_000
"""A trace with more is thinned, unless its share is stated: a week of more takes longer than a minute."""

_TOO_MANY_REQUESTS = 30_000_000
"""Whatever is stated: more do not fit into the memory of a laptop."""

# Spot capacity is taken back a few times a week in a zone: SkyPilot's traces of nine zones show 94 to 343
# losses in 45 days.
_SPOT = Spot(losses_per_hour=0.1)


@dataclass(frozen=True, slots=True)
class Study:
    """What is simulated, and what a reader of the outcome must know of it."""

    scenario: Scenario
    placement: Placement
    facts: tuple[tuple[str, str], ...]


def study(
    deployment: ModelDeployment,
    fleet: FleetSettings,
    catalog: Catalog,
    arrivals: Arrivals,
    *,
    trace_name: str,
    startup: str = "warm",
) -> Study:
    """Raises PointsmanError for a deployment that is not placed, or of whose speed nothing is known."""
    where = f"ModelDeployment {deployment.key}"
    placement = place(deployment, fleet, catalog, Inventory())
    if isinstance(placement, NotPlaced):
        raise PointsmanError(str(placement), where=f"{where}: {placement.field}")
    distribution = STARTUPS[startup](float(placement.weights_bytes))
    startups = dict.fromkeys((pool.name for pool in placement.pools), distribution.quantiles)
    flavours = flavours_of(deployment, placement, fleet, catalog, startups)
    simulated = []
    for flavour, pool in zip(flavours, placement.pools, strict=True):
        if flavour.law is None or flavour.stages != 1:
            what = "engines on the CPU" if not pool.accelerator else f"pool {pool.name}"
            why = "pipelines of several stages" if flavour.law is not None else f"the speed of {what}"
            raise PointsmanError(
                f"{why} cannot be simulated",
                where=where,
                todo="name accelerators of the catalogue, and spec.model.facts for a model that it lacks",
            )
        spot = _SPOT if flavour.is_spot else None
        simulated.append(
            SimulatedFlavour(flavour, flavour.law, distribution, spot, pool.accelerators_per_replica)
        )
    name = f"{deployment.key} on {trace_name}"
    settings = settings_of(deployment)
    # Every flavour has one that is ready, so that nobody waits for a start to have the one that they prefer.
    first = {each.flavour.name: min(1, settings.minimum) for each in simulated}
    scenario = Scenario(name, arrivals, tuple(simulated), settings, Controls(), first)
    return Study(scenario, placement, _facts(scenario, placement, distribution, fleet.currency))


def arrivals_of(
    trace: RateTrace | RequestTrace, load: float | None, lengths: Lengths, context_length: int, seed: int
) -> Arrivals:
    """`load` times the recorded requests; None: all, or as many as a minute of simulation takes."""
    random = np.random.default_rng((seed, 0))
    if isinstance(trace, RequestTrace):
        kept = _kept(load, float(len(trace.at_seconds)))
        own = Lengths(trace.input_tokens, trace.output_tokens).within(context_length or 2**30)
        taken = from_requests(
            RequestTrace(trace.at_seconds, own.input_tokens, own.output_tokens), kept, random
        )
        whole = (own.input_tokens == trace.input_tokens) & (own.output_tokens == trace.output_tokens)
        return _cut(_some(taken), float(100 * (1 - whole.mean())))
    requests = float(np.nansum(trace.requests_per_second)) * trace.interval_seconds
    kept = _kept(load, requests)
    return _some(from_rates(trace, lengths.within(context_length or 2**30), kept, random))


def _kept(load: float | None, requests: float) -> float:
    kept = load if load is not None else min(1.0, MOST_REQUESTS / max(requests, 1.0))
    if not math.isfinite(kept) or kept * requests > _TOO_MANY_REQUESTS:
        raise PointsmanError(
            f"{kept:g} times {requests:,.0f} requests are too many to simulate",
            where="--load",
            todo=f"at most {_TOO_MANY_REQUESTS / max(requests, 1.0):.3g} can be",
        )
    return kept


def _some(arrivals: Arrivals) -> Arrivals:
    if not len(arrivals):
        raise PointsmanError("no request is left to simulate", where="--trace, --load")
    return arrivals


def _cut(arrivals: Arrivals, too_long: float) -> Arrivals:
    """Says that requests were not taken as they are."""
    if not too_long:
        return arrivals
    return replace(
        arrivals, description=f"{arrivals.description}, {too_long:.2g} % cut to spec.model.contextLength"
    )


def _facts(
    scenario: Scenario, placement: Placement, startup: StartupDistribution, currency: str
) -> tuple[tuple[str, str], ...]:
    settings = scenario.settings
    bounds = ", ".join(f"{bound.name} ≤ {bound.seconds * 1000:,.0f} ms" for bound in settings.bounds)
    budget = (
        "" if settings.budget_per_hour is None else f", at most {settings.budget_per_hour:g} {currency}/h"
    )
    lines = [
        ("Objectives", f"{bounds} in {settings.attainment:.1%} of 5-minute windows{budget}"),
        ("Replicas", f"{settings.minimum} to {settings.maximum}"),
    ]
    for each, pool in zip(scenario.flavours, placement.pools, strict=True):
        own = each.flavour
        kind = ", spot" if own.is_spot else ""
        lines.append(
            (
                f"Pool {pool.name}",
                f"{pool.accelerators_per_replica} × {pool.accelerator}{kind}, "
                f"{own.price_per_hour:,.2f} {currency}/h a replica, {own.minimum} to {own.maximum}",
            )
        )
    lines.append(("Start-up", f"{startup.name}: {_seconds(startup.quantiles)}"))
    lines.append(("Load", f"{len(scenario.arrivals):,} requests, {scenario.arrivals.description}"))
    return tuple(lines)


def _seconds(startup: Startup) -> str:
    return f"p50 {startup.p50_seconds:.0f} s, p90 {startup.p90_seconds:.0f} s"
