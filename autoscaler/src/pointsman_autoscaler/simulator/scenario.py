"""What is simulated: load, flavours and their truth, what is wanted, and how the cluster misbehaves. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman.placement.stage import CHUNK_TOKENS
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.startup import StartupDistribution
from pointsman_autoscaler.view import Flavour

# A Monday's midnight in UTC (2024-01-01): schedules and hours of the day need a clock.
MONDAY = 1_704_067_200.0


@dataclass(frozen=True, slots=True)
class Spot:
    """Losses of a flavour's domain: all at once, as a type of machine in a zone is taken back."""

    losses_per_hour: float
    share: float = 1.0
    """The probability of each replica in the domain to be taken at a loss."""
    notice_seconds: float = 120.0
    unavailable_seconds: float = 900.0
    """Mean time (exponential) after a loss in which new replicas of the domain stay pending."""


@dataclass(frozen=True, slots=True)
class SimulatedFlavour:
    """A flavour and what is true of it. `flavour.law` is what a policy may believe before it has measured."""

    flavour: Flavour
    truth: StepTime
    startup: StartupDistribution
    spot: Spot | None = None
    accelerators: int = 1
    """Of one replica."""
    chunk_tokens: int = CHUNK_TOKENS
    """Tokens of prompts and answers that one step takes in."""

    def __post_init__(self) -> None:
        """Raises ValueError for a flavour that could run nothing."""
        if self.flavour.slots < 1 or self.flavour.cache_tokens < 1:
            raise ValueError(f"flavour {self.flavour.name}: slots and cache_tokens must be above zero")
        if self.flavour.stages != 1:
            raise ValueError(f"flavour {self.flavour.name}: pipelines of several stages are not simulated")
        if self.chunk_tokens <= self.flavour.slots:
            raise ValueError(f"flavour {self.flavour.name}: chunk_tokens must be above slots")


@dataclass(frozen=True, slots=True)
class Blackout:
    """No scrape succeeds from `begins_seconds` until `ends_seconds`; of `share` of the pods."""

    begins_seconds: float
    ends_seconds: float
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Stuck:
    """New replicas of a flavour stay pending, unpaid, from `begins_seconds` until `ends_seconds`."""

    flavour: str
    begins_seconds: float
    ends_seconds: float


@dataclass(frozen=True, slots=True)
class Change:
    """A flavour's price or quota from a time on; None: as before."""

    flavour: str
    at_seconds: float
    price_per_hour: float | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Controls:
    """What lies between the load and the policy, and between the policy and the replicas."""

    scrape_seconds: float = 15.0
    """Of each pod, at its own moment of the interval."""
    gateway_scrape_seconds: float = 15.0
    scrape_delay_seconds: float = 2.0
    """From the scrape until a policy can see it."""
    missing_scrapes: float = 0.01
    """The share of scrapes that fail."""
    history_seconds: float = 600.0
    failing_starts: float = 0.02
    """The share of starts whose engine dies at the end; it begins again after `restart_seconds`."""
    restart_seconds: float = 10.0
    drain_seconds: float = 600.0
    """After that what still runs is cut off."""
    patience_seconds: float = 60.0
    """A client that has waited so long for the first token in a queue leaves."""
    hold_seconds: float = 600.0
    """How long the gateway holds a request while no replica runs; patience ends it earlier."""
    hold_requests: int = 1000
    """How many it holds; more are refused."""
    blackouts: tuple[Blackout, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for a probability that would never let anything happen."""
        if not 0 <= self.failing_starts < 1:
            raise ValueError("failing_starts must be at least 0 and below 1")


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that two policies have in common."""

    name: str
    arrivals: Arrivals
    flavours: tuple[SimulatedFlavour, ...]
    settings: ScalingSettings
    controls: Controls = Controls()
    initial: Mapping[str, int] = field(default_factory=dict)
    """Replicas that are ready at the beginning; empty: the least that is allowed, of the cheapest."""
    begins_seconds: float = MONDAY
    """Unix time of the beginning."""
    steps_seconds: tuple[float, ...] = ()
    """When the load jumps, from the beginning: recovery is counted from there."""

    def __post_init__(self) -> None:
        """Raises ValueError for names that do not fit."""
        names = [each.flavour.name for each in self.flavours]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"scenario {self.name}: flavours need names of their own")
        controls = self.controls
        used = {*self.initial, *(stuck.flavour for stuck in controls.stuck)}
        unknown = sorted((used | {change.flavour for change in controls.changes}) - set(names))
        if unknown:
            raise ValueError(f"scenario {self.name}: no flavour {', '.join(unknown)}")
