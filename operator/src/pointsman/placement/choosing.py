"""The choice among options: cheapest for each request, or fastest within the budget; and its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pointsman.api.hardware import Capacity, Objective
from pointsman.placement import wording
from pointsman.placement.capacity import latency_at
from pointsman.placement.fitting import Fleet
from pointsman.placement.gguf_bits import USUAL_BITS
from pointsman.placement.options import Asked, Miss, Option
from pointsman.placement.result import DEFAULT_POOL, Alternative, Placement, Pool
from pointsman.placement.steptime import step_time

# Requests that run together when "how fast" is compared: a replica that is used, but not full.
_COMPANY = 8
_MOST_ALTERNATIVES = 8
# The mean error of step times over measured rows that were held out is below this: who asks for speed is not
# made to pay for a difference that is none.
_AS_FAST = 1.1


@dataclass(frozen=True)
class Ranking:
    """By what options are compared for one deployment."""

    objective: Objective
    asked: Asked
    fleet: Fleet
    budget: Decimal | None
    """Per hour, for all replicas that always run."""
    replicas: int
    """Replicas that always run."""

    def affordable(self, option: Option) -> bool:
        price = option.price_per_hour
        return self.budget is None or price is None or price * self.replicas <= self.budget

    def has_room(self, option: Option) -> bool:
        """For all replicas that always run."""
        return self.fleet.has_room(option.device.name, option.spread, self.replicas)

    def key(self, option: Option) -> tuple[object, ...]:
        """Smaller is better; what could start now comes first."""
        waits = not self.has_room(option)
        cost = self._cost(option)
        if self.objective == Objective.LATENCY:
            return (waits, self.request_seconds(option), *cost)
        return (waits, *cost)

    def best(self, options: Sequence[Option]) -> Option:
        """The first by `key`; for latency the cheapest of those that are as fast as that."""
        first = min(options, key=self.key)
        if self.objective != Objective.LATENCY:
            return first
        limit = self.request_seconds(first) * _AS_FAST
        as_fast = (
            option
            for option in options
            if self.has_room(option) == self.has_room(first) and self.request_seconds(option) <= limit
        )
        return min(as_fast, key=self._cost)

    def request_seconds(self, option: Option) -> float:
        """The usual request from its beginning to its end, with a little company."""
        asked = self.asked
        if not asked.demand.traffic.output_tokens:
            return option.capacity.latency.ttft
        step = step_time(asked.shape, option.device, option.spread, option.precision, asked.engine)
        company = min(_COMPANY, option.max_concurrency) / option.spread.pipeline
        latency = latency_at(step, option.spread.pipeline, company, asked.demand)
        return latency.ttft + asked.demand.traffic.output_tokens * latency.itl

    def _cost(self, option: Option) -> tuple[object, ...]:
        price = option.price_per_thousand
        rate = option.capacity.latency.requests_per_second
        return (
            price is None,
            price if price is not None else option.spread.devices,
            -rate,
            option.device.name,
            option.spread.tensor,
        )


def choose(found: Sequence[Option | Miss], ranking: Ranking) -> Option | None:
    """The best option, or None where none holds the model, its objectives and the budget.

    Objectives that nobody stated do not refuse: then the nearest is taken.
    """
    holding = [option for option in found if isinstance(option, Option) and ranking.affordable(option)]
    within = [option for option in holding if option.capacity.within]
    if within:
        return ranking.best(within)
    if ranking.asked.demand.stated or not holding:
        return None
    return min(holding, key=lambda option: (option.excess, *ranking.key(option)))


def placement_of(option: Option, found: Sequence[Option | Miss], ranking: Ranking) -> Placement:
    """The chosen option with everything that explains it."""
    asked, spread, need = ranking.asked, option.spread, option.need
    rate = wording.significant(option.capacity.latency.requests_per_second)
    pool = Pool(
        name=DEFAULT_POOL,
        accelerator=option.device.name,
        resource=option.device.resource,
        accelerators_per_replica=spread.devices,
        tensor=spread.tensor,
        capacity=Capacity.ON_DEMAND,
        min_replicas=0,
        max_replicas=None,
        max_concurrency=option.max_concurrency,
        price_per_hour=option.price_per_hour,
        requests_per_second=rate,
    )
    return Placement(
        accelerator=option.device.name,
        accelerators_per_replica=spread.devices,
        tensor=spread.tensor,
        pipeline=spread.pipeline,
        nodes=spread.nodes,
        pools=(pool,),
        quantization=asked.shape.quantization.value,
        half_precision=option.precision.half,
        context_length=asked.context_length,
        max_concurrency=option.max_concurrency,
        weights_bytes=asked.shape.weights_bytes,
        kv_bytes_per_token=need.kv_per_token * spread.devices,
        memory_bytes=0,
        price_per_hour=option.price_per_hour,
        requests_per_second=rate,
        fit=fit_text(option, asked),
        reason=_reason(option, ranking),
        assumptions=assumptions_text(option, asked),
        alternatives=_alternatives(option, found, ranking),
    )


def fit_text(option: Option, asked: Asked) -> str:
    """`2 × H100-SXM, fp8: 33 GB of weights + 38 GB of cache for 128 requests of 4k tokens`."""
    spread, shape = option.spread, asked.shape
    parts = [wording.devices(spread.devices, option.device.name)]
    if spread.tensor > 1:
        parts.append(f"tensor parallel {spread.tensor}")
    if spread.pipeline > 1:
        parts.append(f"pipeline {spread.pipeline}")
    if spread.nodes > 1:
        parts.append(f"{spread.nodes} nodes")
    parts.append("16 bits" if shape.quantization == "none" else shape.quantization.value)
    if option.precision.note:
        parts.append(option.precision.note)
    text = f"{', '.join(parts)}: {wording.gigabytes(shape.weights_bytes)} of weights"
    if not option.need.kv_per_token:
        return text
    return (
        f"{text} + {wording.gigabytes(option.cache_bytes)} of cache for "
        f"{_requests(option.max_concurrency)} of {wording.tokens(_length(option, asked))} tokens"
    )


def _length(option: Option, asked: Asked) -> int:
    """Tokens that each of the running requests can have at once."""
    each = option.need.cache_tokens(option.max_concurrency) // option.max_concurrency
    return max(1, min(asked.context_length, each))


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _reason(option: Option, ranking: Ranking) -> str:
    demand = ranking.asked.demand
    rate = wording.rate(option.capacity.latency.requests_per_second)
    default = "" if demand.stated else " (defaults)"
    what = "cost" if ranking.objective == Objective.COST else "latency"
    if option.capacity.within:
        text = f"chosen for {what}: {rate} at {wording.bounds(demand)}{default}"
    else:
        missed = wording.listed((_missed(option),), "and")
        text = f"nothing meets {wording.bounds(demand)}{default}; this comes nearest, {missed}: {rate}"
    if ranking.objective == Objective.LATENCY:
        text += f", {wording.estimate(ranking.request_seconds(option))} a request, none is faster by a tenth"
    text += f", {_price(option, ranking)}"
    if ranking.budget is not None:
        text += f", within {wording.money(ranking.budget, ranking.fleet.settings.currency)} an hour"
    if not ranking.has_room(option):
        text += "; too few are free now"
    return text


def _price(option: Option, ranking: Ranking) -> str:
    price = option.price_per_thousand
    if price is None:
        return f"no price of {option.device.name} is known"
    return f"{wording.money(price, ranking.fleet.settings.currency)} per 1,000 requests"


def _missed(option: Option) -> str:
    """`misses itl p95 (71 ms)`."""
    return f"misses {missed_text(option)}"


def missed_text(option: Option) -> str:
    """`ttft p95 (2.4 s) and itl p95 (71 ms)`; "" where nothing is missed."""
    return wording.listed(
        (
            f"{bound.name} ({wording.beyond(seconds, bound.seconds)})"
            for bound, seconds in option.capacity.latency.missed()
        ),
        "and",
    )


def assumptions_text(option: Option, asked: Asked) -> str:
    text = f"estimated for requests of {asked.demand.traffic}"
    if asked.shape.assumed_size:
        text += f", weights of {USUAL_BITS} bits"
    if option.price_basis:
        text += f"; prices: {option.price_basis}"
    return text


def _alternatives(
    chosen: Option, found: Sequence[Option | Miss], ranking: Ranking
) -> tuple[Alternative, ...]:
    """The best of each other accelerator, and the next best of the chosen one; best first."""
    best: dict[str, Option | Miss] = {}
    for candidate in sorted(found, key=lambda item: _order(item, ranking)):
        if candidate is not chosen:
            best.setdefault(candidate.device.name, candidate)
    return tuple(
        Alternative(item.device.name, item.spread.devices, _why_not(item, chosen, ranking))
        for item in list(best.values())[:_MOST_ALTERNATIVES]
    )


def _order(item: Option | Miss, ranking: Ranking) -> tuple[object, ...]:
    """What could have been chosen, then what misses a bound, then what cannot be; nearest first."""
    if isinstance(item, Miss):
        return (3, item.excess, item.spread.devices, item.device.name)
    if not item.capacity.within:
        return (2, item.excess, item.spread.devices, item.device.name)
    return (0 if ranking.affordable(item) else 1, *ranking.key(item))


def _why_not(item: Option | Miss, chosen: Option, ranking: Ranking) -> str:
    if isinstance(item, Miss):
        return miss_text(item)
    if not item.capacity.within:
        return _missed(item)
    price = item.price_per_thousand
    currency = ranking.fleet.settings.currency
    text = wording.money(price, currency) if price is not None else "has no known price"
    if ranking.objective == Objective.LATENCY:
        text = f"{wording.estimate(ranking.request_seconds(item))} a request, {text}"
    if not ranking.affordable(item):
        per_hour = item.price_per_hour or Decimal(0)
        text += f", above the budget ({wording.money(per_hour * ranking.replicas, currency)} an hour)"
    elif not ranking.has_room(item) and ranking.has_room(chosen):
        text += ", too few are free"
    return text


def miss_text(miss: Miss) -> str:
    """`needs 99 GB of memory on each, has 77 GB`, or the rule that is broken."""
    need = miss.need
    if need is None:
        return f"cannot: {miss.what}"
    wanted, usable = wording.apart(need.usable * miss.excess, need.usable)
    return f"needs {wanted} of memory on each, can use {usable}"


def described(item: Option | Miss) -> str:
    """A candidate that was not taken, as the closest miss."""
    name = wording.devices(item.spread.devices, item.device.name)
    if isinstance(item, Miss):
        return f"{name} {miss_text(item)}"
    return f"{name} {_missed(item)}" if item.capacity.latency.missed() else name
