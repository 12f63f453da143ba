"""How much load replicas are sized for, in requests a second."""

from dataclasses import dataclass, replace

from pointsman_autoscaler.decision.observation import Load, Observation, Pool
from pointsman_autoscaler.decision.supply import late_after_seconds, rate_of_cheapest
from pointsman_autoscaler.forecast import Forecast
from pointsman_autoscaler.settings import ScalingSettings

# The newest scrapes are a step of the load, and no chance, beyond so many standard deviations.
_STEP_DEVIATIONS = 3.0
# Nobody plans for more than this on the word of one distribution.
_MOST_CERTAIN = 0.9995
# A moment above the plan loses no window of five minutes as often as it does: capacity is for the tail of
# latencies, and queues of a moment are worked off. Simulated: windows miss less than half as often.
_MOMENTS_PER_WINDOW = 2.0
# Requests a second that are none: one in four months. Means that fade never quite reach zero.
NOTHING = 1e-7


@dataclass(frozen=True, slots=True)
class Need:
    """`ahead` is the load's distribution, `requests_per_second` its quantile, with what the backlog asks."""

    requests_per_second: float
    ahead: Forecast
    headroom: float
    """How much more than the expected load."""
    clearing: float
    """Of it, what works off the backlog."""
    is_burst: bool


def need_of(observation: Observation) -> Need:
    """`observation.load` must be known."""
    load = observation.load
    if load is None:
        raise ValueError("no load is known")
    is_waking = _is_waking(observation, load)
    if is_waking:
        load = _without_first(load)
    step = _step(observation)
    is_step = load.newest > load.ahead.quantile(0.5) + _STEP_DEVIATIONS * load.newest_deviation
    # A replica that is needed now is not given up for what may come, one that is needed then is asked for. By
    # chance alone the last minute is as often above what is expected as below: that is no need.
    surely = load.now - load.newest_deviation
    ahead = load.ahead.raised_to(max(surely, load.newest if is_step else 0.0))
    # Whole replicas carry more than is planned for, up to one replica's load, any part of that as often as
    # another: a plan for a few replicas may be nearer to the expected load than one for many.
    share = 1 - _MOMENTS_PER_WINDOW * (1 - risk(observation))
    planned = max(ahead.limit(min(share, _MOST_CERTAIN), step), ahead.mean)
    waits = waiting_seconds(observation)
    budget = first_token_budget_seconds(observation.settings)
    is_burst = waits > budget and load.backlog_requests >= 1.0
    clearing = _clearing(observation, load.newest if is_step else load.now) if is_burst else 0.0
    if is_waking and step > 0:
        # No request is served by two replicas.
        clearing = min(clearing, load.backlog_requests * step)
    total = max(planned, ahead.mean + clearing)
    return Need(total, ahead, total / ahead.mean if ahead.mean > NOTHING else 1.0, clearing, is_burst)


def _is_waking(observation: Observation, load: Load) -> bool:
    """Whether nothing serves, and what waits is all there is: no more replicas are asked for than wait."""
    pools = observation.pools
    asked = sum(pool.asked for pool in pools)
    return load.backlog_requests >= max(1, asked) and not any(pool.ready for pool in pools)


def _without_first(load: Load) -> Load:
    """The load that those who wait tell of. The first after a silence says only that it is over: how often
    requests come is told by those that follow it.
    """
    first = load.now / load.backlog_requests
    left = max(0.0, 1.0 - first / load.ahead.mean) if load.ahead.mean > NOTHING else 1.0
    newest = load.newest * (1.0 - 1.0 / load.backlog_requests)
    return replace(load, now=load.now - first, newest=newest, ahead=load.ahead.times(left))


def rate_of(observation: Observation, pool: Pool) -> float:
    """Requests a second that one replica serves within the bounds, as far as the last hours bear it out."""
    trim = observation.trim if observation.tuning.has_trim else 1.0
    return max(0.0, pool.capacity.requests_per_second / trim)


def _step(observation: Observation) -> float:
    """What a replica of the flavour that is added at most carries: plans are rounded up to whole ones."""
    return rate_of_cheapest(
        (pool.flavour.price_per_hour, rate_of(observation, pool))
        for pool in observation.pools
        if not pool.barred
    )


def risk(observation: Observation) -> float:
    """The share of time in which the load must be within capacity."""
    stated = observation.tuning.attainment
    return observation.settings.attainment if stated is None else stated


def first_token_budget_seconds(settings: ScalingSettings) -> float:
    """The least bound of the time to first token; the default of placement where none is stated."""
    return min((bound.seconds for bound in settings.bounds if bound.metric == "ttft"), default=2.0)


def waiting_seconds(observation: Observation) -> float:
    """How long the newest request waits: the backlog over what is worked off; infinite with none ready."""
    load = observation.load
    if load is None or load.backlog_requests <= 0:
        return 0.0
    rate = ready_rate(observation)
    return load.backlog_requests / rate if rate > 0 else float("inf")


def ready_rate(observation: Observation) -> float:
    """Requests a second that ready replicas work off at most."""
    return sum(pool.ready * worked_off_per_second(pool) for pool in observation.pools)


def worked_off_per_second(pool: Pool) -> float:
    """Requests a second that one replica works off while some wait."""
    return max(pool.capacity.saturation_per_second, pool.capacity.requests_per_second)


def _clearing(observation: Observation, rate: float) -> float:
    """Extra load that works off what will be queued when a replica that is asked for now is ready.

    Those on their way work on it from when they are ready; else each look would ask for them again.
    """
    load = observation.load
    if load is None:
        return 0.0
    ahead = min((pool.flavour.startup.p50_seconds for pool in observation.pools), default=0.0)
    queued = load.backlog_requests + (rate - ready_rate(observation)) * ahead
    for pool in observation.pools:
        if not pool.pending_seconds:
            continue
        limit = late_after_seconds(pool.flavour)
        for age in pool.pending_seconds:
            if age <= limit:
                remaining = max(0.0, pool.flavour.startup.p50_seconds - age)
                queued -= worked_off_per_second(pool) * max(0.0, ahead - remaining)
    return max(0.0, queued) / max(observation.tuning.clear_seconds, ahead)
