"""Several policies on one scenario, ours first, and the least that it could have cost. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pointsman_autoscaler.simulator.reach import Miss, limits
from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.scenario import Scenario

_DAY, _WEEK = 86_400.0, 604_800.0

Runs = tuple[Result, ...]
"""Of one policy, one for each seed."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A policy with one setting of its knob."""

    setting: str
    runs: Runs
    is_default: bool = False

    @property
    def dollars(self) -> float:
        """The mean."""
        return fmean(run.dollars for run in self.runs)

    @property
    def attained_windows(self) -> float:
        """The mean."""
        return fmean(run.attained_windows for run in self.runs)


@dataclass(frozen=True, slots=True)
class Comparison:
    scenario: Scenario
    runs: tuple[Runs, ...]
    """By policy, ours first; each with the same seeds."""
    least_dollars: float | None = None
    """What nobody can go below, who serves each window; None where it was not worked out."""
    sweeps: Mapping[str, Sequence[Tried]] | None = None
    """Other settings of the policies, by their name."""
    currency: str = "USD"
    miss: Miss | None = None
    """A bound that no number of replicas keeps."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know, a sentence each."""
        promised = self.scenario.settings.attainment
        if self.miss is not None:
            return (str(self.miss),)
        if self.results[0].attained_windows < promised and (why := limits(self.scenario, self.results[0])):
            return (f"{self.results[0].policy} stays below the promised {promised * 100:g} %: {why}",)
        return ()

    @property
    def results(self) -> Runs:
        """Of each policy the first one, to be drawn."""
        return tuple(runs[0] for runs in self.runs)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.seed for run in self.runs[0])

    @property
    def span_name(self) -> str:
        """What the costs are for."""
        days = self.scenario.arrivals.span_seconds / _DAY
        if abs(days - 7) < 0.01:
            return "week"
        if abs(days - 1) < 0.01:
            return "day"
        if days > 1:
            return f"{days:.3g} days"
        return f"{days * 24:.3g} h" if days * 24 >= 1 else f"{days * 1440:.3g} min"

    def against_least(self, result: Result) -> float | None:
        return result.dollars / self.least_dollars if self.least_dollars else None
