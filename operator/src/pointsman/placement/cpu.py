"""Placement on the CPU: for llama.cpp, which is made for it, and TEI where there are no accelerators."""

from pointsman.api import EngineName, ModelDeployment
from pointsman.api.hardware import Capacity
from pointsman.placement import wording
from pointsman.placement.memory import LAYOUT_FACTOR, cache_bytes
from pointsman.placement.precision import cannot_become
from pointsman.placement.result import DEFAULT_POOL, NotPlaced, Placement, Pool
from pointsman.placement.shape import ModelShape
from pointsman.placement.spread import Spread

# Requests that a CPU works on at once without starving each.
USUAL_CONCURRENCY = 4
# Where neither deployment nor catalogue says it: what llama.cpp's own server takes.
_USUAL_CONTEXT = 4096
# Buffers of the working memory, upper end: 0.3 to 1 GiB, which depend on the vocabulary.
_BUFFERS_BYTES = 2**30


def on_cpu(deployment: ModelDeployment, shape: ModelShape | None, why: str) -> Placement | NotPlaced:
    """A placement without accelerators; memory is counted where the model is known."""
    spec = deployment.spec
    hardware = spec.hardware
    if hardware is not None and (hardware.parallelism is not None or hardware.nodes > 1):
        return NotPlaced(
            "parallelism and nodes have no meaning on the CPU",
            todo="remove them, or name accelerators in spec.hardware.accelerators",
            field="spec.hardware.parallelism" if hardware.parallelism is not None else "spec.hardware.nodes",
        )
    if shape is not None and spec.engine is not None:
        unfit = cannot_become(shape, spec.engine.name)
        if unfit is not None:
            return NotPlaced(unfit.what, todo=unfit.todo, field="spec.model.quantization")
    running = (spec.engine.max_concurrency if spec.engine is not None else None) or USUAL_CONCURRENCY
    stated = spec.model.context_length if spec.model is not None else None
    known = shape.context_length if shape is not None else None
    context = stated or min(known or _USUAL_CONTEXT, _USUAL_CONTEXT)
    tei = spec.engine is not None and spec.engine.name == EngineName.TEI
    per_token, per_request = (0, 0) if shape is None or tei else cache_bytes(shape, Spread(1, 1, 1))
    memory, fit = 0, "CPU: nothing is known of the model's size; requests of the pod decide"
    if shape is not None:
        cache = (per_token * context + per_request) * running
        memory = int(shape.weights_bytes * LAYOUT_FACTOR) + cache + _BUFFERS_BYTES
        fit = f"CPU: {wording.gigabytes(shape.weights_bytes)} of weights"
        if cache:
            times = "1 request" if running == 1 else f"{running} requests"
            fit += f" + {wording.gigabytes(cache)} of cache for {times} of {wording.tokens(context)} tokens"
        fit += f", {wording.gigabytes(memory)} of memory in all"
    pool = Pool(
        name=DEFAULT_POOL,
        accelerator="",
        resource="",
        accelerators_per_replica=0,
        tensor=1,
        capacity=Capacity.ON_DEMAND,
        min_replicas=0,
        max_replicas=None,
        max_concurrency=running,
        price_per_hour=None,
        requests_per_second=0.0,
    )
    return Placement(
        accelerator="",
        accelerators_per_replica=0,
        tensor=1,
        pipeline=1,
        nodes=1,
        pools=(pool,),
        quantization=shape.quantization.value if shape is not None else "",
        half_precision=False,
        context_length=context,
        max_concurrency=running,
        weights_bytes=shape.weights_bytes if shape is not None else 0,
        kv_bytes_per_token=per_token,
        memory_bytes=memory,
        price_per_hour=None,
        requests_per_second=0.0,
        fit=fit,
        reason=why,
        assumptions="how fast a CPU is, is not estimated",
    )
