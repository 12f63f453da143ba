"""Who takes part in a comparison: our scaling, and peers by short names, with a value of their knob."""

import math
from dataclasses import dataclass

from pointsman.errors import PointsmanError
from pointsman.placement.demand import Traffic
from pointsman_autoscaler.baselines.registry import registry
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.simulator.scenario import Scenario

OURS = "pointsman"


@dataclass(frozen=True, slots=True)
class Contender:
    """`value` of the peer's main knob; None is as shipped."""

    name: str
    value: float | None = None

    @property
    def title(self) -> str:
        return self.name if self.value is None else f"{self.name} {registry[self.name].knob} {self.value:g}"


def parse(text: str, where: str) -> tuple[Contender, ...]:
    """`hpa,keda,wva=0.8`: names with or without a value. Raises PointsmanError."""
    return tuple(_parse_one(part.strip(), where) for part in text.split(",") if part.strip())


def _parse_one(text: str, where: str) -> Contender:
    name, separator, value = text.partition("=")
    if name not in registry:
        known = ", ".join(registry)
        raise PointsmanError(f"{name!r} is nothing to compare with", where=where, todo=f"choose from {known}")
    try:
        number = float(value) if separator else None
        if number is not None and not (math.isfinite(number) and number > 0):
            raise ValueError
        return Contender(name, number)
    except ValueError:
        raise PointsmanError(
            f"{value!r} is no value of {registry[name].knob}",
            where=where,
            todo=f"write {name}={registry[name].values[0]:g} or {name}",
        ) from None


def settings_of_knob(name: str) -> tuple[Contender, ...]:
    """The peer as shipped, and with each value that a sweep tries."""
    return (Contender(name), *(Contender(name, value) for value in registry[name].values))


def build(contender: Contender, scenario: Scenario) -> Policy:
    """A fresh policy for the scenario. Peers' targets are measured with its usual request."""
    if contender.name == OURS:
        return Scaler(scenario.settings)
    arrivals = scenario.arrivals
    usual = Traffic(
        max(1, round(float(arrivals.input_tokens.mean()))),
        max(1, round(float(arrivals.output_tokens.mean()))),
    )
    return registry[contender.name].build(scenario.settings, contender.value, traffic=usual)
