"""Engines of the user's own, on the devices that the deployment asks for: checked, priced and not chosen."""

from dataclasses import dataclass, replace
from decimal import Decimal

from pointsman.api import EngineName, ModelDeployment
from pointsman.api.hardware import Capacity, Hardware, Parallelism
from pointsman.placement import wording
from pointsman.placement.devices import Device, price_of
from pointsman.placement.fitting import Fleet, allowed
from pointsman.placement.result import DEFAULT_POOL, NotPlaced, Placement, Pool
from pointsman.placement.shape import ModelShape
from pointsman.placement.spread import Spread, device_refusal, spread_of

_OWN_MEMORY = {EngineName.CUSTOM}


@dataclass(frozen=True, slots=True)
class StatedDevices:
    """Devices that the deployment asks for without a choice."""

    device: Device
    spread: Spread
    how: str


def stated_devices(deployment: ModelDeployment, there: Fleet) -> StatedDevices | NotPlaced | None:
    """The devices of an engine of the user's own: from the pod's resources, or from the parallelism.

    None where pools say it, or the engine is one that we know.
    """
    spec = deployment.spec
    if spec.engine is None or spec.engine.name not in _OWN_MEMORY:
        return None
    hardware = spec.hardware or Hardware()
    if hardware.pools:
        return None
    names = allowed(hardware, there)
    overlay = spec.template.resources if spec.template is not None else None
    limits = overlay.limits if overlay is not None else {}
    for name in names:
        device = there.device(name)
        if device is not None and device.resource in limits:
            count = int(limits[device.resource].decimal)
            if count > 0:
                spread = spread_of(hardware, count * hardware.nodes)
                if spread is None:
                    return _uneven(count * hardware.nodes, device.resource)
                return StatedDevices(device, spread, f"as spec.template.resources ask for {device.resource}")
    parallelism = hardware.parallelism or Parallelism()
    if names and hardware.accelerators and (parallelism.tensor or parallelism.pipeline):
        device = there.device(names[0])
        if device is not None:
            spread = Spread(parallelism.tensor or 1, parallelism.pipeline or hardware.nodes, hardware.nodes)
            return StatedDevices(device, spread, "as spec.hardware says")
    if limits and not any("/" in resource for resource in limits):
        return None
    return NotPlaced(
        f"what an engine of your own needs is not known: {spec.engine.name}",
        todo="state spec.template.resources.limits with its accelerators, or spec.hardware.pools",
        field="spec.template.resources",
    )


def _uneven(devices: int, resource: str) -> NotPlaced:
    return NotPlaced(
        f"spec.template.resources ask for {devices} × {resource} a replica, and spec.hardware.parallelism "
        f"says another number",
        todo="make tensor × pipeline the number of accelerators, or leave one of them out",
        field="spec.hardware.parallelism",
    )


def as_stated(
    deployment: ModelDeployment, shape: ModelShape | None, stated: StatedDevices, there: Fleet
) -> Placement | NotPlaced:
    """An engine of the user's own on its devices, whose rules are checked; memory is its own affair."""
    spread, device = stated.spread, stated.device
    engine = deployment.spec.engine
    model = deployment.spec.model
    name = engine.name if engine is not None else EngineName.CUSTOM
    # Whether an engine of one's own spans nodes is not for us to say.
    refusal = device_refusal(replace(spread, nodes=1) if spread.nodes > 1 else spread, device, name)
    if refusal is not None and spread.nodes == 1:
        return NotPlaced(refusal.what, todo=refusal.todo, field=f"spec.{refusal.field}")
    price = price_of(device.name, there.settings, there.catalog)
    per_hour = None if price is None else price.of(spread.devices, spread.nodes)
    running = (engine.max_concurrency if engine is not None else None) or 0
    pool = Pool(
        name=DEFAULT_POOL,
        accelerator=device.name,
        resource=device.resource,
        accelerators_per_replica=spread.devices,
        tensor=spread.tensor,
        capacity=Capacity.ON_DEMAND,
        min_replicas=0,
        max_replicas=None,
        max_concurrency=running,
        price_per_hour=per_hour,
        requests_per_second=0.0,
    )
    return Placement(
        accelerator=device.name,
        accelerators_per_replica=spread.devices,
        tensor=spread.tensor,
        pipeline=spread.pipeline,
        nodes=spread.nodes,
        pools=(pool,),
        quantization=shape.quantization.value if shape is not None else "",
        half_precision=False,
        context_length=(model.context_length if model is not None else None) or 0,
        max_concurrency=running,
        weights_bytes=shape.weights_bytes if shape is not None else 0,
        kv_bytes_per_token=0,
        memory_bytes=0,
        price_per_hour=per_hour,
        requests_per_second=0.0,
        fit=f"{wording.devices(spread.devices, device.name)}, {stated.how}",
        reason=f"stated, not chosen: {hourly(per_hour, there)}",
        assumptions="memory and speed of an engine of your own are not estimated",
    )


def hourly(price: Decimal | None, there: Fleet) -> str:
    if price is None:
        return "no price is known"
    return f"{wording.money(price, there.settings.currency)} an hour"
