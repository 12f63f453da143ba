"""Observations of one model as decisions get them, built from a few numbers."""

from collections.abc import Sequence

from pointsman.placement.demand import Bound
from pointsman_autoscaler.capacity import Capacity
from pointsman_autoscaler.decision import Load, Observation, Past, Pool, Seen, Tuning
from pointsman_autoscaler.forecast import Forecast
from pointsman_autoscaler.forecast.distribution import normal_score
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.view import Flavour, Startup

BOUNDS = (Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06))
NOW = 1_000_000.0
STARTUP = Startup(100.0, 150.0)
SHARES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995)


def ahead(mean: float, deviation: float = 0.0) -> Forecast:
    """Normally distributed load."""
    return Forecast(mean, {share: max(0.0, mean + normal_score(share) * deviation) for share in SHARES})


def pool(
    name: str = "h100",
    *,
    rate: float = 3.0,
    price: float = 4.0,
    asked: int = 0,
    ready: int | None = None,
    pending: Sequence[float] = (),
    minimum: int = 0,
    maximum: int = 100,
    spot: bool = False,
    domain: str = "",
    barred: bool = False,
    losses: float = 0.0,
    tokens: float = 0.0,
    reachable: bool = True,
    startup: Startup = STARTUP,
) -> Pool:
    """`ready` is all that is asked for and not pending, unless it is said."""
    flavour = Flavour(name, price, minimum, maximum, is_spot=spot, domain=domain, startup=startup)
    capacity = Capacity(rate, "ttft p95", (), reachable, saturation_per_second=rate * 1.5)
    there = asked - len(pending) if ready is None else ready
    return Pool(flavour, capacity, asked, there, tuple(pending), barred, losses, tokens)


def load(
    rate: float = 10.0,
    *,
    deviation: float = 0.0,
    newest: float | None = None,
    backlog: float = 0.0,
    tokens: float = 0.0,
    idle: float = 0.0,
    busy_share: float | None = None,
    foreseen: float | None = None,
) -> Load:
    return Load(
        now=rate,
        newest=rate if newest is None else newest,
        newest_deviation=max(1.0, rate * 0.1),
        ahead=ahead(rate if foreseen is None else foreseen, deviation),
        backlog_requests=backlog,
        tokens=tokens,
        idle_seconds=idle,
        busy_share=busy_share,
    )


def settings(
    minimum: int = 1,
    maximum: int = 100,
    *,
    budget: float | None = None,
    idle: float | None = None,
    attainment: float = 0.99,
) -> ScalingSettings:
    return ScalingSettings(BOUNDS, attainment, minimum, maximum, budget, idle)


SETTINGS = settings()
NO_PAST = Past()
USUAL = Tuning()


def observation(
    *pools: Pool,
    load: Load | None = None,
    settings: ScalingSettings = SETTINGS,
    seen: Seen = Seen.ALL,
    past: Past = NO_PAST,
    scheduled: tuple[str, int] | None = None,
    tuning: Tuning = USUAL,
    trim: float = 1.0,
    now: float = NOW,
) -> Observation:
    return Observation(now, settings, pools, load, seen, past, scheduled, trim, tuning)
