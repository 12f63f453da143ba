"""Several policies on one scenario, ours first, and the least that it could have cost. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.scenario import Scenario

_DAY, _WEEK = 86_400.0, 604_800.0


@dataclass(frozen=True, slots=True)
class Tried:
    """A policy with one setting of its knob."""

    setting: str
    result: Result
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    scenario: Scenario
    results: tuple[Result, ...]
    least_dollars: float | None = None
    """What nobody can go below, who serves each window; None where it was not worked out."""
    sweeps: Mapping[str, Sequence[Tried]] | None = None
    """Other settings of the policies, by their name."""
    currency: str = "USD"

    @property
    def span_name(self) -> str:
        """What the costs are for."""
        days = self.scenario.arrivals.span_seconds / _DAY
        if abs(days - 7) < 0.01:
            return "week"
        if abs(days - 1) < 0.01:
            return "day"
        return f"{days:.3g} days" if days > 1 else f"{days * 24:.3g} h"

    def against_least(self, result: Result) -> float | None:
        return result.dollars / self.least_dollars if self.least_dollars else None
