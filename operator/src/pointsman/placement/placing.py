"""`place`: from a deployment, the fleet and the catalogue to a placement, or why there is none."""

from functools import lru_cache

from pointsman.api import Engine, EngineName, FleetSettings, Model, ModelDeployment, Quantization
from pointsman.api.hardware import Hardware
from pointsman.catalog import Catalog, has_live_adapters
from pointsman.placement import wording
from pointsman.placement.arguments import as_told
from pointsman.placement.choosing import Ranking, choose, placement_of
from pointsman.placement.cpu import on_cpu
from pointsman.placement.demand import Demand, Traffic, demand_of
from pointsman.placement.fitting import Fleet, allowed, fleet_of, options
from pointsman.placement.inventory import Inventory
from pointsman.placement.memory import MOST_LOADED_ADAPTERS
from pointsman.placement.options import Asked
from pointsman.placement.pools import in_pools
from pointsman.placement.precision import cannot_become
from pointsman.placement.result import NotPlaced, Placement
from pointsman.placement.shape import ModelShape, shape_of
from pointsman.placement.shortfall import not_placed
from pointsman.placement.stated import as_stated, stated_devices

_FACTS = "parameters, layers, kvHeads and headDim"


def place(
    deployment: ModelDeployment,
    fleet: FleetSettings,
    catalog: Catalog,
    inventory: Inventory,
    traffic: Traffic | None = None,
) -> Placement | NotPlaced:
    """Where one model of our own runs. Pure, and the same for the same arguments.

    Choices are of capacity on demand: what may be taken away is used where pools say so.

    `traffic` is the usual request where it is known; without it that of public conversations is taken, and
    the answer says so.
    """
    spec = deployment.spec
    model, engine = spec.model, spec.engine
    if model is None or engine is None:
        return NotPlaced("a hosted model runs at its provider and is not placed", field="spec.hosted")
    there = fleet_of(fleet, catalog, inventory)
    hardware = spec.hardware or Hardware()
    asks_devices = bool(hardware.accelerators or hardware.pools)
    shape = served_shape(model, engine.name, catalog)
    if engine.name == EngineName.LLAMA_CPP and not asks_devices:
        return on_cpu(deployment, shape, "llama.cpp runs on the CPU unless hardware names accelerators")
    if engine.name == EngineName.TEI and not asks_devices and not there.names:
        return on_cpu(deployment, shape, "the fleet has no accelerators")
    devices = stated_devices(deployment, there)
    if isinstance(devices, NotPlaced):
        return devices
    if devices is not None:
        return as_stated(deployment, shape, devices, there)
    asked = asked_of(model, engine, shape, demand_of(deployment, traffic), there, slots_of(deployment, there))
    if hardware.pools:
        return in_pools(deployment, asked, there)
    if isinstance(asked, NotPlaced):
        return asked
    names = _names(hardware, there)
    if isinstance(names, NotPlaced):
        return names
    scaling = spec.scaling
    budget = scaling.budget if scaling is not None else None
    least = scaling.min_replicas if scaling is not None else spec.replicas
    ranking = Ranking(
        objective=hardware.objective,
        asked=asked,
        fleet=there,
        budget=budget.per_hour.decimal if budget is not None else None,
        replicas=max(1, least),
    )
    return _chosen(ranking, hardware, names)


@lru_cache(maxsize=1024)
def _chosen(ranking: Ranking, hardware: Hardware, names: tuple[str, ...]) -> Placement | NotPlaced:
    """The choice, kept: a fleet has many deployments that differ in their name alone."""
    found = options(hardware, ranking.asked, ranking.fleet, names)
    if not found:
        return NotPlaced(
            f"nothing is known of {wording.listed(names)}",
            todo="state its memory, bandwidth and speed as facts in the fleet settings",
        )
    chosen = choose(found, ranking)
    if chosen is None:
        return not_placed(hardware, ranking.asked, ranking.fleet, names, found, ranking)
    return placement_of(chosen, found, ranking)


def served_shape(model: Model, engine: EngineName, catalog: Catalog) -> ModelShape | None:
    """The model in the quantisation that is meant where none is said: llama.cpp reads GGUF files."""
    if engine == EngineName.LLAMA_CPP and model.quantization is None:
        model = model.model_copy(update={"quantization": Quantization.GGUF})
    return shape_of(model, catalog.model_at(model.source))


def asked_of(
    model: Model, engine: Engine, shape: ModelShape | None, demand: Demand, there: Fleet, adapters: int
) -> Asked | NotPlaced:
    """What a replica with room for so many adapters must do, or what is not known of it."""
    if shape is None:
        return NotPlaced(
            f"the catalogue does not know {model.source}",
            todo=f"state spec.model.facts: {_FACTS}",
            field="spec.model.facts",
        )
    served = there.catalog.engines[engine.name].quantizations
    if shape.quantization not in served:
        return NotPlaced(
            f"{engine.name} does not serve {shape.quantization} weights",
            todo=f"use {wording.listed(str(each) for each in served)}",
            field="spec.model.quantization",
        )
    unfit = cannot_become(shape, engine.name)
    if unfit is not None:
        return NotPlaced(unfit.what, todo=unfit.todo, field="spec.model.quantization")
    context = model.context_length or shape.context_length
    if context is None:
        return NotPlaced(
            f"how long a context {shape.name} was made for is not known",
            todo="state spec.model.contextLength",
            field="spec.model.contextLength",
        )
    return Asked(
        shape=as_told(shape, engine),
        engine=engine.name,
        context_length=context,
        max_concurrency=engine.max_concurrency,
        demand=demand.within(context),
        adapters=adapters,
        own_image=engine.image is not None,
        whole_slots=there.catalog.engines[engine.name].context == "sharedBySlots",
    )


def slots_of(deployment: ModelDeployment, there: Fleet) -> int:
    """How many adapters room is made for: all that may ever be, where they come and go in running pods."""
    engine = deployment.spec.engine
    if engine is not None and has_live_adapters(deployment, there.catalog.engines[engine.name]):
        return MOST_LOADED_ADAPTERS
    return len(deployment.adapter_names)


def _names(hardware: Hardware, there: Fleet) -> tuple[str, ...] | NotPlaced:
    """The accelerators to choose from."""
    fleet = there.names
    if not fleet:
        return NotPlaced(
            "the fleet has no accelerators",
            todo="list them in the fleet settings, or add nodes whose labels name their accelerators",
        )
    names = allowed(hardware, there)
    if names:
        return names
    wanted = wording.listed(hardware.accelerators)
    todo = wording.instead_of(hardware.accelerators[0], fleet)
    return NotPlaced(f"the fleet has no {wanted}", todo=todo, field="spec.hardware.accelerators")
