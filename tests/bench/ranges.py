"""The ranges that measurements are held to, read from ranges.yaml, in the manner of kueue's rangespec.

A range names what was measured when it was set, and how far runs lie apart, so that a reader can tell a limit
with room from one that is tight.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tests.bench.measurement import Measurement

RANGES_FILE = Path(__file__).with_name("ranges.yaml")


class Range(BaseModel):
    """One range. `at_least` or `at_most` (or both) is the limit that a run must keep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    at_least: float | None = None
    at_most: float | None = None
    measured: float | None
    """What the judged number was when it was last looked at; None before the first run."""
    spread: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    """Least and most sample of that run."""
    tolerance: float = Field(ge=0)
    """How far from `measured` the judged number may lie on an unhurried machine, in the quantity's unit."""
    date: datetime.date | None
    why: str = Field(min_length=1)
    """Where the limit comes from."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Range:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a range needs at_least or at_most")
        if len({self.measured is None, self.spread is None, self.date is None}) > 1:
            raise ValueError("measured, spread and date belong to one run: give all of them or none")
        if self.spread is not None and self.spread[0] > self.spread[1]:
            raise ValueError("spread is [least, most]")
        return self

    def broken_by(self, value: float) -> str:
        """Why `value` is out of range, or an empty string."""
        if self.at_least is not None and value < self.at_least:
            return f"below {self.at_least:g}"
        if self.at_most is not None and value > self.at_most:
            return f"above {self.at_most:g}"
        return ""

    def limit(self) -> str:
        """The limit as a reader writes it."""
        parts = []
        if self.at_least is not None:
            parts.append(f">= {self.at_least:g}")
        if self.at_most is not None:
            parts.append(f"<= {self.at_most:g}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Verdict:
    """A measurement beside its range. `problem` is empty where it is kept, `range` None where none is."""

    program: str
    measurement: Measurement
    range: Range | None
    problem: str

    @property
    def drifted(self) -> bool:
        """Within the limit, and further from what was measured before than the tolerance."""
        if self.range is None or self.range.measured is None or self.problem:
            return False
        return abs(self.measurement.value - self.range.measured) > self.range.tolerance


Ranges = dict[str, dict[str, Range]]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    programs: dict[str, dict[str, Range]]


def load_ranges(text: str) -> Ranges:
    """Read the file's text. Raises pydantic.ValidationError that names the field."""
    return _File.model_validate(yaml.safe_load(text)).programs


def judge(program: str, measurements: list[Measurement], ranges: Ranges) -> list[Verdict]:
    """Compare a program's measurements with its ranges.

    Raises ValueError for a range that nothing was measured for: a benchmark must not pass by measuring less.
    """
    known = ranges.get(program, {})
    verdicts = []
    for measurement in measurements:
        found = known.get(measurement.name)
        problem = found.broken_by(measurement.value) if found else ""
        if found and found.unit != measurement.unit:
            problem = f"measured in {measurement.unit}, the range is in {found.unit}"
        verdicts.append(Verdict(program, measurement, found, problem))
    missing = set(known) - {measurement.name for measurement in measurements}
    if missing:
        raise ValueError(f"{program}: nothing was measured for {', '.join(sorted(missing))}")
    return verdicts
