"""One way to run a replica, judged: what it serves and costs, or what it misses and by how much."""

import math
from dataclasses import dataclass
from decimal import Decimal

from pointsman.api import EngineName
from pointsman.placement.capacity import Capacity, capacity
from pointsman.placement.coefficients import coefficients_of
from pointsman.placement.demand import Demand
from pointsman.placement.devices import Device, Price
from pointsman.placement.memory import Need, memory_need
from pointsman.placement.precision import Cannot, Precision
from pointsman.placement.shape import ModelShape
from pointsman.placement.spread import Spread
from pointsman.placement.stage import deviations
from pointsman.placement.steptime import step_time

# vLLM's own default; more running requests gain little and each costs cache.
USUAL_CONCURRENCY = 256
_ROUNDED_FROM = 16
_ROUNDED_TO = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What a replica must do, whatever it runs on."""

    shape: ModelShape
    engine: EngineName
    context_length: int
    max_concurrency: int | None
    """None: as many as is useful."""
    demand: Demand
    adapters: int = 0
    own_image: bool = False
    """The deployment brings its image, which may be built for any device."""
    whole_slots: bool = False
    """The engine takes the cache of each request's whole context when it starts, instead of page by page."""

    @property
    def whole_requests(self) -> int:
        """Requests of the whole context that must fit at once."""
        return self.max_concurrency or 1 if self.whole_slots else 1


@dataclass(frozen=True, slots=True)
class Option:
    """A spread of the model over devices that holds it."""

    device: Device
    spread: Spread
    precision: Precision
    need: Need
    max_concurrency: int
    capacity: Capacity
    price_basis: str
    """How the price is known: "" for the platform's own, else the date of the list."""
    price_per_hour: Decimal | None
    """Of all devices; None where no price is known."""
    price_per_thousand: float | None
    """Of a thousand requests at full load: an estimate, as their number is."""

    @property
    def cache_bytes(self) -> int:
        """Of all devices together."""
        return max(0, self.need.room) * self.spread.devices

    @property
    def excess(self) -> float:
        """How far the worst bound is missed, as a factor; at most 1 where all hold."""
        return max((seconds / bound.seconds for bound, seconds in self.capacity.latency.tails), default=0.0)


@dataclass(frozen=True, slots=True)
class Miss:
    """A spread that cannot be: `excess` tells how far it is from fitting, as a factor."""

    device: Device
    spread: Spread
    what: str
    excess: float
    todo: str = ""
    need: Need | None = None


# A rule that is broken is farther away than any lack of memory.
_BROKEN_RULE = 1e6


def assess(
    asked: Asked, device: Device, precision: Precision | Cannot, spread: Spread, price: Price | None
) -> Option | Miss:
    """Whether this spread holds the model, and what it then serves."""
    if isinstance(precision, Cannot):
        return Miss(device, spread, precision.what, _BROKEN_RULE, precision.todo)
    need = memory_need(asked.shape, device, spread, coefficients_of(asked.engine).memory, asked.adapters)
    slots = asked.max_concurrency or USUAL_CONCURRENCY
    least = need.one_request(asked.context_length) * asked.whole_requests
    if need.room < least:
        return _too_small(device, spread, need, least)
    step = step_time(asked.shape, device, spread, precision, asked.engine)
    demand = asked.demand
    held = asked.context_length if asked.whole_slots else demand.traffic.held_tokens
    running = _most_running(need, held, slots)
    found = capacity(step, spread.pipeline, running, need.cache_tokens(running), demand)
    hourly = None if price is None else price.of(spread.devices, spread.nodes)
    thousands = found.latency.requests_per_second * 3.6
    return Option(
        device=device,
        spread=spread,
        precision=precision,
        need=need,
        max_concurrency=asked.max_concurrency or _useful(found, demand, running),
        capacity=found,
        price_basis="" if price is None else price.basis,
        price_per_hour=hourly,
        price_per_thousand=None if hourly is None else float(hourly) / thousands,
    )


def _most_running(need: Need, held_tokens: int, slots: int) -> int:
    """Requests that fit beside each other if each holds so many tokens."""
    each = need.one_request(held_tokens)
    return max(1, min(slots, need.room // each if each else slots))


def _useful(found: Capacity, demand: Demand, most: int) -> int:
    """The running requests that the objectives allow, with their variation; all where there is one pass."""
    wanted = most
    if demand.traffic.output_tokens:
        crowd = found.requests + deviations(demand.tail) * math.sqrt(found.requests)
        wanted = min(most, max(1, math.ceil(crowd)))
    return wanted if wanted < _ROUNDED_FROM else wanted // _ROUNDED_TO * _ROUNDED_TO


def _too_small(device: Device, spread: Spread, need: Need, cache: int) -> Miss:
    wanted = need.weights + need.overhead + cache
    return Miss(device, spread, "", wanted / need.usable, need=need)
