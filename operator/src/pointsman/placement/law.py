"""The step-time law of a pool that was placed before: what its replicas do until they were measured. Pure."""

from dataclasses import dataclass

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.catalog import Catalog
from pointsman.placement.demand import demand_of
from pointsman.placement.devices import device_named
from pointsman.placement.fitting import fleet_of
from pointsman.placement.inventory import Inventory
from pointsman.placement.options import Miss, assess
from pointsman.placement.placing import asked_of, served_shape, slots_of
from pointsman.placement.precision import Cannot, precision_on
from pointsman.placement.result import NotPlaced, Placement, Pool
from pointsman.placement.spread import Spread
from pointsman.placement.steptime import StepTime, step_time


@dataclass(frozen=True, slots=True)
class PoolLaw:
    """The law of one stage of a replica, and how many tokens its cache holds when it is full of requests."""

    step: StepTime
    cache_tokens: int


def law_of(
    deployment: ModelDeployment, placement: Placement, pool: Pool, fleet: FleetSettings, catalog: Catalog
) -> PoolLaw | None:
    """None where nothing is known by which it could be estimated: a CPU, an engine or a model of the user's
    own, an accelerator that neither catalogue nor fleet settings know any more.
    """
    model, engine = deployment.spec.model, deployment.spec.engine
    device = device_named(pool.accelerator, fleet, catalog) if pool.accelerator else None
    if model is None or engine is None or device is None:
        return None
    there = fleet_of(fleet, catalog, Inventory())
    shape = served_shape(model, engine.name, catalog)
    asked = asked_of(model, engine, shape, demand_of(deployment, None), there, slots_of(deployment, there))
    if isinstance(asked, NotPlaced):
        return None
    spread = Spread(pool.tensor, pool.pipeline, placement.nodes)
    precision = precision_on(device, asked.shape, engine.name)
    option = assess(asked, device, precision, spread, None)
    if isinstance(precision, Cannot) or isinstance(option, Miss):
        return None
    step = step_time(asked.shape, device, spread, precision, engine.name)
    return PoolLaw(step, option.need.cache_tokens(pool.max_concurrency or option.max_concurrency))
