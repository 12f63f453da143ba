"""Everything that one decision needs, at one moment. Rates are requests a second."""

from dataclasses import dataclass, field
from enum import StrEnum

from pointsman_autoscaler.capacity.workload import Capacity
from pointsman_autoscaler.forecast import Forecast
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.view import Flavour


class Seen(StrEnum):
    """How much of what should be seen was seen."""

    ALL = "all"
    PART = "part"
    """Half the replicas, or more, say nothing."""
    STALE = "stale"
    """Nothing newer than some scrapes."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Pool:
    """One flavour and what is there of it. `pending_seconds` are ages of replicas that were never ready."""

    flavour: Flavour
    capacity: Capacity
    asked: int = 0
    ready: int = 0
    pending_seconds: tuple[float, ...] = ()
    barred: bool = False
    """It was late or lost too lately to be asked for more."""
    losses_per_day: float = 0.0
    """Of its domain, as far as it is known."""
    tokens: float = 0.0
    """Tokens of requests that one replica holds before it saturates; 0: not known."""

    @property
    def name(self) -> str:
        return self.flavour.name


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of all replicas together."""

    now: float
    """Over about the last minute."""
    newest: float
    """Over the last scrapes alone."""
    newest_deviation: float
    """How far `newest` is from `now` by chance (one standard deviation)."""
    ahead: Forecast
    """When a replica that is asked for now is ready."""
    backlog_requests: float = 0.0
    """Held by gateways or waiting in engines."""
    tokens: float = 0.0
    """In caches and queues."""
    idle_seconds: float = 0.0
    """Since the last request that was seen; 0 while any runs."""
    busy_share: float | None = None
    """The share of former days with load at the time that a replica would be ready."""


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier decisions leave to this one."""

    need: float = 0.0
    """The largest need of the last `hold_seconds`, in requests a second."""
    tokens: float = 0.0
    """The same, in tokens."""
    calm_need: float = 0.0
    """The largest need of the last `calm_seconds`, in requests a second."""
    last_up_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """How careful it is. Parts can be switched off, to show what each is worth."""

    attainment: float | None = None
    """The risk: the probability with which the load ahead must be within capacity; None: the settings'."""
    hold_seconds: float = 300.0
    """A replica goes when it was not needed for so long; at least a start-up time, which its return costs."""
    calm_seconds: float = 900.0
    """One that is near to what is needed goes only after so long: it is the one that would come and go."""
    clear_seconds: float = 60.0
    """A backlog is worked off within this, or within the start-up time where that is longer."""
    amortised_seconds: float = 1800.0
    """A change of the mix must earn its start-ups in this time."""
    has_forecast: bool = True
    has_learned_capacity: bool = True
    has_hysteresis: bool = True
    has_mix: bool = True
    has_trim: bool = True


@dataclass(frozen=True, slots=True)
class Observation:
    """Of one model. `load` is None before anything was seen; then `seen` is NOTHING."""

    now_seconds: float
    settings: ScalingSettings
    pools: tuple[Pool, ...]
    load: Load | None
    seen: Seen = Seen.ALL
    past: Past = field(default_factory=Past)
    scheduled: tuple[str, int] | None = None
    """The schedule's entry that holds now or by the time a replica is ready, and its minimum."""
    trim: float = 1.0
    """Capacity is divided by it: above 1 where less was attained than promised."""
    tuning: Tuning = field(default_factory=Tuning)
    may_be_exposed: bool = False
    """Spot may go without a hedge just now: the promise leaves room for the windows that losses spoil."""
