"""Why nothing fits, what came nearest, and what would make it fit: advice is tried before it is given."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from pointsman.api import EngineName, Quantization
from pointsman.api.hardware import Hardware, Parallelism
from pointsman.placement import wording
from pointsman.placement.arguments import EXPERT_PARALLEL
from pointsman.placement.choosing import Ranking, choose, described
from pointsman.placement.fitting import Fleet, options
from pointsman.placement.options import Asked, Miss, Option
from pointsman.placement.precision import cannot_become
from pointsman.placement.result import NotPlaced
from pointsman.placement.shape import ModelShape, quantized

# A context is shortened in these steps, and to no less than this.
_CONTEXT_STEP = 1024
_MORE_NODES = (2, 4, 8)


def not_placed(
    hardware: Hardware,
    asked: Asked,
    fleet: Fleet,
    names: Sequence[str],
    found: Sequence[Option | Miss],
    ranking: Ranking,
) -> NotPlaced:
    """The answer when nothing can be chosen."""
    nearest = min(found, key=_distance)
    unaffordable = [
        option
        for option in found
        if isinstance(option, Option) and option.capacity.within and not ranking.affordable(option)
    ]
    if unaffordable:
        return _above_budget(unaffordable, ranking)
    if isinstance(nearest, Option):
        return _too_slow(nearest, asked, hardware)
    if nearest.need is None:
        return NotPlaced(
            f"{asked.shape.name} cannot run on {_which(names)}",
            described(nearest),
            nearest.todo,
            _stated_field(hardware),
        )
    ways = _ways(hardware, asked, fleet, names, nearest, ranking)
    return NotPlaced(
        f"{asked.shape.name} does not fit {_which(names)}",
        described(nearest),
        wording.listed(ways) or "use a smaller model, or accelerators with more memory",
        "spec.model" if ways and ways[0].startswith("lower") else "spec.hardware",
    )


def _stated_field(hardware: Hardware) -> str:
    """What the deployment says of its hardware and could say otherwise."""
    parallelism = hardware.parallelism
    if parallelism is not None and parallelism.tensor is not None:
        return "spec.hardware.parallelism.tensor"
    return "spec.hardware"


def _distance(item: Option | Miss) -> tuple[object, ...]:
    return (isinstance(item, Miss), item.excess, item.spread.devices, item.device.name)


def _which(names: Sequence[str]) -> str:
    return "any accelerator of the fleet" if len(names) > 3 else wording.listed(names)


def _above_budget(found: Sequence[Option], ranking: Ranking) -> NotPlaced:
    cheapest = min(found, key=lambda option: (option.price_per_hour or Decimal(0), option.device.name))
    currency = ranking.fleet.settings.currency
    cost = (cheapest.price_per_hour or Decimal(0)) * ranking.replicas
    replicas = f" for {ranking.replicas} replicas" if ranking.replicas > 1 else ""
    budget = wording.money(ranking.budget or Decimal(0), currency)
    return NotPlaced(
        f"nothing that meets the objectives costs at most {budget} an hour",
        f"{wording.devices(cheapest.spread.devices, cheapest.device.name)} costs "
        f"{wording.money(cost, currency)} an hour{replicas}",
        "raise spec.scaling.budget.perHour, lower minReplicas or loosen the objectives",
        "spec.scaling.budget",
    )


def _too_slow(nearest: Option, asked: Asked, hardware: Hardware) -> NotPlaced:
    missed = nearest.capacity.latency.missed()
    ways = [
        f"raise spec.scaling.objectives.{bound.metric}.p{round(bound.quantile * 100)} to {_above(seconds)}"
        for bound, seconds in missed
    ]
    if hardware.accelerators or (hardware.parallelism and hardware.parallelism.tensor):
        ways.append("allow more accelerators")
    return NotPlaced(
        f"nothing meets {wording.bounds(asked.demand)} for requests of {asked.demand.traffic}",
        described(nearest),
        wording.listed(ways),
        "spec.scaling.objectives",
    )


def _above(seconds: float) -> str:
    """A duration that the estimate is within, with a little room."""
    return f"{math.ceil(seconds * 1.05e3)}ms"


def _ways(
    hardware: Hardware,
    asked: Asked,
    fleet: Fleet,
    names: Sequence[str],
    nearest: Miss,
    ranking: Ranking,
) -> list[str]:
    ways = []
    need = nearest.need
    if need is not None:
        tokens = need.longest_context(asked.whole_requests) // _CONTEXT_STEP * _CONTEXT_STEP
        if _CONTEXT_STEP <= tokens < asked.context_length:
            ways.append(f"lower spec.model.contextLength to {tokens}")
    for shape, way in _other_shapes(asked):
        other = replace(asked, shape=shape)
        if choose(options(hardware, other, fleet, names), replace(ranking, asked=other)) is not None:
            ways.append(way)
    nodes = _fitting_nodes(hardware, asked, fleet, names, ranking)
    if nodes is not None:
        ways.append(f"set spec.hardware.nodes: {nodes}")
    return ways


def _other_shapes(asked: Asked) -> Iterator[tuple[ModelShape, str]]:
    """The model as it could be served too, and how one says so."""
    if asked.shape.quantization == Quantization.NONE:
        smaller = quantized(asked.shape, Quantization.FP8)
        if cannot_become(smaller, asked.engine) is None:
            yield smaller, "write spec.model.quantization: fp8"
    if asked.shape.mixture is not None and asked.engine == EngineName.VLLM:
        yield replace(asked.shape, whole_experts=True), f"add {EXPERT_PARALLEL} to spec.engine.args"


def _fitting_nodes(
    hardware: Hardware, asked: Asked, fleet: Fleet, names: Sequence[str], ranking: Ranking
) -> int | None:
    if hardware.nodes > 1:
        return None
    for nodes in _MORE_NODES:
        parallelism = hardware.parallelism or Parallelism()
        wider = hardware.model_copy(
            update={"nodes": nodes, "parallelism": parallelism.model_copy(update={"pipeline": nodes})}
        )
        if choose(options(wider, asked, fleet, names), ranking) is not None:
            return nodes
    return None
