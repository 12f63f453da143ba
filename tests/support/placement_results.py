"""Placements for tests, as placing a deployment would have found them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pointsman.api.hardware import Capacity
from pointsman.catalog import Accelerator, shipped_catalog
from pointsman.placement.result import DEFAULT_POOL, Placement, Pool

GIBIBYTE = 2**30


def pool(
    name: str = DEFAULT_POOL,
    accelerator: str = "H100-SXM",
    *,
    devices: int = 1,
    tensor: int | None = None,
    capacity: Capacity = Capacity.ON_DEMAND,
    max_concurrency: int = 64,
) -> Pool:
    """One pool; its tensor parallelism is the number of its devices unless stated."""
    known: Accelerator | None = shipped_catalog().accelerators.get(accelerator)
    resource = known.resource if known is not None else "nvidia.com/gpu"
    return Pool(
        name=name,
        accelerator=accelerator,
        resource=resource if accelerator else "",
        accelerators_per_replica=devices if accelerator else 0,
        tensor=devices if tensor is None else tensor,
        capacity=capacity,
        min_replicas=0,
        max_replicas=None,
        max_concurrency=max_concurrency,
        price_per_hour=Decimal("6.88") if accelerator else None,
        requests_per_second=3.5,
    )


def placed(
    *pools: Pool,
    pipeline: int = 1,
    nodes: int = 1,
    quantization: str = "none",
    half_precision: bool = False,
    context_length: int = 32768,
    weights_bytes: int = 15 * GIBIBYTE,
    memory_bytes: int = 0,
    **rest: Any,
) -> Placement:
    """A placement; without pools, one H100."""
    given: Sequence[Pool] = pools or (pool(),)
    first = given[0]
    return Placement(
        accelerator=first.accelerator,
        accelerators_per_replica=first.accelerators_per_replica,
        tensor=first.tensor,
        pipeline=pipeline,
        nodes=nodes,
        pools=tuple(given),
        quantization=quantization,
        half_precision=half_precision,
        context_length=context_length,
        max_concurrency=first.max_concurrency,
        weights_bytes=weights_bytes,
        kv_bytes_per_token=131072,
        memory_bytes=memory_bytes,
        price_per_hour=first.price_per_hour,
        requests_per_second=first.requests_per_second,
        **{"fit": "it fits", "reason": "the cheapest", "assumptions": "none", **rest},
    )
