"""What a deployment spells out itself: pools, and engines of its own with the devices they ask for.

It is checked and not chosen: what cannot run is refused with the fix, what runs is priced and estimated where
the model is known.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from pointsman.api import EngineName, ModelDeployment
from pointsman.api.hardware import Capacity, Hardware, Parallelism
from pointsman.api.hardware import Pool as AskedPool
from pointsman.placement import wording
from pointsman.placement.choosing import POOL, assumptions_text, fit_text, miss_text
from pointsman.placement.devices import Device, price_of
from pointsman.placement.fitting import Fleet, allowed, rule_refusal
from pointsman.placement.options import Asked, Miss, Option, assess
from pointsman.placement.precision import precision_on
from pointsman.placement.result import NotPlaced, Placement, Pool
from pointsman.placement.shape import ModelShape
from pointsman.placement.spread import Spread, device_refusal

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
                spread = _spread_of(hardware, count)
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


def _spread_of(hardware: Hardware, count: int) -> Spread:
    """The pod's devices on each node, shared out as the parallelism says."""
    parallelism = hardware.parallelism or Parallelism()
    total = count * hardware.nodes
    pipeline = parallelism.pipeline or hardware.nodes
    return Spread(parallelism.tensor or max(1, total // pipeline), pipeline, hardware.nodes)


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
    per_hour = None if price is None else price.per_hour * spread.devices
    running = (engine.max_concurrency if engine is not None else None) or 0
    pool = Pool(
        name=POOL,
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
        reason=f"stated, not chosen: {_hourly(per_hour, there)}",
        assumptions="memory and speed of an engine of your own are not estimated",
    )


def in_pools(deployment: ModelDeployment, asked: Asked | NotPlaced, there: Fleet) -> Placement | NotPlaced:
    """The pools that the deployment spells out, each checked; the first one's numbers stand at the top."""
    hardware = deployment.spec.hardware or Hardware()
    pools: list[Pool] = []
    judged: list[Option | None] = []
    for index, wanted in enumerate(hardware.pools):
        at = f"spec.hardware.pools[{index}]"
        device = there.device(wanted.accelerator)
        names = there.names
        if device is None or (names and wanted.accelerator not in names):
            return NotPlaced(
                f"pool {wanted.name} names {wanted.accelerator}, which the fleet does not have",
                todo=f"use {wording.listed(names)}" if names else "state its facts in the fleet settings",
                field=f"{at}.accelerator",
            )
        spread = _pool_spread(hardware, wanted)
        if spread is None:
            return _uneven(hardware, wanted, at)
        option = _judge(asked, device, spread, there, wanted, at)
        if isinstance(option, NotPlaced):
            return option
        judged.append(option)
        pools.append(_pool(wanted, device, spread, option, deployment, there))
    return _pooled(deployment, asked, pools, judged, there)


def _pool_spread(hardware: Hardware, wanted: AskedPool) -> Spread | None:
    """The pool's devices as a spread, or None where parallelism contradicts their number."""
    parallelism = hardware.parallelism or Parallelism()
    count = wanted.accelerators_per_replica
    pipeline = parallelism.pipeline or (count // parallelism.tensor if parallelism.tensor else hardware.nodes)
    tensor = parallelism.tensor or (count // pipeline if pipeline else 0)
    return Spread(tensor, pipeline, hardware.nodes) if tensor * pipeline == count and count else None


def _uneven(hardware: Hardware, wanted: AskedPool, at: str) -> NotPlaced:
    parallelism = hardware.parallelism or Parallelism()
    tensor, pipeline = parallelism.tensor, parallelism.pipeline or hardware.nodes
    spelled = f"tensor {tensor or 'any'} × pipeline {pipeline}"
    return NotPlaced(
        f"pool {wanted.name} has {wanted.accelerators_per_replica} accelerators for a replica, "
        f"which is not {spelled}",
        todo=f"use {(tensor or 1) * pipeline}, or change spec.hardware.parallelism",
        field=f"{at}.acceleratorsPerReplica",
    )


def _judge(
    asked: Asked | NotPlaced, device: Device, spread: Spread, there: Fleet, wanted: AskedPool, at: str
) -> Option | NotPlaced | None:
    """The pool's option; None where nothing is known of the model, which is then the user's word."""
    if isinstance(asked, NotPlaced):
        return None if asked.field == "spec.model.facts" else asked
    refusal = rule_refusal(asked, device, spread, there)
    if refusal is not None:
        return NotPlaced(
            f"pool {wanted.name}: {refusal.what}",
            todo=refusal.todo,
            field=f"{at}.acceleratorsPerReplica" if refusal.field else at,
        )
    spot = wanted.capacity == Capacity.SPOT
    price = price_of(device.name, there.settings, there.catalog, spot=spot)
    precision = precision_on(device, asked.shape, asked.engine)
    option = assess(asked, device, precision, spread, price)
    if isinstance(option, Miss):
        return _pool_miss(option, wanted, asked, at)
    return option


def _pool_miss(miss: Miss, wanted: AskedPool, asked: Asked, at: str) -> NotPlaced:
    need = miss.need
    if need is None:
        return NotPlaced(f"pool {wanted.name}: {miss.what}", todo=miss.todo, field=f"{at}.accelerator")
    ways = ["use more accelerators for a replica"]
    if need.kv_per_token and need.room > need.per_request:
        tokens = (need.room - need.per_request) // need.kv_per_token // 1024 * 1024
        if tokens:
            ways.append(f"lower spec.model.contextLength to {tokens}")
    return NotPlaced(
        f"{asked.shape.name} does not fit pool {wanted.name}",
        f"{wording.devices(miss.spread.devices, miss.device.name)} {miss_text(miss)}",
        wording.listed(ways),
        f"{at}.acceleratorsPerReplica",
    )


def _pool(
    wanted: AskedPool,
    device: Device,
    spread: Spread,
    option: Option | None,
    deployment: ModelDeployment,
    there: Fleet,
) -> Pool:
    spot = wanted.capacity == Capacity.SPOT
    price = price_of(device.name, there.settings, there.catalog, spot=spot)
    engine = deployment.spec.engine
    stated = engine.max_concurrency if engine is not None else None
    rate = option.capacity.latency.requests_per_second if option is not None else 0.0
    return Pool(
        name=wanted.name,
        accelerator=device.name,
        resource=device.resource,
        accelerators_per_replica=spread.devices,
        tensor=spread.tensor,
        capacity=wanted.capacity,
        min_replicas=wanted.min_replicas,
        max_replicas=wanted.max_replicas,
        max_concurrency=option.max_concurrency if option is not None else stated or 0,
        price_per_hour=None if price is None else price.per_hour * spread.devices,
        requests_per_second=wording.significant(rate),
    )


def _pooled(
    deployment: ModelDeployment,
    asked: Asked | NotPlaced,
    pools: list[Pool],
    judged: list[Option | None],
    there: Fleet,
) -> Placement:
    first, option = pools[0], judged[0]
    known = None if isinstance(asked, NotPlaced) else asked
    hardware = deployment.spec.hardware or Hardware()
    model = deployment.spec.model
    pipeline = max(1, first.accelerators_per_replica // first.tensor)
    fit = f"{wording.devices(first.accelerators_per_replica, first.accelerator)}, as stated"
    assumptions = "nothing is known of the model: neither memory nor speed is checked"
    if option is not None and known is not None:
        fit, assumptions = fit_text(option, known), assumptions_text(option, known)
    return Placement(
        accelerator=first.accelerator,
        accelerators_per_replica=first.accelerators_per_replica,
        tensor=first.tensor,
        pipeline=pipeline,
        nodes=hardware.nodes,
        pools=tuple(pools),
        quantization=known.shape.quantization.value if known is not None else "",
        half_precision=any(each.precision.half for each in judged if each is not None),
        context_length=(
            known.context_length if known is not None else (model.context_length if model else None) or 0
        ),
        max_concurrency=first.max_concurrency,
        weights_bytes=known.shape.weights_bytes if known is not None else 0,
        kv_bytes_per_token=option.need.kv_per_token * option.spread.devices if option is not None else 0,
        memory_bytes=0,
        price_per_hour=first.price_per_hour,
        requests_per_second=first.requests_per_second,
        fit=fit,
        reason=_pools_reason(pools, judged, there),
        assumptions=assumptions,
    )


def _pools_reason(pools: list[Pool], judged: list[Option | None], there: Fleet) -> str:
    """`pools as stated: spot 2 × H100-SXM 3.1 requests/s, 4.80 USD an hour; …`."""
    parts = []
    for pool, option in zip(pools, judged, strict=True):
        text = f"{pool.name} {wording.devices(pool.accelerators_per_replica, pool.accelerator)}"
        if option is not None:
            text += f" {wording.rate(pool.requests_per_second)}"
            missed = option.capacity.latency.missed()
            if missed:
                text += " but misses " + wording.listed(
                    (f"{bound.name} ({wording.estimate(seconds)})" for bound, seconds in missed), "and"
                )
        parts.append(f"{text}, {_hourly(pool.price_per_hour, there)}")
    return f"pools as stated: {'; '.join(parts)}"


def _hourly(price: Decimal | None, there: Fleet) -> str:
    if price is None:
        return "no price is known"
    return f"{wording.money(price, there.settings.currency)} an hour"
