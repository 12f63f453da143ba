"""What a deployment states about its scaling and its pools, in the numbers that decisions need. Pure."""

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.api.hardware import Capacity
from pointsman.api.scaling import Scaling
from pointsman.catalog import Catalog
from pointsman.placement import Placement, Pool
from pointsman.placement.demand import demand_of
from pointsman.placement.devices import price_of, setting_of
from pointsman.placement.law import law_of
from pointsman_autoscaler.settings import Minimum, ScalingSettings
from pointsman_autoscaler.view import Flavour, Startup

_UNBOUNDED = 10_000
_USUAL = Startup(110.0, 180.0)
"""Until it was measured: a pod with its weights on a volume, as llm-d's benchmark saw it, and a slow one."""


def settings_of(deployment: ModelDeployment) -> ScalingSettings:
    """Of a deployment without `scaling`, the defaults; bounds are those that it was placed by."""
    bounds = demand_of(deployment, None).bounds
    scaling = deployment.spec.scaling
    if scaling is None:
        return ScalingSettings(bounds)
    return ScalingSettings(
        bounds=bounds,
        attainment=float(scaling.objectives.attainment.decimal) if scaling.objectives is not None else 0.99,
        minimum=scaling.min_replicas,
        maximum=scaling.max_replicas,
        budget_per_hour=float(scaling.budget.per_hour.decimal) if scaling.budget is not None else None,
        idle_after_seconds=scaling.idle.after.seconds if scaling.idle is not None else None,
        schedule=_schedule(scaling),
        hold_seconds=scaling.scale_down.after.seconds if scaling.scale_down is not None else None,
    )


def flavours_of(
    deployment: ModelDeployment,
    placement: Placement,
    fleet: FleetSettings,
    catalog: Catalog,
    startups: dict[str, Startup] | None = None,
) -> tuple[Flavour, ...]:
    """The pools of a placement, with today's prices and quotas; `startups` are those that were measured.

    Where no price is known an accelerator costs as much as the dearest of the others, or one unit; so does a
    replica on the CPU: nothing is preferred because its price is unknown.
    """
    prices = {pool.name: _price(pool, placement, fleet, catalog) for pool in placement.pools}
    known = [
        price / max(1, pool.accelerators_per_replica)
        for pool in placement.pools
        if (price := prices[pool.name]) is not None
    ]
    unit = max(known, default=1.0)
    return tuple(
        _flavour(
            deployment,
            placement,
            pool,
            fleet,
            catalog,
            unit * max(1, pool.accelerators_per_replica) if price is None else price,
            (startups or {}).get(pool.name),
        )
        for pool in placement.pools
        for price in (prices[pool.name],)
    )


def _flavour(
    deployment: ModelDeployment,
    placement: Placement,
    pool: Pool,
    fleet: FleetSettings,
    catalog: Catalog,
    price: float,
    startup: Startup | None,
) -> Flavour:
    law = law_of(deployment, placement, pool, fleet, catalog)
    scaling = deployment.spec.scaling
    most = scaling.max_replicas if scaling is not None else _UNBOUNDED
    if pool.max_replicas is not None:
        most = min(most, pool.max_replicas)
    setting = setting_of(pool.accelerator, fleet) if pool.accelerator else None
    if setting is not None and setting.quota is not None:
        most = min(most, setting.quota // pool.accelerators_per_replica)
    spot = pool.capacity == Capacity.SPOT
    return Flavour(
        name=pool.name,
        price_per_hour=price,
        minimum=min(pool.min_replicas, most),
        maximum=most,
        is_spot=spot,
        domain=f"{pool.accelerator} {pool.capacity.value}" if spot else "",
        startup=startup or _USUAL,
        law=law.step if law is not None else None,
        stages=pool.pipeline,
        slots=pool.max_concurrency or placement.max_concurrency or 1,
        cache_tokens=law.cache_tokens if law is not None else 0,
    )


def _price(pool: Pool, placement: Placement, fleet: FleetSettings, catalog: Catalog) -> float | None:
    """Of a replica, None where it is unknown; of spot capacity without a price what it costs on demand."""
    spot = pool.capacity == Capacity.SPOT
    price = price_of(pool.accelerator, fleet, catalog, spot=spot) if pool.accelerator else None
    if price is None and pool.price_per_hour is not None:
        return float(pool.price_per_hour)
    if price is None and pool.accelerator:
        price = price_of(pool.accelerator, fleet, catalog)
    return None if price is None else float(price.of(pool.accelerators_per_replica, placement.nodes))


def _schedule(scaling: Scaling) -> tuple[Minimum, ...]:
    return tuple(
        Minimum(entry.name, entry.start, entry.end, entry.time_zone, entry.min_replicas)
        for entry in scaling.schedule
    )
