"""Pools that a deployment spells out: each is checked, priced and estimated, and none is chosen.

What cannot run is refused with the fix. Of a model that nobody knows only the devices are checked.
"""

from pointsman.api import ModelDeployment
from pointsman.api.hardware import Capacity, Hardware, Parallelism
from pointsman.api.hardware import Pool as AskedPool
from pointsman.placement import wording
from pointsman.placement.choosing import assumptions_text, fit_text, miss_text, missed_text
from pointsman.placement.devices import Device, price_of
from pointsman.placement.fitting import Fleet, rule_refusal
from pointsman.placement.options import Asked, Miss, Option, assess
from pointsman.placement.precision import precision_on
from pointsman.placement.result import NotPlaced, Placement, Pool
from pointsman.placement.spread import Spread, spread_of
from pointsman.placement.stated import hourly


def in_pools(deployment: ModelDeployment, asked: Asked | NotPlaced, there: Fleet) -> Placement | NotPlaced:
    """The pools that the deployment spells out, each checked; the first one's numbers stand at the top."""
    hardware = deployment.spec.hardware or Hardware()
    pools: list[Pool] = []
    judged: list[Option | None] = []
    for index, wanted in enumerate(hardware.pools):
        at = f"spec.hardware.pools[{index}]"
        device = there.device(wanted.accelerator)
        names = there.names
        if names and wanted.accelerator not in names:
            return NotPlaced(
                f"pool {wanted.name} names {wanted.accelerator}, which the fleet does not have",
                todo=wording.instead_of(wanted.accelerator, names),
                field=f"{at}.accelerator",
            )
        if device is None:
            return NotPlaced(
                f"pool {wanted.name} names {wanted.accelerator}, of which nothing is known",
                todo="name one of the catalogue, or state its facts in the fleet settings",
                field=f"{at}.accelerator",
            )
        spread = spread_of(hardware, wanted.accelerators_per_replica)
        if spread is None:
            return _uneven(hardware, wanted, at)
        option = _judge(asked, device, spread, there, wanted, at)
        if isinstance(option, NotPlaced):
            return option
        judged.append(option)
        pools.append(_pool(wanted, device, spread, option, deployment, there))
    return _pooled(deployment, asked, pools, judged, there)


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
    tokens = need.longest_context(asked.whole_requests) // 1024 * 1024
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
        price_per_hour=None if price is None else price.of(spread.devices, spread.nodes),
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
    fit = f"{wording.devices(first.accelerators_per_replica, first.accelerator)}, as stated"
    assumptions = "nothing is known of the model: neither memory nor speed is checked"
    if option is not None and known is not None:
        fit, assumptions = fit_text(option, known), assumptions_text(option, known)
    return Placement(
        accelerator=first.accelerator,
        accelerators_per_replica=first.accelerators_per_replica,
        tensor=first.tensor,
        pipeline=first.pipeline,
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
            if missed := missed_text(option):
                text += f" but misses {missed}"
        parts.append(f"{text}, {hourly(pool.price_per_hour, there)}")
    return f"pools as stated: {'; '.join(parts)}"
