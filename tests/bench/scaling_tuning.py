"""Each policy at its best: every setting of its knob is tried on the training load, and ours with as many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pointsman_autoscaler.baselines.registry import registry
from pointsman_autoscaler.decision.observation import Tuning
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.simulator.contenders import OURS, Contender, build
from pointsman_autoscaler.simulator.oracle import Abilities, Clairvoyant, Mix, foresee
from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.scenario import Scenario

PROMISED = 0.99
ORACLE = "clairvoyant"
RESAMPLES = 2000
PEERS = tuple(registry)
RISKS = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
HEADROOMS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.8, 1.5, 3.0, 5.0)
ABLATIONS: Mapping[str, Mapping[str, bool]] = {
    "no forecast": {"has_forecast": False},
    "no learned capacity": {"has_learned_capacity": False},
    "no hysteresis": {"has_hysteresis": False},
    "no mix": {"has_mix": False},
    "no trim": {"has_trim": False},
}


@dataclass(frozen=True)
class Entry:
    """A policy with one setting; None: as shipped. `without` is a part of ours that is switched off."""

    name: str
    value: float | None = None
    without: str = ""

    @property
    def title(self) -> str:
        knob = {OURS: "risk", ORACLE: "headroom"}.get(self.name) or registry[self.name].knob
        setting = "as shipped" if self.value is None else f"{knob} {self.value:g}"
        return f"{self.name}, {self.without}" if self.without else f"{self.name} ({setting})"

    @property
    def setting(self) -> str:
        """All that this module decides of the policy."""
        parts = ABLATIONS[self.without] if self.without else {}
        return f"{self.name} {self.value} {dict(parts)}"


def entries(name: str) -> tuple[Entry, ...]:
    """Everything that is tried of a policy."""
    values = {OURS: RISKS, ORACLE: HEADROOMS}.get(name) or registry[name].values
    return (Entry(name), *(Entry(name, value) for value in values))


def module(entry: Entry) -> str:
    """Where the policy's code is."""
    places = {OURS: "pointsman_autoscaler.scaler", ORACLE: "pointsman_autoscaler.simulator.oracle"}
    return places.get(entry.name, "pointsman_autoscaler.baselines.registry")


def policy(entry: Entry, scenario: Scenario, mixes: Sequence[Mix], measured: Abilities, seed: int) -> Policy:
    """`seed` of the simulation: the clairvoyant knows its losses of spot."""
    if entry.name == ORACLE:
        return Clairvoyant(scenario, foresee(scenario, mixes, measured, seed), entry.value or 0.0)
    if entry.name == OURS:
        parts = ABLATIONS[entry.without] if entry.without else {}
        return Scaler(scenario.settings, Tuning(attainment=entry.value, **parts))
    return build(Contender(entry.name, entry.value), scenario)


def best(tried: Mapping[Entry, Sequence[Result]]) -> Entry:
    """The cheapest of those that keep the promise; where none does, the one that comes nearest."""

    def rank(entry: Entry) -> tuple[float, float]:
        attained = min(PROMISED, mean([result.attained_windows for result in tried[entry]]))
        return -attained, mean([result.dollars for result in tried[entry]])

    return min(tried, key=rank)


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def paired_ratio(ours: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """Of the means, seed by seed: the ratio with its 95 % interval by bootstrap."""
    first, second = np.array(ours), np.array(others)
    chosen = np.random.default_rng(0).integers(0, len(first), (RESAMPLES, len(first)))
    ratios = first[chosen].mean(axis=1) / second[chosen].mean(axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(first.mean() / second.mean()), float(low), float(high)
