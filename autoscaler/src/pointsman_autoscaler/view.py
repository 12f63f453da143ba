"""What can be seen of one model at one time, whoever looks: a cluster, a machine, or a simulation. Pure.

Times are Unix seconds, prices the fleet's currency an hour. What was not seen is None and never zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pointsman.placement.steptime import StepTime


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative counts at upper bounds in seconds, the last of which is infinite, as Prometheus has them."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    sum_seconds: float

    @property
    def count(self) -> float:
        return self.counts[-1] if self.counts else 0.0


@dataclass(frozen=True, slots=True)
class EngineSample:
    """One look at one replica. Totals count from the start of its engine, and may begin anew."""

    at_seconds: float
    running: float | None = None
    waiting: float | None = None
    cache_usage: float | None = None
    """The share of the KV cache that is used, 0 to 1."""
    prompt_tokens_total: float | None = None
    output_tokens_total: float | None = None
    requests_total: float | None = None
    """Answers that ended."""
    preemptions_total: float | None = None
    ttft: Histogram | None = None
    itl: Histogram | None = None


@dataclass(frozen=True, slots=True)
class GatewaySample:
    """One look at all gateways: requests for this model, also those that are held while no replica runs."""

    at_seconds: float
    requests_total: float | None = None
    """Requests that arrived, each attempt counted once."""
    in_flight: float | None = None
    held: float | None = None
    failed_total: float | None = None
    ttft: Histogram | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """One replica, which may span several nodes. `ready_seconds` is None until it was ready once."""

    name: str
    flavour: str
    created_seconds: float
    ready_seconds: float | None = None
    is_ready: bool = False
    is_draining: bool = False
    samples: Sequence[EngineSample] = ()
    """Oldest first; at least the last ten minutes where it has lived so long."""


@dataclass(frozen=True, slots=True)
class Startup:
    """From the decision to the first answer, in seconds."""

    p50_seconds: float
    p90_seconds: float


@dataclass(frozen=True, slots=True)
class Flavour:
    """A pool: what one more replica of it costs, and what it is expected to do before it was measured."""

    name: str
    price_per_hour: float
    minimum: int = 0
    maximum: int = 10_000
    """Of the pool, the quota and the accelerators that exist, the least."""
    is_spot: bool = False
    domain: str = ""
    """What goes down together: a zone and a type of machine."""
    startup: Startup = Startup(110.0, 180.0)
    law: StepTime | None = None
    """Of one stage; None for engines of which no step time is known: they get a curve."""
    stages: int = 1
    slots: int = 1
    """Requests that run at the same time at most."""
    cache_tokens: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """All of it. `asked` is what the pools are told to have."""

    now_seconds: float
    flavours: Mapping[str, Flavour]
    pods: Sequence[Pod]
    gateway: Sequence[GatewaySample]
    asked: Mapping[str, int]
