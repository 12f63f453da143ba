"""What policies are compared on: recorded and made load, one flavour and several, for training and for test.

Policies are tuned on the first days of a trace and judged on later ones. Loads are thinned so that some
replicas serve them, and hours rather than weeks are played, so that ten seeds of each policy end in minutes.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from pointsman.catalog import shipped_catalog
from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.oracle import Mix
from pointsman_autoscaler.simulator.scenario import Scenario, SimulatedFlavour, Spot
from pointsman_autoscaler.simulator.startup import StartupDistribution, cold_node, warm_node
from pointsman_autoscaler.simulator.traces import RateTrace, RequestTrace, read_trace
from pointsman_autoscaler.simulator.workloads import (
    coding,
    conversation,
    finer,
    from_rates,
    from_requests,
    mix_shift,
    multiplied,
    nights_off,
    steady,
    window,
)
from pointsman_autoscaler.stated import flavours_of, settings_of
from tests.support.builders import fleet
from tests.support.placements import own, placed

TRACES = Path(__file__).parents[1] / "data" / "traces"
HOUR, DAY = 3600.0, 86_400.0
LLAMA_70B = "hf://meta-llama/Llama-3.3-70B-Instruct"
# Dollars an hour and device: us-east-1 of 2026 on demand, spot as its usual share of that.
FLEET = fleet(
    accelerators=[
        {"name": "H100-SXM", "pricePerHour": {"onDemand": "6.88", "spot": "2.40"}},
        {"name": "A100-80-SXM", "pricePerHour": {"onDemand": "3.43", "spot": "1.20"}},
        {"name": "L40S", "pricePerHour": {"onDemand": "2.62", "spot": "0.90"}},
    ]
)
_MOST = 24
H100 = {"name": "h100", "accelerator": "H100-SXM", "acceleratorsPerReplica": 2, "maxReplicas": _MOST}
A100 = {"name": "a100", "accelerator": "A100-80-SXM", "acceleratorsPerReplica": 2, "maxReplicas": _MOST}
SPOT = {**H100, "name": "spot", "capacity": "spot"}


@dataclass(frozen=True)
class Case:
    """A scenario for a seed: to tune on, and to judge by. `mixes` is what the one who knows all knows."""

    name: str
    make: Callable[[int, bool], Scenario]
    mixes: tuple[Mix, ...] = ()


@cache
def week(name: str) -> RateTrace:
    """A recorded week of rates."""
    trace = read_trace((TRACES / f"{name}.csv").read_text("utf-8"), name)
    assert isinstance(trace, RateTrace)
    return trace


@cache
def hour(name: str) -> RequestTrace:
    """A recorded hour of requests."""
    text = gzip.decompress((TRACES / f"{name}.csv.gz").read_bytes()).decode("utf-8")
    trace = read_trace(text, name)
    assert isinstance(trace, RequestTrace)
    return trace


@dataclass(frozen=True)
class Model:
    """A model with its pools, and how they start."""

    pools: tuple[dict[str, object], ...] = (H100,)
    startup: Callable[[float], StartupDistribution] = warm_node
    scaling: tuple[tuple[str, object], ...] = ()

    def scenario(self, name: str, arrivals: Arrivals, steps_seconds: tuple[float, ...] = ()) -> Scenario:
        deployment = own(
            LLAMA_70B,
            model={"quantization": "fp8", "contextLength": 16384},
            engine_overlay={"name": "vllm", "maxConcurrency": 128},
            hardware={"pools": list(self.pools)},
            scaling={
                "maxReplicas": _MOST,
                "objectives": {"ttft": {"p95": "2s"}, "itl": {"p95": "100ms"}, "attainment": "0.99"},
                **dict(self.scaling),
            },
        )
        placement = placed(deployment, FLEET)
        distribution = self.startup(float(placement.weights_bytes))
        startups = dict.fromkeys((pool.name for pool in placement.pools), distribution.quantiles)
        flavours = []
        for flavour, pool in zip(
            flavours_of(deployment, placement, FLEET, shipped_catalog(), startups),
            placement.pools,
            strict=True,
        ):
            assert flavour.law is not None
            spot = Spot(losses_per_hour=0.25) if flavour.is_spot else None
            devices = pool.accelerators_per_replica
            flavours.append(SimulatedFlavour(flavour, flavour.law, distribution, spot, devices))
        first = flavours[0].flavour.name
        return Scenario(
            name,
            arrivals,
            tuple(flavours),
            settings_of(deployment),
            initial={first: 3},
            steps_seconds=steps_seconds,
        )


def _recorded(name: str, model: Model, trace: str, rate: float, hours: float) -> Case:
    """Days 1 and 2 at most for tuning, day 5 for judging."""

    def make(seed: int, is_training: bool) -> Scenario:
        load = window(week(trace), (0.25 if is_training else 4.25) * DAY, hours * HOUR)
        kept = rate / float(np.nanmean(week(trace).requests_per_second))
        return model.scenario(name, from_rates(load, conversation(), kept, _random(seed, is_training)))

    return Case(name, make)


def _requests(name: str, model: Model, trace: str, copies: float) -> Case:
    def make(seed: int, is_training: bool) -> Scenario:
        return model.scenario(name, from_requests(hour(trace), copies, _random(seed, is_training)))

    return Case(name, make)


def _step(name: str, model: Model, factor: float, minutes: float) -> Case:
    """From quiet to `factor` times as much and back."""

    def make(seed: int, is_training: bool) -> Scenario:
        begins = (1.25 if is_training else 1.5) * HOUR
        ends = begins + minutes * 60
        load = multiplied(steady(1.0, 4 * HOUR), factor, begins, ends)
        arrivals = from_rates(load, conversation(), 1.0, _random(seed, is_training))
        return replace(model.scenario(name, arrivals, (begins,)), initial={"h100": 1})

    return Case(name, make)


def _nights(name: str, model: Model) -> Case:
    def make(seed: int, is_training: bool) -> Scenario:
        trace = finer(window(week("servegen_m_small_week1"), (0 if is_training else 3) * DAY, DAY), 300.0)
        kept = 3.0 / float(np.nanmean(trace.requests_per_second))
        load = nights_off(trace, 20.0, 7.0)
        return model.scenario(name, from_rates(load, conversation(), kept, _random(seed, is_training)))

    return Case(name, make)


def _shift(name: str, model: Model) -> Case:
    """Conversations until noon, then code: many tokens in, few out."""

    def make(seed: int, is_training: bool) -> Scenario:
        trace = window(week("servegen_m_large_week1"), (0.375 if is_training else 3.375) * DAY, 6 * HOUR)
        kept = 8.0 / float(np.nanmean(trace.requests_per_second))
        random = _random(seed, is_training)
        arrivals = from_rates(trace, conversation(), kept, random)
        return model.scenario(name, mix_shift(arrivals, coding(), 3.0, random))

    return Case(name, make, (Mix(conversation(), (0.0, 3.0)), Mix(coding(), (3.0, 24.0))))


def _random(seed: int, is_training: bool) -> np.random.Generator:
    return np.random.default_rng((seed, int(is_training)))


CASES: tuple[Case, ...] = (
    _recorded("m-large, smooth", Model(), "servegen_m_large_week1", 8.0, 6.0),
    _recorded("m-small, bursts", Model(), "servegen_m_small_week1", 8.0, 6.0),
    _recorded("m-large, cold nodes", Model(startup=cold_node), "servegen_m_large_week1", 8.0, 6.0),
    _requests("Azure conversation", Model(), "azure_llm_2023_conv", 2.0),
    _requests("Azure code", Model(), "azure_llm_2023_code", 2.0),
    _step("step x10", Model(), 10.0, 60.0),
    _step("flash crowd", Model(), 12.0, 10.0),
    _nights("nights off", Model(scaling=(("minReplicas", 0), ("idle", {"after": "15m"})))),
    _shift("mix shift", Model()),
    _recorded("two flavours", Model((H100, A100)), "servegen_m_large_week1", 8.0, 6.0),
    _recorded("three with spot", Model((H100, A100, SPOT)), "servegen_m_large_week1", 8.0, 6.0),
)
