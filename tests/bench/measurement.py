"""What a benchmark program measured: samples of one quantity, told as median, least and most."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """Samples of one quantity. `name` is its key in ranges.yaml below the program's name."""

    name: str
    unit: str
    samples: tuple[float, ...]
    judged: str = "median"
    """Which number is compared with the range: `median`, `p95`, `p99`, `min` or `max`."""

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError(f"{self.name}: no samples")

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def least(self) -> float:
        return min(self.samples)

    @property
    def most(self) -> float:
        return max(self.samples)

    @property
    def value(self) -> float:
        """The number that is compared with the range."""
        if self.judged == "median":
            return self.median
        if self.judged in ("p95", "p99"):
            return quantile(self.samples, int(self.judged[1:]) / 100)
        return self.least if self.judged == "min" else self.most


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of the samples do not exceed (nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Effort:
    """How much to measure. `quick` is for trying a program out; its numbers are not judged."""

    quick: bool = False

    @property
    def rounds(self) -> int:
        """Interleaved rounds A/B/A/B: with five, one disturbed round does not move the median."""
        return 2 if self.quick else 5

    @property
    def changes(self) -> int:
        """Changes whose delay is measured: a p99 needs a hundred."""
        return 10 if self.quick else 100


Program = Callable[[Effort], Coroutine[Any, Any, list[Measurement]]]
